import { category, nodeColor } from '../shared/editor/red';
import { suggestEndpoints, suggestPaths } from '../shared/editor/suggestions';
import { pathText, wholeNumber } from '../shared/editor/validate';

interface Rpc {
  version: number;
  name: string;
  server: string;
  endpoint: string;
  operation: string;
  path: string;
  value: string;
  valueType: string;
  args: string;
  timeout: number | string;
  instanceKeys: string;
  strict: boolean;
  failures: string;
}

const version = 1;
const operations = ['Read', 'Discover', 'WriteReplace', 'WriteUpdate', 'Execute', 'Observe', 'ObserveCancel'];

RED.nodes.registerType<Rpc>('lwm2m-rpc', {
  category,
  color: nodeColor,
  icon: 'lwm2m-rpc.svg',
  inputs: 1,
  outputs: 1,
  defaults: {
    version: { value: version },
    name: { value: '' },
    server: { value: '', type: 'lwm2m-server', required: true },
    endpoint: { value: '' },
    operation: { value: '' },
    path: { value: '', validate: pathText('lwm2m-rpc.invalid.path', true) },
    value: { value: 'payload' },
    valueType: { value: 'msg' },
    args: { value: '' },
    timeout: { value: '', validate: wholeNumber('lwm2m-rpc.invalid.timeout', 1, 2 ** 31 - 1, true) },
    instanceKeys: { value: 'id' },
    strict: { value: false },
    failures: { value: 'output' },
  },
  paletteLabel() {
    return this._('lwm2m-rpc.paletteLabel');
  },
  label() {
    return this.name || [this.operation, this.path].filter((part) => part !== '').join(' ') || this._('lwm2m-rpc.paletteLabel');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    const $server = $('#node-input-server');
    const $operation = $('#node-input-operation');
    suggestEndpoints($('#node-input-endpoint'), $server);
    suggestPaths($('#node-input-path'), $server, $('#node-input-endpoint'));
    $operation.append($('<option value="">').text(this._('lwm2m-rpc.operation.message')));
    for (const name of operations) {
      $operation.append(
        $('<option>')
          .attr('value', name)
          .text(this._('lwm2m-rpc.operation.line', { name, text: this._(`lwm2m-rpc.operation.${name}`) })),
      );
    }
    // A flow may come from a newer version of the package: its operation must not be lost when the dialog closes.
    if (this.operation !== '' && !operations.includes(this.operation)) {
      $operation.append($('<option>').attr('value', this.operation).text(this.operation));
    }
    $operation.val(this.operation);
    $('#node-input-value').typedInput({
      default: 'msg',
      types: ['msg', 'flow', 'global', 'str', 'num', 'bool', 'json', 'jsonata', 'env'],
      typeField: $('#node-input-valueType'),
    });
    const show = (): void => {
      const operation = String($operation.val());
      $('.lwm2m-rpc-value').toggle(operation.startsWith('Write'));
      $('.lwm2m-rpc-strict').toggle(operation === '' || operation.startsWith('Write'));
      $('.lwm2m-rpc-args').toggle(operation === 'Execute');
      $('.lwm2m-rpc-keys').toggle(operation === '' || operation === 'Read' || operation === 'Observe');
      $('.lwm2m-rpc-command').toggle(operation === '');
    };
    $operation.on('change', show);
    show();
  },
  oneditsave() {
    this.version = version;
  },
});
