/** Making key pairs and certificates for the dialog. What is made goes to who asks, once, and is kept nowhere. */
import type { NodeAPI } from 'node-red';
import { generateDeviceCertificate, generateKeyPair } from '../../lib/index';
import type { CertifiedPairAnswer, KeyPairAnswer } from '../shared/admin-types';
import { reasonOf, textField } from '../shared/fields';

export function registerKeyRoutes(RED: NodeAPI): void {
  const mayWrite = RED.auth.needsPermission('lwm2m-server.write');
  type Response = Parameters<Parameters<typeof RED.httpAdmin.get>[1]>[1];
  const answer = (response: Response, made: Promise<KeyPairAnswer | CertifiedPairAnswer>): void => {
    response.set('Cache-Control', 'no-store');
    made.then(
      (pair) => response.status(201).json(pair),
      (error: unknown) => {
        if (error instanceof RangeError) {
          response.status(400).json({ error: error.message });
          return;
        }
        RED.log.error(`lwm2m-server: ${reasonOf(error)}`);
        response.sendStatus(500);
      },
    );
  };
  RED.httpAdmin.post('/lwm2m/key-pairs', mayWrite, (_request, response) => answer(response, generateKeyPair()));
  RED.httpAdmin.post('/lwm2m/device-certificates', mayWrite, (request, response) => {
    const { endpoint } = (request.body ?? {}) as { endpoint?: unknown };
    answer(response, generateDeviceCertificate(textField(endpoint)));
  });
}
