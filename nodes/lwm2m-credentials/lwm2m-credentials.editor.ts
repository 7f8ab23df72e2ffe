import { category, nodeColor } from '../shared/editor/red';

interface Credentials {
  version: number;
  name: string;
  server: string;
}

const version = 1;

RED.nodes.registerType<Credentials>('lwm2m-credentials', {
  category,
  color: nodeColor,
  icon: 'lwm2m-credentials.svg',
  inputs: 1,
  outputs: 1,
  defaults: {
    version: { value: version },
    name: { value: '' },
    server: { value: '', type: 'lwm2m-server', required: true },
  },
  paletteLabel() {
    return this._('lwm2m-credentials.paletteLabel');
  },
  label() {
    return this.name || this._('lwm2m-credentials.paletteLabel');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditsave() {
    this.version = version;
  },
});
