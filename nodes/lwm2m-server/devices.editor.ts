/** The part of the dialog about devices: a row each, with its key where it has one. */
import { autoComplete, textOf } from '../shared/editor/red';
import type { EditorNode, Suggestion, Translate, Validity } from '../shared/editor/red';
import { checkNumber } from '../shared/editor/validate';
import {
  askCertificate,
  askKeyPair,
  certificateProblem,
  presentIssuer,
  isPrivate,
  publicKeyProblem,
  showNote,
  textArea,
} from './keys.editor';
import { slots } from './slots';

const modes = ['none', 'psk', 'rpk', 'x509'] as const;
type Mode = (typeof modes)[number];

export interface Device {
  endpoint: string;
  mode: Mode;
  name: string;
  timeout: number | string;
  /** The name of a profile; not there where the profiles say which it is. */
  profile?: string;
  /** Of mode `psk` only, like the next. */
  identity?: string;
  /** The name of the credential that is the key. */
  slot?: string;
  /** Of mode `rpk` only. */
  publicKey?: string;
  /** Of mode `x509`, and there only where one certificate alone counts. */
  certificate?: string;
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
  const keys = devices.filter(({ mode }) => mode === 'rpk').map(({ publicKey }) => textOf(publicKey));
  if (keys.some((key, index) => key !== '' && keys.indexOf(key) !== index)) return this._('lwm2m-server.invalid.publicKeyTwice');
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
      [t('column.mode'), '2'],
      [t('column.profile'), '1.8'],
      [t('column.timeout'), '1.4'],
    ]),
    addItem(container, _index, device) {
      const $row = $('<div>').css({ display: 'flex', alignItems: 'center' }).appendTo(container);
      const $mode = $('<select class="lwm2m-device-mode">')
        .attr('aria-label', t('column.mode'))
        .css({ flex: '2', minWidth: 0, marginRight: '6px' })
        .append(
          modes.map((mode) =>
            $('<option>')
              .val(mode)
              .text(t(`mode.${mode}`)),
          ),
        )
        .val(device.mode ?? 'none');
      const $endpoint = input('endpoint', '3', device.endpoint);
      const $profile = input('profile', '1.8', device.profile);
      $row.append($endpoint, input('name', '2', device.name), $mode, $profile, input('timeout', '1.4', device.timeout));
      autoComplete($profile, (typed, done) => done(profilesOf(node.id, typed)));
      const $secure = $('<div class="lwm2m-device-secure">').css({ marginTop: '4px' }).appendTo(container);
      const $rpk = $('<div class="lwm2m-device-rpk">').css({ marginTop: '4px' }).appendTo(container);
      const $x509 = $('<div class="lwm2m-device-x509">').css({ marginTop: '4px' }).appendTo(container);
      const show = (): void => {
        const mode = $mode.val();
        if (mode === 'psk' && $secure.children().length === 0) secureRow($secure, node, device, input('identity', '3', device.identity), t);
        if (mode === 'rpk' && $rpk.children().length === 0) publicKeyRow($rpk, device, t);
        if (mode === 'x509' && $x509.children().length === 0) certificateRow($x509, device, t);
        $secure.toggle(mode === 'psk');
        $rpk.toggle(mode === 'rpk');
        $x509.toggle(mode === 'x509');
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
  const mode = modes.find((each) => each === text('mode')) ?? 'none';
  const slot = textOf($row.find('.lwm2m-device-key').attr('data-slot'));
  const profile = text('profile');
  const common = {
    endpoint: text('endpoint'),
    mode,
    name: text('name'),
    timeout: text('timeout'),
    ...(profile !== '' && { profile }),
  } as const;
  if (mode === 'psk') return { ...common, identity: text('identity'), slot };
  forget($list, slot);
  const open = (name: 'publicKey' | 'certificate'): string => (isPrivate(text(name)) ? '' : text(name));
  if (mode === 'rpk') return { ...common, publicKey: open('publicKey') };
  if (mode === 'x509') return { ...common, certificate: open('certificate') };
  return common;
}

/** The profiles of a server whose names have a text in them. */
function profilesOf(server: string, typed: string): Suggestion[] {
  const found: Suggestion[] = [];
  RED.nodes.eachConfig(({ type, name = '', server: its }) => {
    if (type !== 'lwm2m-profile' || its !== server || !name.toLowerCase().includes(typed.toLowerCase())) return;
    found.push({ value: name, label: $('<span>').text(name) });
  });
  return found;
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
  const $problem = problemLine();
  const $note = noteLine();
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
      showNote($note, t('device.title'), [
        [t('device.uri'), serverUri()],
        [t('device.mode'), '0 (PSK)'],
        [t('device.identity'), identity],
        [t('device.key'), key],
      ]);
    });
  $key.on('input', check);
  const $line = $('<div>').css({ display: 'flex', alignItems: 'center' });
  $secure.append($line.append($identity, $key, $generate), $problem, $note);
  if (!has && fresh === '') $problem.text(t('invalid.keyMissing'));
}

