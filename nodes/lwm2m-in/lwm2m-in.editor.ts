import { category, nodeColor, textOf } from '../shared/editor/red';
import type { EditorNode, Validity } from '../shared/editor/red';
import { suggestEndpoints, suggestPaths } from '../shared/editor/suggestions';
import { validator } from '../shared/editor/validate';
import { eventKinds } from './events';

interface In {
  version: number;
  name: string;
  server: string;
  endpoint: string;
  events: string[];
  path: string;
  instanceKeys: string;
  messagePer: string;
  startValues: boolean;
}

const version = 2;

RED.nodes.registerType<In>('lwm2m-in', {
  category,
  color: nodeColor,
  icon: 'lwm2m-in.svg',
  inputs: 0,
  outputs: 1,
  defaults: {
    version: { value: version },
    name: { value: '' },
    server: { value: '', type: 'lwm2m-server', required: true },
    endpoint: { value: '' },
    events: { value: [...eventKinds], validate: validator(atLeastOne) },
    path: { value: '', validate: validator(valuesAreRight) },
    instanceKeys: { value: 'id' },
    messagePer: { value: 'event' },
    startValues: { value: false },
  },
  paletteLabel() {
    return this._('lwm2m-in.paletteLabel');
  },
  label() {
    return this.name || this.endpoint || this._('lwm2m-in.paletteLabel');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    const $server = $('#node-input-server');
    suggestEndpoints($('#node-input-endpoint'), $server);
    suggestPaths($('#node-input-path'), $server, $('#node-input-endpoint'));
    for (const kind of eventKinds) {
      const $box = $('<input type="checkbox">').attr('value', kind).prop('checked', this.events.includes(kind));
      const $label = $('<label>').append($box, $('<span>').text(this._(`lwm2m-in.event.${kind}`)));
      $label.appendTo('#lwm2m-in-events');
    }
    // A node from before this field was there.
    if (!$('#node-input-messagePer').val()) $('#node-input-messagePer').val('event');
    $('#lwm2m-in-all').on('click', () => $boxes().prop('checked', true));
    $('#lwm2m-in-none').on('click', () => $boxes().prop('checked', false));
  },
  oneditsave() {
    this.version = version;
    this.events = $boxes()
      .filter(':checked')
      .toArray()
      .map((box) => String($(box).val()));
  },
});

function $boxes(): JQuery {
  return $('#lwm2m-in-events input');
}

function atLeastOne(this: EditorNode<In>, events: string[]): Validity {
  return (Array.isArray(events) && events.length > 0) || this._('lwm2m-in.invalid.events');
}

/** Keys may be any text; what begins with a slash must be a path. */
function valuesAreRight(this: EditorNode<In>, value: unknown): Validity {
  const parts = textOf(value).split(',').map(textOf);
  const wrong = parts.find((part) => part.startsWith('/') && part !== '/' && !/^(\/\d{1,5}){1,4}\/?$/.test(part));
  return wrong === undefined || this._('lwm2m-in.invalid.path');
}
