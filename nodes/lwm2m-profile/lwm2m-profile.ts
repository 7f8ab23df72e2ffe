import type { Node, NodeAPI, NodeDef } from 'node-red';
import type { ProfileSettings } from '../../lib/index';
import { textField } from '../shared/fields';
import type { ServerNode } from '../shared/types';
import { registerAdminRoutes } from './admin';
import { migrate } from './migrations';

function init(RED: NodeAPI): void {
  registerAdminRoutes(RED);

  function Lwm2mProfileNode(this: Node & { users?: Record<string, Node> }, def: NodeDef): void {
    RED.nodes.createNode(this, def);
    const { server: id, name, endpoints, isDefault, definition } = migrate(def);
    const server = RED.nodes.getNode(id) as ServerNode | null;
    if (server?.type !== 'lwm2m-server') {
      this.error(RED._('lwm2m-profile.errors.noServer', { name: textField(name) || this.id }));
      return;
    }
    // What Node-RED hands on of this node, its status and errors, goes where that of its server goes.
    this.users = server.users;
    const settings: ProfileSettings = { id: this.id, name: textField(name) || this.id, endpoints, isDefault, definition };
    server.setProfile(this, settings, (problem) => {
      if (problem === undefined) {
        this.status({});
        return;
      }
      this.error(problem);
      this.status({ fill: 'red', shape: 'ring', text: 'lwm2m-profile.status.problem' });
    });
    this.on('close', () => server.removeProfile(this));
  }

  RED.nodes.registerType('lwm2m-profile', Lwm2mProfileNode);
}

export = init;
