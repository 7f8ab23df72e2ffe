import assert from 'node:assert/strict';
import { CIPHER_SUITES } from '../../../lib/dtls/constants';
import { negotiate } from '../../../lib/dtls/handshake/negotiate';
import type { OwnKey } from '../../../lib/dtls/types';
import { ownKey, testStore, type TestStore } from '../../support/dtls/certificate-store';
import { ScriptedClient, type ClientOptions } from '../../support/dtls/client';
import { DEVICE, P256, P384, RSA } from '../../support/dtls/fixed-keys';
import { createDtlsGround, IDENTITY, KEY, type DtlsGround } from '../../support/dtls/ground';
import { ScriptedServer } from '../../support/dtls/server';
import * as wire from '../../support/dtls/wire';

const SERVER_NAME = 0;
const known = new Map([[DEVICE.certificate.toString('hex'), 'device']]);

/** P-384 is for lwm2m.example, P-256 for everybody. */
function named(): TestStore {
  const [anybody, one] = [ownKey(P256), ownKey(P384)];
  return testStore({ own: [anybody], known, ownFor: (name) => (name === 'lwm2m.example' ? [one, anybody] : [anybody, one]) });
}

const entry = (name: string | Buffer, type = 0): Buffer => Buffer.concat([Buffer.from([type]), wire.lengthed(2, Buffer.from(name))]);
const list = (...entries: Buffer[]): Buffer => wire.lengthed(2, ...entries);

function greet(ground: DtlsGround, name: Buffer, options: Partial<ClientOptions> = {}): ScriptedClient {
  const own = { privateKey: DEVICE.privateKey, shown: [DEVICE.certificate] };
  const groups = [10, wire.lengthed(2, wire.num(23, 2), wire.num(24, 2))] as const;
  const client = new ScriptedClient({ ground, suite: 'ECDHE_ECDSA_CCM_8', own, schemes: [0x0403, 0x0503], ...options });
  const fields = client.fields();
  const extensions = [...(fields.extensions ?? []).filter(([type]) => type !== 10), groups, [SERVER_NAME, name] as const];
  for (let round = 0; round < 2; round += 1) client.send(client.helloRecord({ extensions }));
  return client;
}

/** Which of the two certificates it was shown. */
function shown({ serverCertificate }: ScriptedClient): string {
  const is = (certificate: Buffer): boolean => serverCertificate?.includes(certificate) ?? false;
  return is(P384.certificate) ? 'its own' : is(P256.certificate) ? 'that for everybody' : 'none';
}

