import { addresses, collide } from '../shared/addresses';
import { textOf } from '../shared/editor/red';
import type { EditorNode, Validity } from '../shared/editor/red';
import { prepareModels } from './models.editor';
import { checkNumber, validator, wholeNumber } from '../shared/editor/validate';

interface Device {
  endpoint: string;
  mode: 'none';
  name: string;
  timeout: number | string;
}

interface Server {
  version: number;
  name: string;
  port: number | string;
  host: string;
  unknownDevices: string;
  devices: Device[];
  devicesFile: string;
  receiveBuffer: number | string;
  timeout: number | string;
  statsInterval: number | string;
  awakeWindow: number | string;
  awakeParameter: string;
  queueTtl: number | string;
  queueLimit: number | string;
  replaceWrites: boolean;
}

const version = 3;
const defaultPort = 5683;
/** Pixels: three rows of the device table; its label and button. */
const minListHeight = 160;
const aroundList = 85;
const maxTimeout = 2 ** 31 - 1;
/** A day, in seconds. */
const maxStatsInterval = 86_400;
const maxAwakeWindow = 86_400_000;
/** Thirty days, in milliseconds. */
const maxQueueTtl = 2_592_000_000;
const maxQueueLimit = 10_000;

RED.nodes.registerType<Server>('lwm2m-server', {
  category: 'config',
  defaults: {
    version: { value: version },
    name: { value: '' },
    port: { value: defaultPort, required: true, validate: validator(portIsFree) },
    host: { value: '' },
    unknownDevices: { value: 'refuse' },
    devices: { value: [], validate: validator(devicesAreRight) },
    devicesFile: { value: '' },
    receiveBuffer: { value: '', validate: wholeNumber('lwm2m-server.invalid.receiveBuffer', 1, 2 ** 30, true) },
    timeout: { value: '', validate: wholeNumber('lwm2m-server.invalid.timeout', 1, maxTimeout, true) },
    statsInterval: { value: '', validate: wholeNumber('lwm2m-server.invalid.statsInterval', 0, maxStatsInterval, true) },
    awakeWindow: { value: '', validate: wholeNumber('lwm2m-server.invalid.timeout', 1, maxAwakeWindow, true) },
    awakeParameter: { value: '' },
    queueTtl: { value: '', validate: wholeNumber('lwm2m-server.invalid.timeout', 0, maxQueueTtl, true) },
    queueLimit: { value: '', validate: wholeNumber('lwm2m-server.invalid.queueLimit', 0, maxQueueLimit, true) },
    replaceWrites: { value: false },
  },
  label() {
    return this.name || `LwM2M :${this.port}`;
  },
  oneditprepare() {
    prepareModels(this.id, this._);
    prepareDevices(this);
  },
  oneditsave() {
    this.version = version;
    this.devices = rows()
      .map(readRow)
      .filter((device) => device.endpoint !== '');
  },
  oneditresize({ height }) {
    const $form = $('#lwm2m-server-devices').closest('form');
    const others = $form.children('.form-row:not(.lwm2m-devices)').toArray();
    const used = others.reduce((sum, row) => sum + ($(row).outerHeight(true) ?? 0), 0);
    $('#lwm2m-server-devices').editableList('height', Math.max(minListHeight, height - used - aroundList));
  },
});

function portIsFree(this: EditorNode<Server>, value: number | string): Validity {
  const valid = checkNumber(this, value, 'lwm2m-server.invalid.port', 0, 65535, false);
  if (valid !== true) return valid;
  const port = Number(value);
  let rival: string | undefined;
  RED.nodes.eachConfig((other) => {
    if (other.type !== 'lwm2m-server' || other.id === this.id || port === 0 || Number(other['port']) !== port) return;
    if (collide(addresses(this.host), addresses(other['host']))) rival = other.name || other.id;
  });
  return rival === undefined || this._('lwm2m-server.invalid.portTaken', { port, name: rival });
}

function devicesAreRight(this: EditorNode<Server>, value: unknown): Validity {
  const devices = Array.isArray(value) ? (value as Device[]) : [];
  const names = devices.map(({ endpoint }) => endpoint);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return this._('lwm2m-server.invalid.deviceTwice', { endpoint: twice });
  const checked = devices.map(({ timeout }) => checkNumber(this, timeout, 'lwm2m-server.invalid.timeout', 1, maxTimeout, true));
  return checked.find((valid) => valid !== true) ?? true;
}

/** The table: one row a device. */
function prepareDevices(node: EditorNode<Server>): void {
  const t = (key: string): string => node._(`lwm2m-server.${key}`);
  const input = (name: keyof Device, width: string, value: unknown): JQuery =>
    $('<input type="text">')
      .addClass(`lwm2m-device-${name}`)
      .attr({ placeholder: t(`placeholder.${name}`), 'aria-label': t(`column.${name}`) })
      .css({ flex: width, minWidth: 0, marginRight: '6px' })
      .val(textOf(value));

  // Not named like the property: the editor would read the element's value, which it has none, over the rows.
  $('#lwm2m-server-devices').editableList<Partial<Device>>({
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
        .append($('<option value="none">').text(t('mode.none')))
        .val(device.mode ?? 'none');
      $row.append(input('endpoint', '3', device.endpoint), input('name', '2', device.name), $mode, input('timeout', '1.8', device.timeout));
      // A row just added: the user goes on typing.
      if (device.endpoint === undefined) $row.find('input').first().trigger('focus');
    },
  });
  $('#lwm2m-server-devices').editableList('addItems', node.devices);
}

function headerRow(columns: readonly [string, string][]): JQuery {
  const $header = $('<div>').css({ display: 'flex', padding: '0 38px 0 5px', whiteSpace: 'nowrap' });
  for (const [text, flex] of columns) $('<div>').css({ flex, minWidth: 0, marginRight: '6px' }).text(text).appendTo($header);
  return $header;
}

function rows(): JQuery[] {
  return $('#lwm2m-server-devices')
    .editableList('items')
    .toArray()
    .map((item) => $(item));
}

function readRow($row: JQuery): Device {
  const text = (name: keyof Device): string => textOf($row.find(`.lwm2m-device-${name}`).val());
  return { endpoint: text('endpoint'), mode: 'none', name: text('name'), timeout: text('timeout') };
}
