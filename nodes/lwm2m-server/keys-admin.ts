/** Making key pairs and certificates for the dialog. What is made goes to who asks, once, and is kept nowhere. */
import type { NodeAPI } from 'node-red';
import { generateAuthority, generateDeviceCertificate, generateKeyPair, IssuerError } from '../../lib/index';
import type { Issuer } from '../../lib/index';
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
        if (error instanceof RangeError || error instanceof IssuerError) {
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
    const { endpoint, issuer } = (request.body ?? {}) as { endpoint?: unknown; issuer?: unknown };
    answer(response, generateDeviceCertificate(textField(endpoint), Date.now(), issuerOf(issuer)));
  });
  RED.httpAdmin.post('/lwm2m/authorities', mayWrite, (request, response) => {
    const { name } = (request.body ?? {}) as { name?: unknown };
    answer(response, generateAuthority(textField(name)));
  });
}

/** The CA that signs; its key came from who asks, and goes nowhere. */
function issuerOf(given: unknown): Issuer | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const { certificate, privateKey } = given as Partial<Record<keyof Issuer, unknown>>;
  return { certificate: textField(certificate), privateKey: textField(privateKey) };
}