describe('DTLS: names of the server', () => {
  it('[DTLS-276] the certificate is that for the name, and that a name was heard is answered', () => {
    for (const name of ['lwm2m.example', 'LWM2M.Example']) {
      const certificates = named();
      const client = greet(createDtlsGround({ certificates }), list(entry(name)));
      assert.equal(shown(client), 'its own');
      assert.deepEqual(certificates.called, ['lwm2m.example']);
      assert.deepEqual(client.hello?.extensions.get(SERVER_NAME), Buffer.alloc(0));
      client.send(client.certificate(), client.keyExchange(), client.certificateVerify(), client.ccs(), client.finished());
      assert.equal(client.serverFinished, 'right');
    }
  });

  for (const [what, called, cipherSuites, suite] of [
    ['by the order of the client', undefined, [0xc02b, 0xc02f], 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
    ['by the name, with a suite that the client likes less', 'rsa.example', [0xc02b, 0xc02f], 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
    ['by the suites where none goes with the name', 'rsa.example', [0xc02b], 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
    ['not at all where the client prefers a pre-shared key', 'rsa.example', [0xa8, 0xc02b, 0xc02f], 'TLS_PSK_WITH_AES_128_GCM_SHA256'],
    ['never for CBC', 'ec.example', [0xc023, 0xc02f], 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
  ] as const) {
    it(`[DTLS-276] of an EC key and an RSA key one is chosen ${what}`, () => {
      const names = new Map([
        ['ec.example', ownKey(P256)],
        ['rsa.example', ownKey(RSA)],
      ]);
      const own = [...names.values()];
      const certificates = {
        own: () => own,
        isFor: ({ publicKey }: OwnKey, name: string) => names.get(name)?.publicKey.equals(publicKey) === true,
        accepts: () => ['x509'] as const,
      };
      const extensions = new Map([
        [10, wire.lengthed(2, wire.num(23, 2))],
        [13, wire.lengthed(2, wire.num(0x0403, 2), wire.num(0x0401, 2))],
      ]);
      if (called !== undefined) extensions.set(SERVER_NAME, list(entry(called)));
      const empty = Buffer.alloc(0);
      const hello = { version: 0xfefd, random: Buffer.alloc(32), sessionId: empty, cookie: empty, compressionMethods: Buffer.alloc(1) };
      const choice = negotiate({ ...hello, cipherSuites, extensions }, { suites: CIPHER_SUITES, certificates });
      assert.equal(choice.suite.name, suite);
    });
  }

  it('[DTLS-276] without a certificate there is nothing to choose, and nothing is answered', () => {
    const client = new ScriptedClient({ ground: createDtlsGround(), extensions: [[SERVER_NAME, list(entry('lwm2m.example'))]] }).connect();
    assert.equal(client.hello?.extensions.has(SERVER_NAME), false);
  });

  for (const [what, name, heard] of [
    ['the name of somebody else', list(entry('other.example')), 'other.example'],
    ['an address', list(entry('192.0.2.1')), '192.0.2.1'],
    ['an A-label', list(entry('xn--bcher-kva.example')), 'xn--bcher-kva.example'],
    ['bytes that are no text', list(entry(Buffer.from('ff00fe', 'hex'))), undefined],
    ['a NUL in it', list(entry('lwm2m.example\0.other')), undefined],
    ['a space in it', list(entry('lwm2m .example')), undefined],
    ['256 bytes', list(entry('a'.repeat(256))), undefined],
    ['255 bytes', list(entry('a'.repeat(255))), 'a'.repeat(255)],
    ['another kind of name', list(entry('lwm2m.example', 7)), undefined],
    ['nothing at all', Buffer.alloc(0), undefined],
  ] as const) {
    it(`[DTLS-277] ${what} is shown the certificate for everybody, without an alert`, () => {
      const certificates = named();
      const client = greet(createDtlsGround({ certificates }), name);
      assert.deepEqual([shown(client), client.alerts, client.serverSignature], ['that for everybody', [], 'right']);
      assert.deepEqual(certificates.called, [heard]);
    });
  }

  it('[DTLS-277] a list with a name of another kind before the right one', () => {
    assert.equal(shown(greet(createDtlsGround({ certificates: named() }), list(entry('x', 9), entry('lwm2m.example')))), 'its own');
  });

  for (const [what, name] of [
    ['an empty list', list()],
    ['an empty name', list(entry(''))],
    ['two names', list(entry('a.example'), entry('b.example'))],
    ['a list that ends in the name', list(entry('lwm2m.example').subarray(0, 9))],
    ['bytes behind the list', Buffer.concat([list(entry('lwm2m.example')), Buffer.alloc(1)])],
    ['a list longer than the extension', Buffer.concat([wire.num(99, 2), entry('lwm2m.example')])],
    ['one byte', Buffer.alloc(1)],
  ] as const) {
    it(`[DTLS-277] ${what} is decode_error, whatever the suite`, () => {
      for (const suite of ['ECDHE_ECDSA_CCM_8', 'PSK_CCM_8']) {
        const ground = createDtlsGround({ certificates: named() });
        assert.deepEqual(greet(ground, name, { suite }).alerts, [{ level: 2, description: 50, protected: false }], suite);
        assert.deepEqual(ground.core.sizes(), { sessions: 0, handshakes: 0, reassemblyBytes: 0 });
      }
    });
  }

  it('[DTLS-278] our client names the server where it has a name for it, and takes the answer', () => {
    const server = new ScriptedServer();
    const { core, now } = server.ground;
    core.connect(server.route, { identity: IDENTITY, key: KEY, serverName: 'lwm2m.example' }, now);
    server.listen();
    const extension = Buffer.concat([wire.num(SERVER_NAME, 2), wire.lengthed(2, list(entry('lwm2m.example')))]);
    assert.ok(server.transcript.includes(extension));
    server.say(server.hello({ extensions: [[SERVER_NAME, Buffer.alloc(0)]] }), server.done());
    server.say(server.ccs(), server.finished());
    assert.deepEqual([server.alerts, server.ground.core.sizes().sessions], [[], 1]);
    const nameless = new ScriptedServer().invite();
    nameless.say(nameless.hello({ extensions: [[SERVER_NAME, Buffer.alloc(0)]] }));
    assert.deepEqual(nameless.alerts, [110], 'an answer to what was not said');
  });
});
