import { category, nodeColor } from '../shared/editor/red';
import { wholeNumber } from '../shared/editor/validate';

interface Device {
  version: number;
  name: string;
  endpoint: string;
  host: string;
  port: number | string;
  lifetime: number | string;
  lwm2mVersion: string;
  security: string;
  identity: string;
  sleepAfter: number | string;
}

const version = 3;

RED.nodes.registerType<Device>('lwm2m-device', {
  category,
  color: nodeColor,
  icon: 'lwm2m-device.svg',
  inputs: 1,
  outputs: 1,
  defaults: {
    version: { value: version },
    name: { value: '' },
    endpoint: { value: 'simulated-device', required: true },
    host: { value: '127.0.0.1', required: true },
    port: { value: 5683, required: true, validate: wholeNumber('lwm2m-device.invalid.port', 1, 65535, false) },
    lifetime: { value: 300, required: true, validate: wholeNumber('lwm2m-device.invalid.lifetime', 1, 2 ** 31 - 1, false) },
    lwm2mVersion: { value: '1.1' },
    security: { value: 'none' },
    identity: { value: '' },
    sleepAfter: { value: '', validate: wholeNumber('lwm2m-device.invalid.sleepAfter', 0, 86_400, true) },
  },
  credentials: { psk: { type: 'password' } },
  paletteLabel() {
    return this._('lwm2m-device.paletteLabel');
  },
  label() {
    return this.name || this.endpoint || this._('lwm2m-device.paletteLabel');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    const $security = $('#node-input-security');
    const show = (): void => void $('.lwm2m-device-psk').toggle($security.val() === 'psk');
    $security.on('change', show);
    show();
  },
  oneditsave() {
    this.version = version;
  },
});
