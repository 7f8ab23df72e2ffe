import { keysAreRight, pathsAreRight, prepareKeys, readKeys } from '../shared/editor/key-table';
import type { KeyRow } from '../shared/editor/key-table';
import { category, nodeColor, textOf } from '../shared/editor/red';
import { suggestEndpoints, suggestPaths } from '../shared/editor/suggestions';
import { prepareTryIt } from '../shared/editor/try-it';
import { validator, wholeNumber } from '../shared/editor/validate';

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
  keys: KeyRow[];
  answers: string;
  oneByOne: boolean;
}

const version = 2;
/** Those about the whole device, and those whose value field names the paths, have no path. */
const pathless = ['DiscoverAll', 'ObserveCancelAll', 'ObserveReadAll', 'WriteComposite', 'UpdateAttributes'];
const writing = ['WriteReplace', 'WriteUpdate', 'WriteComposite', 'WriteAttributes', 'UpdateAttributes', 'Create'];
const reading = ['', 'Read', 'ReadComposite', 'Observe', 'ObserveComposite'];
const operations = [
  'Read',
  'ReadComposite',
  'Discover',
  'DiscoverAll',
  'WriteReplace',
  'WriteUpdate',
  'WriteComposite',
  'WriteAttributes',
  'UpdateAttributes',
  'Execute',
  'Create',
  'Delete',
  'Observe',
  'ObserveComposite',
  'ObserveCancel',
  'ObserveCompositeCancel',
  'ObserveCancelAll',
  'ObserveReadAll',
];

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
    path: { value: '', validate: validator(pathsAreRight) },
    value: { value: 'payload' },
    valueType: { value: 'msg' },
    args: { value: '' },
    timeout: { value: '', validate: wholeNumber('lwm2m-rpc.invalid.timeout', 1, 2 ** 31 - 1, true) },
    instanceKeys: { value: 'id' },
    strict: { value: false },
    failures: { value: 'output' },
    keys: { value: [], validate: validator(keysAreRight) },
    answers: { value: 'values' },
    oneByOne: { value: false },
  },
  paletteLabel() {
    return this._('lwm2m-rpc.paletteLabel');
  },
  label() {
    const path = pathless.includes(this.operation) ? '' : this.path;
    return this.name || [this.operation, path].filter((part) => part !== '').join(' ') || this._('lwm2m-rpc.paletteLabel');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    const $server = $('#node-input-server');
    const $endpoint = $('#node-input-endpoint');
    const $operation = $('#node-input-operation');
    const $path = $('#node-input-path');
    const $keys = $('#lwm2m-rpc-key-table');
    const $answers = $('#node-input-answers');
    suggestEndpoints($endpoint, $server);
    suggestPaths($path, $server, $endpoint);
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
    // A node from before these fields were there.
    if (!$answers.val()) $answers.val('values');
    $('#node-input-value').typedInput({
      default: 'msg',
      types: ['msg', 'flow', 'global', 'str', 'num', 'bool', 'json', 'jsonata', 'env'],
      typeField: $('#node-input-valueType'),
    });
    prepareKeys($keys, this, $server, $endpoint);
    prepareTryIt($('#lwm2m-rpc-try'), $('#lwm2m-rpc-try-send'), $('#lwm2m-rpc-try-answer'), {
      server: () => textOf($server.val()),
      endpoint: () => textOf($endpoint.val()),
      settings: () => ({
        keys: readKeys($keys),
        answers: $answers.val(),
        oneByOne: $('#node-input-oneByOne').prop('checked') as boolean,
        instanceKeys: $('#node-input-instanceKeys').val(),
        strict: $('#node-input-strict').prop('checked') as boolean,
      }),
      translate: this._,
    });
    const show = (): void => {
      const operation = String($operation.val());
      const composite = operation.includes('Composite');
      $path.closest('.form-row').toggle(!pathless.includes(operation));
      $path.attr('placeholder', this._(`lwm2m-rpc.placeholder.${composite ? 'paths' : 'path'}`));
      $('.lwm2m-rpc-value').toggle(writing.includes(operation));
      $('.lwm2m-rpc-strict').toggle(operation === '' || operation === 'Create' || /^Write(Replace|Update|Composite)$/.test(operation));
      $('.lwm2m-rpc-args').toggle(operation === 'Execute');
      $('.lwm2m-rpc-keys').toggle(reading.includes(operation));
      $('.lwm2m-rpc-composite').toggle(operation === '' || composite);
      $('.lwm2m-rpc-command').toggle(operation === '');
    };
    $operation.on('change', show);
    show();
  },
  oneditsave() {
    this.version = version;
    this.keys = readKeys($('#lwm2m-rpc-key-table'));
  },
});