/** The public key of a device, and a button that makes a pair. */
function publicKeyRow($place: JQuery, device: Partial<Device>, t: Translate): void {
  const $key = textArea(2)
    .addClass('lwm2m-device-publicKey')
    .attr({ placeholder: t('placeholder.publicKey'), 'aria-label': t('column.publicKey') })
    .val(textOf(device.publicKey));
  const $problem = problemLine();
  const $note = noteLine();
  const check = (): void => checkText($key, $problem, publicKeyProblem, t);
  const $generate = $('<button type="button" class="red-ui-button lwm2m-device-generate-pair">')
    .text(t('label.generatePair'))
    .on('click', () => {
      $note.text('…');
      askKeyPair().then(
        (pair) => {
          $key.val(pair.publicKey);
          check();
          const endpoint = textOf($key.closest('li').find('.lwm2m-device-endpoint').val());
          showNote(
            $note,
            t('device.titleOnce'),
            [
              [t('device.uri'), serverUri()],
              [t('device.mode'), '1 (RPK)'],
              [t('device.publicKey'), pair.publicKeyDer],
              [t('device.privateKey'), pair.privateKeyDer],
            ],
            [[`${fileName(endpoint)}-private-key.pem`, pair.privateKey + pair.publicKey]],
          );
        },
        (error: unknown) => $note.text(t('serverKey.failed', { reason: error instanceof Error ? error.message : String(error) })),
      );
    });
  $key.on('input', check);
  const $line = $('<div>').css({ display: 'flex', alignItems: 'flex-start', gap: '6px' }).append($key, $generate);
  $place.append($line, $problem, $note);
}

/** The one certificate of a device, or none. */
function certificateRow($place: JQuery, device: Partial<Device>, t: Translate): void {
  const $certificate = textArea(2)
    .addClass('lwm2m-device-certificate')
    .attr({ placeholder: t('placeholder.certificate'), 'aria-label': t('column.certificate') })
    .val(textOf(device.certificate));
  const $problem = problemLine();
  const check = (): void => checkText($certificate, $problem, certificateProblem, t);
  const $note = noteLine();
  const $generate = $('<button type="button" class="red-ui-button lwm2m-device-generate-certificate">')
    .text(t('label.generateCertificate'))
    .on('click', () => {
      const endpoint = textOf($certificate.closest('li').find('.lwm2m-device-endpoint').val());
      $note.text('…');
      const issuer = presentIssuer();
      askCertificate(endpoint, issuer).then(
        (made) => {
          // One that a trusted CA has signed counts by that.
          $certificate.val(issuer ? '' : made.certificate);
          check();
          showNote(
            $note,
            t('device.titleOnce'),
            [
              [t('device.uri'), serverUri()],
              [t('device.mode'), '2 (X.509)'],
              [t('device.certificate'), made.certificateDer],
              ...serverCertificate().map((der) => [t('device.serverCertificate'), der] as const),
              [t('device.privateKey'), made.privateKeyDer],
            ],
            [
              [`${fileName(endpoint)}-private-key.pem`, made.privateKey],
              [`${fileName(endpoint)}-certificate.pem`, made.certificate],
              ...(issuer ? ([['ca-certificate.pem', issuer.certificate]] as const) : []),
            ],
          );
        },
        (error: unknown) => $note.text(t('serverKey.failed', { reason: error instanceof Error ? error.message : String(error) })),
      );
    });
  $certificate.on('input', check);
  const $line = $('<div>').css({ display: 'flex', alignItems: 'flex-start', gap: '6px' }).append($certificate, $generate);
  $place.append($line, $problem, $note);
}

function checkText($field: JQuery, $problem: JQuery, problemOf: (text: string, t: Translate) => string, t: Translate): void {
  const problem = problemOf(textOf($field.val()), (key, data) => t(`invalid.${key}`, data));
  $field.toggleClass('input-error', problem !== '');
  $problem.text(problem);
}

function problemLine(): JQuery {
  return $('<div class="lwm2m-device-problem lwm2m-model-error" role="status" aria-live="polite">');
}

function noteLine(): JQuery {
  return $('<div class="lwm2m-device-note" role="status" aria-live="polite">');
}

function serverUri(): string {
  return `coaps://${location.hostname}:${textOf($(`#${prefix}securePort`).val()) || '5684'}`;
}

/** DER in base64 of the one certificate in the dialog; none where it holds a chain, or the name of a file. */
function serverCertificate(): string[] {
  const found = textOf($(`#${prefix}serverCertificate`).val()).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.length === 1 ? found.map((pem) => pem.replace(/-----[A-Z ]+-----|\s/g, '')) : [];
}

function fileName(endpoint: string): string {
  return endpoint.replace(/[^A-Za-z0-9._-]+/g, '_') || 'device';
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
