import { textOf } from '../shared/editor/red';
import type { EditorNode, Translate, Validity } from '../shared/editor/red';
import { validator } from '../shared/editor/validate';
import { $resources, prepareLists, readRows, showRows } from './lists.editor';
import { definitionOf, definitionProblem, rowsOf } from './rows.editor';
import type { Definition } from './rows.editor';
import { prepareTools } from './tools.editor';

interface Profile {
  version: number;
  name: string;
  server: string;
  endpoints: string;
  isDefault: boolean;
  definition: Definition;
  /** The device profile of an IoT Hub it came from. */
  kept: object | null;
}

const version = 1;

RED.nodes.registerType<Profile>('lwm2m-profile', {
  category: 'config',
  hasUsers: false,
  defaults: {
    version: { value: version },
    name: { value: '', required: true },
    server: { value: '', type: 'lwm2m-server', required: true },
    endpoints: { value: '' },
    isDefault: { value: false },
    definition: {
      value: { resources: [], strategy: 'single', initialRead: 'single', transportLog: true },
      validate: validator(definitionIsRight),
    },
    kept: { value: null },
  },
  label() {
    return this.name || this._('lwm2m-profile.label.unnamed');
  },
  oneditprepare() {
    const t = translator(this);
    // The dialog of a server asked for it.
    const asking: unknown = $(document).data('lwm2m-profile-server');
    $(document).removeData('lwm2m-profile-server');
    if (!this.server && asking !== undefined) $('#node-config-input-server').val(textOf(asking)).trigger('change');
    const show = (definition: Definition): void => {
      $('#lwm2m-profile-strategy').val(definition.strategy ?? 'single');
      $('#lwm2m-profile-initialRead').val(definition.initialRead ?? 'single');
      $('#lwm2m-profile-muteSend').val(definition.muteSend === undefined ? '' : definition.muteSend ? 'mute' : 'unmute');
      $('#lwm2m-profile-transportLog').prop('checked', definition.transportLog === true);
      const { resources, others } = rowsOf(definition);
      showRows(resources, others);
    };
    prepareLists(t);
    show(this.definition);
    prepareTools({
      t,
      show,
      read,
      add: (rows) => {
        $resources().editableList('addItems', [...rows]);
      },
      kept,
      keep,
    });
    keep(this.kept);
  },
  oneditsave() {
    this.version = version;
    this.definition = read();
    this.kept = kept();
  },
});

/** Until Done it is with the dialog, which Cancel forgets. */
function keep(imported: object | null): void {
  $resources().data('kept', imported ?? false);
}

function kept(): object | null {
  const imported: unknown = $resources().data('kept');
  return typeof imported === 'object' ? imported : null;
}

function translator(node: EditorNode<Profile>): Translate {
  return (key, data) => node._(`lwm2m-profile.${key}`, data);
}

/** The profile as it stands in the dialog. */
function read(): Definition {
  const { resources, others } = readRows();
  const muteSend = textOf($('#lwm2m-profile-muteSend').val());
  return {
    ...definitionOf(resources, others),
    strategy: textOf($('#lwm2m-profile-strategy').val()),
    initialRead: textOf($('#lwm2m-profile-initialRead').val()),
    ...(muteSend !== '' && { muteSend: muteSend === 'mute' }),
    transportLog: $('#lwm2m-profile-transportLog').prop('checked') === true,
  };
}

function definitionIsRight(this: EditorNode<Profile>, value: unknown): Validity {
  return definitionProblem(value, translator(this)) || true;
}
