/** The part of the dialog about devices: a row each, with its key where it has one. */
import { textOf } from '../shared/editor/red';
import type { EditorNode, Translate, Validity } from '../shared/editor/red';
import { checkNumber } from '../shared/editor/validate';
import { slots } from './slots';

export interface Device {
  endpoint: string;
  mode: 'none' | 'psk';
  name: string;
  timeout: number | string;
  /** Of mode `psk` only, like the next. */
  identity?: string;
  /** The name of the credential that is the key. */
  slot?: string;
}

interface WithDevices {
  devices: Device[];
  credentials?: Readonly<Record<string, unknown>>;
}

/** Stands for a key that Node-RED has and does not tell. */
const kept = '__PWRD__';
const prefix = 'node-config-input-';
const keyBytes = 16;
const maxKeyBytes = 64;
const maxTimeout = 2 ** 31 - 1;

export function devicesAreRight(this: EditorNode<WithDevices>, value: unknown): Validity {
  const devices = Array.isArray(value) ? (value as Partial<Device>[]) : [];
  const names = devices.map(({ endpoint }) => endpoint);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return this._('lwm2m-server.invalid.deviceTwice', { endpoint: twice });
  const identities = devices.filter(({ mode }) => mode === 'psk').map(({ identity, endpoint }) => textOf(identity) || textOf(endpoint));
  const shared = identities.find((name, index) => identities.indexOf(name) !== index);
  if (shared !== undefined) return this._('lwm2m-server.invalid.identityTwice', { identity: shared });
  const checked = devices.map(({ timeout }) => checkNumber(this, timeout ?? '', 'lwm2m-server.invalid.timeout', 1, maxTimeout, true));
  return checked.find((valid) => valid !== true) ?? true;
}

/** Why a key cannot be right, or ''. The same is checked, and said, when the server starts. */
export function keyProblem(text: string, t: Translate): string {
  if (text === kept) return '';
  if (text === '') return t('keyMissing');
  if (text.startsWith('base64:')) return /^base64:[A-Za-z0-9+/_-]+=*$/.test(text) ? '' : t('keyBase64');
  const digits = text.replace(/[\s:]/g, '');
  if (!/^[0-9a-f]*$/i.test(digits)) return t('keyDigits');
  if (digits.length % 2 === 1) return t('keyOdd', { count: digits.length });
  return digits.length / 2 > maxKeyBytes ? t('keyLong', { count: digits.length / 2, max: maxKeyBytes }) : '';
}

/** The table: a row a device, and below it what a pre-shared key needs. */
export function prepareDevices(node: EditorNode<WithDevices>): void {
  const t: Translate = (key, data) => node._(`lwm2m-server.${key}`, data);
  const $list = $('#lwm2m-server-devices');
  const input = (name: keyof Device, width: string, value: unknown): JQuery =>
    $('<input type="text">')
      .addClass(`lwm2m-device-${name}`)
      .attr({ placeholder: t(`placeholder.${name}`), 'aria-label': t(`column.${name}`) })
      .css({ flex: width, minWidth: 0, marginRight: '6px' })
      .val(textOf(value));

  // Not named like the property: the editor would read the element's value, which it has none, over the rows.
  $list.editableList<Partial<Device>>({
    addButton: t('label.addDevice'),
    removable: true,
    header: headerRow([
      [t('column.endpoint'), '3'],
      [t('column.name'), '2'],
      [t('column.mode'), '1.6'],
      [t('column.timeout'), '1.8'],
    ]),
    addItem(container, _index, device) {
      const $row = $('<div>').css({ display: 'flex', alignItems: 'center' }).appendTo(container);
      const $mode = $('<select class="lwm2m-device-mode">')
        .attr('aria-label', t('column.mode'))
        .css({ flex: '1.6', minWidth: 0, marginRight: '6px' })
        .append($('<option value="none">').text(t('mode.none')), $('<option value="psk">').text(t('mode.psk')))
        .val(device.mode ?? 'none');
      const $endpoint = input('endpoint', '3', device.endpoint);
      $row.append($endpoint, input('name', '2', device.name), $mode, input('timeout', '1.8', device.timeout));
      const $secure = $('<div class="lwm2m-device-secure">').css({ marginTop: '4px' }).appendTo(container);
      const show = (): void => {
        const psk = $mode.val() === 'psk';
        if (psk && $secure.children().length === 0) secureRow($secure, node, device, input('identity', '3', device.identity), t);
        $secure.toggle(psk);
      };
      $endpoint.on('input', () =>
        $secure.find('.lwm2m-device-identity').attr('placeholder', textOf($endpoint.val()) || t('placeholder.identity')),
      );
      $mode.on('change', show);
      show();
      $endpoint.trigger('input');
      // A row just added: the user goes on typing.
      if (device.endpoint === undefined) $endpoint.trigger('focus');
    },
    // The key goes with the device.
    removeItem: (device) => forget($list, textOf(device.slot)),
  });
  $list.editableList('addItems', node.devices);
}

