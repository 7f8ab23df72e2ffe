/** Making key pairs for the dialog. What is made goes to who asks, once, and is kept nowhere. */
import type { NodeAPI } from 'node-red';
import { generateKeyPair } from '../../lib/index';
import type { KeyPairAnswer } from '../shared/admin-types';
import { reasonOf } from '../shared/fields';

export function registerKeyRoutes(RED: NodeAPI): void {
  RED.httpAdmin.post('/lwm2m/key-pairs', RED.auth.needsPermission('lwm2m-server.write'), (_request, response) => {
    response.set('Cache-Control', 'no-store');
    generateKeyPair().then(
      (pair) => {
        const answer: KeyPairAnswer = pair;
        response.status(201).json(answer);
      },
      (error: unknown) => {
        RED.log.error(`lwm2m-server: ${reasonOf(error)}`);
        response.sendStatus(500);
      },
    );
  });
}
