/** Learn, preview, import and export: what the dialog does with the help of the running Node-RED. */
import type { ExportAnswer, ImportAnswer, LearnAnswer, PreviewAnswer, Refusal, RemarkAnswer } from '../shared/admin-types';
import { ask } from '../shared/editor/ask';
import { textOf } from '../shared/editor/red';
import type { Translate } from '../shared/editor/red';
import { suggestEndpoints } from '../shared/editor/suggestions';
import { rowsOf, spelled } from './rows.editor';
import type { Definition, Row } from './rows.editor';

export interface Tools {
  /** The profile as the dialog has it now. */
  readonly read: () => Definition;
  readonly show: (definition: Definition) => void;
  readonly add: (rows: readonly Row[]) => void;
  readonly kept: () => object | null;
  readonly keep: (kept: object) => void;
  readonly t: Translate;
}

export function prepareTools(tools: Tools): void {
  const { t } = tools;
  const $server = $('#node-config-input-server');
  const $device = $('#lwm2m-profile-device').attr('aria-label', t('label.device'));
  suggestEndpoints($device, $server);
  const body = (): object => ({
    endpoint: textOf($device.val()),
    settings: { name: textOf($('#node-config-input-name').val()), definition: tools.read() },
  });
  const button = (name: string, act: () => Promise<void> | void): void => {
    const $button = $(`#lwm2m-profile-${name}`);
    $button.on('click', () => {
      $button.prop('disabled', true);
      say([]);
      $('#lwm2m-profile-json').empty();
      void Promise.resolve(act())
        .catch(complain)
        .then(() => $button.prop('disabled', false));
    });
  };
  const needsDevice = (): boolean => {
    if (textOf($device.val()) !== '') return true;
    complain(t('tools.noDevice'));
    $device.trigger('focus');
    return false;
  };

  button('learn', async () => {
    if (!needsDevice()) return;
    say([t('tools.learning')]);
    const answer = await ask<LearnAnswer>($server, 'learn', body());
    if ('error' in answer) throw refused(answer, t);
    if ('deployed' in answer) throw new Error(t('tools.notDeployed'));
    // What is there stays as it is.
    const there = new Set(tools.read().resources.map(({ path }) => unversioned(path)));
    const fresh = rowsOf(answer.definition as Definition).resources.filter(({ path }) => !there.has(unversioned(path)));
    tools.add(fresh);
    say([t('tools.learned', { count: fresh.length }), ...told(answer.remarks, t)]);
  });
  button('preview', async () => {
    if (!needsDevice()) return;
    const answer = await ask<PreviewAnswer>($server, 'preview', body());
    if ('error' in answer) throw refused(answer, t);
    if ('deployed' in answer) throw new Error(t('tools.notDeployed'));
    const { requests, remarks } = answer;
    say([...(requests.length > 0 ? requests : [t('tools.nothing')]), ...told(remarks, t)]);
  });
  button('import', () => {
    importBox(t, async (text) => {
      const answer = await ask<ImportAnswer>($server, 'import', { text });
      if ('error' in answer) throw refused(answer, t);
      const { definition, kept, remarks, name } = answer;
      tools.show(definition as Definition);
      tools.keep(kept);
      const $name = $('#node-config-input-name');
      if (name !== undefined && textOf($name.val()) === '') $name.val(name).trigger('change');
      $('#lwm2m-profile-json').empty();
      say([t('tools.imported', { count: definition.resources.length }), ...told(remarks, t)]);
    });
  });
  button('export', async () => {
    const answer = await ask<ExportAnswer>($server, 'export', { ...body(), kept: tools.kept() });
    if ('error' in answer) throw refused(answer, t);
    exportBox(JSON.stringify(answer.json, null, 2), t);
    say([t('tools.exported'), ...told(answer.remarks, t)]);
  });
}

function unversioned(path: unknown): string {
  return spelled(path).replace(/_[\d.]+/, '');
}

const $answer = (): JQuery => $('#lwm2m-profile-answer');

/** Remarks in the language of the editor. */
function told(remarks: readonly RemarkAnswer[], t: Translate): string[] {
  return remarks.map(({ id, facts }) => t(`remarks.${id}`, facts));
}

/** What cannot be done, in the language of the editor where that is known. */
function refused({ error, remarks }: Refusal, t: Translate): Error {
  return new Error(remarks ? told(remarks, t).join(' ') : error);
}

function say(lines: readonly string[]): void {
  $answer().removeClass('lwm2m-profile-problem').text(lines.join('\n'));
}

function complain(problem: unknown): void {
  $answer()
    .addClass('lwm2m-profile-problem')
    .text(problem instanceof Error ? problem.message : String(problem));
}

function importBox(t: Translate, take: (text: string) => Promise<void>): void {
  const $text = jsonBox(t('tools.paste'));
  const run = (text: string): void => {
    take(text).catch(complain);
  };
  const $file = $('<input type="file" accept=".json,application/json" tabindex="-1" id="lwm2m-profile-file">')
    .attr('aria-label', t('tools.file'))
    .hide()
    .on('change', () => {
      const [file] = [...(($file[0] as HTMLInputElement).files ?? [])];
      if (file) void file.text().then(run);
    });
  const $choose = button('choose', t('tools.file'), () => $file.trigger('click'));
  const $take = button('take', t('tools.take'), () => run(textOf($text.val())));
  $('#lwm2m-profile-json').append($text, $('<div class="lwm2m-profile-bar">').append($choose, $take, $file));
  $text.trigger('focus');
}

function exportBox(json: string, t: Translate): void {
  const $text = jsonBox(t('tools.json')).prop('readonly', true).val(json);
  const $copy = button('copy', t('tools.copy'), () => {
    RED.clipboard.copyText(json, $copy, t('tools.copied'));
  });
  const $download = button('download', t('tools.download'), () => {
    const url = URL.createObjectURL(new Blob([json], { type: 'application/json' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `${textOf($('#node-config-input-name').val()).replace(/[^A-Za-z0-9._-]+/g, '_') || 'profile'}.json`;
    link.click();
    URL.revokeObjectURL(url);
  });
  $('#lwm2m-profile-json').append($text, $('<div class="lwm2m-profile-bar">').append($copy, $download));
}

function jsonBox(title: string): JQuery {
  return $('<textarea class="lwm2m-profile-json" rows="8" spellcheck="false">').attr({ 'aria-label': title, placeholder: title });
}

function button(name: string, text: string, act: () => void): JQuery {
  return $('<button type="button" class="red-ui-button">').attr('id', `lwm2m-profile-${name}`).text(text).on('click', act);
}
