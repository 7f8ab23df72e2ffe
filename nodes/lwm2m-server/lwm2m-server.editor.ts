import { addresses, collide } from '../shared/addresses';
import { textOf } from '../shared/editor/red';
import type { EditorNode, Validity } from '../shared/editor/red';
import { devicesAreRight, prepareDevices, readDevices } from './devices.editor';
import type { Device } from './devices.editor';
import { prepareModels } from './models.editor';
import { prepareProfiles } from './profiles.editor';
import { closeAuthority, prepareAuthority, prepareServerKeys, readPublic } from './server-keys.editor';
import { credentialDefinition } from './slots';
import { checkNumber, validator, wholeNumber } from '../shared/editor/validate';

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
  securePort: number | string;
  keyLogFile: string;
  tls: string;
  serverCertificate: string;
  trustAnchors: string;
  certificateNames: string;
  /** Not in a flow from before these fields were there. */
  observeAgain?: boolean;
  transportLog?: boolean;
}

const version = 7;
const defaultPort = 5683;
const defaultSecurePort = 5684;
/** Pixels: a few rows of the device table; its label and button. */
const minListHeight = 320;
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
    securePort: { value: defaultSecurePort, validate: validator(securePortIsFree) },
    keyLogFile: { value: '' },
    tls: { value: '', type: 'tls-config', required: false },
    serverCertificate: { value: '' },
    trustAnchors: { value: '' },
    certificateNames: { value: '', validate: validator(namesAreRight) },
    observeAgain: { value: true },
    transportLog: { value: true },
  },
  credentials: credentialDefinition,
  label() {
    return this.name || `LwM2M :${this.port}`;
  },
  oneditprepare() {
    prepareModels(this.id, this._);
    prepareProfiles(this);
    prepareDevices(this);
    prepareServerKeys(this);
    prepareAuthority(this);
    // The editor takes a missing value for an unticked box, and Done would switch it off.
    for (const name of ['observeAgain', 'transportLog'] as const) {
      if (this[name] === undefined) $(`#node-config-input-${name}`).prop('checked', true);
    }
  },
  oneditsave() {
    this.version = version;
    this.devices = readDevices();
    this.serverCertificate = readPublic('serverCertificate');
    this.trustAnchors = readPublic('trustAnchors');
    closeAuthority();
  },
  oneditcancel: closeAuthority,
  oneditdelete: closeAuthority,
  oneditresize({ height }) {
    const $form = $('#lwm2m-server-devices').closest('form');
    const others = $form.children('.form-row:not(.lwm2m-devices)').toArray();
    const used = others.reduce((sum, row) => sum + ($(row).outerHeight(true) ?? 0), 0);
    $('#lwm2m-server-devices').editableList('height', Math.max(minListHeight, height - used - aroundList));
  },
});

function portIsFree(this: EditorNode<Server>, value: number | string): Validity {
  const valid = checkNumber(this, value, 'lwm2m-server.invalid.port', 0, 65535, false);
  return valid === true ? isFree(this, Number(value)) : valid;
}

/** The server says the same when it starts. */
function namesAreRight(this: EditorNode<Server>, value: string): Validity {
  const rules = textOf(value).split(',').map(textOf);
  return rules.every((rule) => rule === '' || /^(cn|uri|dns):[^*]*\*[^*]*$/i.test(rule)) || this._('lwm2m-server.invalid.certificateNames');
}

/** Blank: no DTLS. */
function securePortIsFree(this: EditorNode<Server>, value: number | string): Validity {
  const valid = checkNumber(this, value, 'lwm2m-server.invalid.port', 0, 65535, true);
  if (valid !== true || textOf(value) === '') return valid;
  if (Number(value) === Number(this.port) && Number(value) !== 0) return this._('lwm2m-server.invalid.portsEqual');
  return isFree(this, Number(value));
}

function isFree(server: EditorNode<Server>, port: number): Validity {
  let rival: string | undefined;
  RED.nodes.eachConfig((other) => {
    if (other.type !== 'lwm2m-server' || other.id === server.id || port === 0) return;
    const ports = [other['port'], other['securePort']].filter((each) => textOf(each) !== '').map(Number);
    if (ports.includes(port) && collide(addresses(server.host), addresses(other['host']))) rival = other.name || other.id;
  });
  return rival === undefined || server._('lwm2m-server.invalid.portTaken', { port, name: rival });
}
