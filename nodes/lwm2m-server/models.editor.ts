/** The part of the dialog about object definition files. They go to the running Node-RED at once, not with the flow at Deploy. */
import type { ModelRow, ModelsAnswer, UploadAnswer } from '../shared/admin-types';
import { textOf } from '../shared/editor/red';
import type { Translate } from '../shared/editor/red';

/** The server takes no larger file. */
const maxSize = 1024 * 1024;
/** Uploads under way at a time. */
const lanes = 4;

interface Refused {
  readonly file: string;
  readonly error: { readonly line: number; readonly reason: string };
}

/** Fills the rows of the dialog; `id` is the server's, which need not be deployed. */
export function prepareModels(id: string, translate: Translate): void {
  const t: Translate = (key, data) => translate(`lwm2m-server.models.${key}`, data);
  const address = `lwm2m/${encodeURIComponent(id)}/models`;
  const $zone = $('#lwm2m-server-models');
  const $scope = $('#lwm2m-server-models-scope');
  // Opened by the button, which the keyboard reaches as well.
  const $files = $('<input type="file" id="lwm2m-server-models-files" accept=".xml,text/xml,application/xml" multiple tabindex="-1">')
    .attr('aria-label', t('add'))
    .hide()
    .appendTo($zone);
  const $status = $('#lwm2m-server-models-status');
  const $list = $('#lwm2m-server-models-list').attr('aria-label', t('list'));
  let busy = false;

  const show = (files: readonly ModelRow[], refused: readonly Refused[] = []): void => {
    $list.empty();
    for (const one of refused) $list.append(refusedRow(one, t));
    const sorted = [...files].sort((a, b) => Number(!a.error) - Number(!b.error) || idOf(a) - idOf(b) || (a.file < b.file ? -1 : 1));
    for (const one of sorted) $list.append(fileRow(one, t, () => void remove(one)));
    if (files.length + refused.length === 0) $('<div class="lwm2m-model">').text(t('none')).appendTo($list);
  };
  const list = async (refused: readonly Refused[] = []): Promise<void> => {
    try {
      show((await ask<ModelsAnswer>('GET', address)).files, refused);
    } catch (error) {
      show([], refused);
      $status.text(t('failed', { reason: reasonOf(error) }));
    }
  };
  const remove = async ({ scope, file }: ModelRow): Promise<void> => {
    try {
      await ask('DELETE', `${address}/${scope}/${encodeURIComponent(file)}`);
      $status.text(t('deleted', { file }));
      await list();
      $('#lwm2m-server-models-add').trigger('focus');
    } catch (error) {
      $status.text(t('failed', { reason: reasonOf(error) }));
    }
  };
  const upload = async (files: readonly File[]): Promise<void> => {
    if (busy || files.length === 0) return;
    busy = true;
    const scope = textOf($scope.val());
    const refused: Refused[] = [];
    const waiting = [...files];
    let done = 0;
    const work = async (): Promise<void> => {
      for (let file = waiting.shift(); file; file = waiting.shift()) {
        const error = await send(file, `${address}/${scope}`, t);
        if (error) refused.push({ file: file.name, error });
        done++;
        $status.text(t('progress', { done, count: files.length }));
      }
    };
    await Promise.all(Array.from({ length: lanes }, work));
    busy = false;
    await list(refused.sort((a, b) => (a.file < b.file ? -1 : 1)));
    $status.text(t(refused.length > 0 ? 'uploadedSome' : 'uploaded', { done: files.length - refused.length, refused: refused.length }));
  };

  $('#lwm2m-server-models-add').on('click', () => $files.trigger('click'));
  $files.on('change', () => {
    const input = $files[0] as HTMLInputElement;
    void upload([...(input.files ?? [])]);
    // The same file may be chosen again, after it was corrected.
    input.value = '';
  });
  $zone.on('dragenter dragover', (event) => {
    event.preventDefault();
    event.stopPropagation();
    $zone.addClass('lwm2m-drop');
  });
  $zone.on('dragleave drop', () => $zone.removeClass('lwm2m-drop'));
  $zone.on('drop', (event) => {
    event.preventDefault();
    event.stopPropagation();
    void upload([...((event.originalEvent as DragEvent).dataTransfer?.files ?? [])]);
  });
  void list();
}

/** Sends one file; returns why it was refused. */
async function send(file: File, address: string, t: Translate): Promise<Refused['error'] | undefined> {
  if (file.size > maxSize) return { line: 1, reason: t('tooLarge', { size: file.size, max: maxSize }) };
  try {
    await ask('POST', address, file);
    return undefined;
  } catch (error) {
    return error instanceof Refusal ? error.why : { line: 1, reason: reasonOf(error) };
  }
}

class Refusal extends Error {
  constructor(readonly why: Refused['error']) {
    super(why.reason);
  }
}

/** By jQuery, which sends the editor's login along; a relative address, as Node-RED may live under another root. */
function ask<T>(method: string, url: string, body?: File): Promise<T> {
  return new Promise((resolve, reject) => {
    $.ajax({ method, url, ...(body && { data: body, processData: false, contentType: 'application/xml' }) })
      .done((answer: T) => resolve(answer))
      .fail((request, _status, reason) => {
        const answer = request.responseJSON as UploadAnswer | undefined;
        if (answer && 'error' in answer) reject(new Refusal(answer.error));
        else reject(new Error(request.status > 0 ? `${request.status} ${reason}` : reason || 'no connection'));
      });
  });
}

function idOf({ objects }: ModelRow): number {
  return objects[0]?.id ?? -1;
}

function fileRow(one: ModelRow, t: Translate, remove: () => void): JQuery {
  const { file, scope, objects, error } = one;
  const $row = $('<div class="lwm2m-model" role="listitem">').attr('data-file', file);
  const what = objects.map(({ id, name, version }) => `${id} ${name} ${version}`).join(', ') || t('noObject');
  const $text = $('<div class="lwm2m-model-text">').appendTo($row);
  $('<div>')
    .text(error ? file : what)
    .appendTo($text);
  if (error) $('<div class="lwm2m-model-error">').text(t('error', error)).appendTo($text);
  else $('<div class="lwm2m-model-file">').text(file).appendTo($text);
  $('<div class="lwm2m-model-scope">')
    .text(t(`scope.${scope}`))
    .appendTo($row);
  // Asked once more in the same place, so that no slip of the mouse deletes a file.
  let asked = false;
  const $button = $('<button type="button" class="red-ui-button red-ui-button-small">')
    .attr({ 'aria-label': t('delete', { file }), title: t('delete', { file }) })
    .append('<i class="fa fa-trash" aria-hidden="true"></i>')
    .on('click', () => {
      if (asked) remove();
      else $button.text(t('really'));
      asked = true;
    })
    .on('blur', () => {
      asked = false;
      $button.empty().append('<i class="fa fa-trash" aria-hidden="true"></i>');
    });
  return $row.append($button);
}

function refusedRow({ file, error }: Refused, t: Translate): JQuery {
  const $text = $('<div class="lwm2m-model-text">').append(
    $('<div>').text(file),
    $('<div class="lwm2m-model-error">').text(t('error', error)),
  );
  return $('<div class="lwm2m-model lwm2m-model-refused" role="listitem">').append(
    $text,
    $('<div class="lwm2m-model-scope">').text(t('refused')),
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
