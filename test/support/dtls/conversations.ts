/**
 * Conversations with certificates, raw public keys and CBC, recorded once, as seeds for fuzzing. `npx tsx test/support/dtls/conversations.ts` records
 * them anew: other random numbers, the same messages.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ownKey, testStore } from './certificate-store';
import { ScriptedClient, type ClientOptions } from './client';
import { DEVICE, P256, P384, RSA, type FixedKey } from './fixed-keys';
import { createDtlsGround } from './ground';
import * as wire from './wire';

const FILE = path.join(__dirname, '../../vectors/dtls/conversations.txt');

/** A client that shows a raw public key or a certificate. */
export function showing(key: FixedKey, type: 'rpk' | 'x509'): Partial<ClientOptions> {
  const shown = type === 'rpk' ? key.publicKey : [key.certificate];
  const number = type === 'rpk' ? 2 : 0;
  return { own: { privateKey: key.privateKey, shown }, clientTypes: [number], serverTypes: [number] };
}

/** What clients sent, one datagram or record each, hello to goodbye. */
function record(): Buffer[] {
  const known = new Map(
    [DEVICE, P384, RSA].flatMap((key) => [key.publicKey, key.certificate].map((bytes) => [bytes.toString('hex'), 'device'])),
  );
  const store = testStore({ own: [ownKey(P256), ownKey(RSA)], known });
  const wishes: Partial<ClientOptions>[] = [
    ...Object.keys(wire.CERTIFICATE_SUITES).flatMap((suite) => [
      { suite, ...showing(DEVICE, 'rpk'), cid: Buffer.alloc(0), extensions: [[1, Buffer.from([1])]] as const },
      { suite, ...showing(RSA, 'x509') },
    ]),
    { suite: 'ECDHE_ECDSA_CCM_8', ...showing(P384, 'x509'), cid: Buffer.alloc(4), extensions: [[28, wire.num(300, 2)]] },
    ...Object.keys(wire.CBC_SUITES).flatMap((suite) => [
      { suite, etm: true, cid: Buffer.alloc(2), ...showing(DEVICE, 'rpk') },
      { suite, etm: false, ems: false, ...showing(DEVICE, 'x509') },
    ]),
  ];
  return wishes.flatMap((wish, index) => {
    const ground = createDtlsGround({ certificates: store, limits: { mtu: 400 } });
    const client = new ScriptedClient({ ground, seed: index, ...wish });
    const said: Buffer[] = [];
    const say = (...records: Buffer[]): void => {
      said.push(...records);
      if (records.length > 1) said.push(Buffer.concat(records));
      client.send(...records);
    };
    say(client.helloRecord());
    say(client.helloRecord());
    const proof = client.suite.cert ? [client.certificate(), client.keyExchange(), client.certificateVerify()] : [client.keyExchange()];
    say(...proof, client.ccs(), client.finished());
    if (client.serverFinished !== 'right') throw new Error(`conversation ${index} came to nothing`);
    say(client.secure(wire.DATA, Buffer.from('data of a device')));
    say(client.secure(wire.ALERT, Buffer.from([1, 0])));
    return said;
  });
}

export function readConversations(): Buffer[] {
  return readFileSync(FILE, 'latin1')
    .split('\n')
    .flatMap((line) => (line === '' || line.startsWith('#') ? [] : [Buffer.from(line, 'hex')]));
}

if (require.main === module) {
  const head = '# What clients sent in handshakes with certificates, raw public keys and CBC; see test/support/dtls/conversations.ts.\n';
  writeFileSync(
    FILE,
    `${head}${record()
      .map((data) => `${data.toString('hex')}\n`)
      .join('')}`,
  );
}
