/** The part of the dialog about profiles: those of this server, and the way to a new one. Each is a node of its own. */
import type { EditorNode, Translate } from '../shared/editor/red';

const type = 'lwm2m-profile';
const events = ['nodes:add', 'nodes:change', 'nodes:remove'] as const;

/** Ends what the dialog opened before this one listened to. */
let stop = (): void => undefined;

/** Lists the profiles, and goes on while a dialog above this one makes another. */
export function prepareProfiles(node: EditorNode<object>): void {
  const t: Translate = (key, data) => node._(`lwm2m-server.profiles.${key}`, data);
  const $list = $('#lwm2m-server-profiles');
  const $add = $('#lwm2m-server-profiles-add');
  // One that is only just being added could not be found by its profiles.
  const known = Boolean(RED.nodes.node(node.id));
  $add.prop('disabled', !known).on('click', () => {
    // The dialog of the new profile takes it from there.
    $(document).data('lwm2m-profile-server', node.id);
    RED.editor.editConfig('', type, '_ADD_');
  });
  const show = (): void => {
    $list.empty();
    RED.nodes.eachConfig((config) => {
      if (config.type !== type || config['server'] !== node.id) return;
      const name = config.name || config.id;
      $('<button type="button" class="red-ui-button lwm2m-server-profile">')
        .attr('aria-label', t('edit', { name }))
        .text(name)
        .on('click', () => RED.editor.editConfig('', type, config.id))
        .appendTo($list);
    });
    if ($list.children().length === 0)
      $('<span class="lwm2m-models-hint">')
        .text(t(known ? 'none' : 'later'))
        .appendTo($list);
  };
  stop();
  for (const event of events) RED.events.on(event, show);
  stop = () => {
    for (const event of events) RED.events.off(event, show);
  };
  show();
}