/** The rows as they are saved; keys are not among them. */
export function readDevices(): Device[] {
  const $list = $('#lwm2m-server-devices');
  const items = $list.editableList('items').toArray();
  return items.map((item) => readRow($(item), $list)).filter(({ endpoint }) => endpoint !== '');
}

function readRow($row: JQuery, $list: JQuery): Device {
  const text = (name: keyof Device): string => textOf($row.find(`.lwm2m-device-${name}`).val());
  const mode = text('mode') === 'psk' ? 'psk' : 'none';
  const slot = textOf($row.find('.lwm2m-device-key').attr('data-slot'));
  const common = { endpoint: text('endpoint'), mode, name: text('name'), timeout: text('timeout') } as const;
  if (mode === 'psk') return { ...common, identity: text('identity'), slot };
  forget($list, slot);
  return common;
}

/** Identity and key of a device, and a button that makes a key. */
function secureRow($secure: JQuery, node: EditorNode<WithDevices>, device: Partial<Device>, $identity: JQuery, t: Translate): void {
  const slot = textOf(device.slot) || freeSlot(node);
  device.slot = slot;
  $(`#${prefix}${slot}[type=hidden]`).remove();
  const has = node.credentials?.[`has_${slot}`] === true;
  const fresh = textOf(node.credentials?.[slot]);
  const $key = $('<input type="password" class="lwm2m-device-key" autocomplete="new-password" spellcheck="false">')
    .attr({ id: prefix + slot, 'data-slot': slot, placeholder: t('placeholder.key'), 'aria-label': t('column.key') })
    .css({ flex: '4', minWidth: 0, marginRight: '6px' })
    .val(fresh || (has ? kept : ''));
  const $problem = $('<div class="lwm2m-device-problem lwm2m-model-error" role="status" aria-live="polite">');
  const $note = $('<div class="lwm2m-device-note" role="status" aria-live="polite">');
  const check = (): void => {
    const problem = keyProblem(textOf($key.val()), (key, data) => t(`invalid.${key}`, data));
    $key.toggleClass('input-error', problem !== '');
    $problem.text(problem);
  };
  const $generate = $('<button type="button" class="red-ui-button lwm2m-device-generate">')
    .text(t('label.generate'))
    .on('click', () => {
      const key = generateKey();
      $key.attr('type', 'text').val(key);
      check();
      const $item = $secure.parent();
      const identity = textOf($identity.val()) || textOf($item.find('.lwm2m-device-endpoint').val());
      const port = textOf($(`#${prefix}securePort`).val()) || '5684';
      showNote(
        $note,
        [
          [t('device.uri'), `coaps://${location.hostname}:${port}`],
          [t('device.mode'), '0 (PSK)'],
          [t('device.identity'), identity],
          [t('device.key'), key],
        ],
        t('device.title'),
      );
    });
  $key.on('input', check);
  const $line = $('<div>').css({ display: 'flex', alignItems: 'center' });
  $secure.append($line.append($identity, $key, $generate), $problem, $note);
  if (!has && fresh === '') $problem.text(t('invalid.keyMissing'));
}

function showNote($note: JQuery, lines: readonly (readonly [string, string])[], title: string): void {
  $note.empty().append($('<div>').text(title));
  for (const [label, value] of lines) $note.append($('<div>').append(document.createTextNode(`${label}: `), $('<code>').text(value)));
}

/** The place of a key that no row has, nor had since the dialog was opened. */
function freeSlot(node: EditorNode<WithDevices>): string {
  const used = new Set(
    $('.lwm2m-device-key')
      .toArray()
      .map((element) => textOf($(element).attr('data-slot'))),
  );
  for (const { slot } of node.devices) used.add(textOf(slot));
  return slots.find((slot) => !used.has(slot)) ?? '';
}

/** A blank value is how the editor says that a credential is to be deleted. */
function forget($list: JQuery, slot: string): void {
  if (slot === '') return;
  $(`#${prefix}${slot}`).remove();
  $('<input type="hidden">')
    .attr('id', prefix + slot)
    .val('')
    .appendTo($list.closest('form'));
}

function generateKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(keyBytes));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function headerRow(columns: readonly [string, string][]): JQuery {
  const $header = $('<div>').css({ display: 'flex', padding: '0 38px 0 5px', whiteSpace: 'nowrap' });
  for (const [text, flex] of columns) $('<div>').css({ flex, minWidth: 0, marginRight: '6px' }).text(text).appendTo($header);
  return $header;
}
