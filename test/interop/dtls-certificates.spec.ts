import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createPublicKey } from 'node:crypto';
import { parsePath } from '../../lib/lwm2m/path';
import type { Path } from '../../lib/lwm2m/types';
import type { Operation } from '../../lib/server/types';
import { ownKey, testStore } from '../support/dtls/certificate-store';
import { DEVICE, P256, P384, RSA, type FixedKey } from '../support/dtls/fixed-keys';
import { missing, talk } from './dtls-tools';
import type { LeshanOptions, Peer } from './peers';
import { reasonMissing, startLeshan } from './peers';
import { IDENTITY, KEY, openNat, openSecureGround, type Nat, type SecureGround } from './secure-ground';
import { skipWithout } from './suite';

const names = new Map(
  [DEVICE, P256, P384, RSA].flatMap(({ publicKey, certificate }, index) => [
    [publicKey.toString('hex'), `key ${index}`] as const,
    [certificate.toString('hex'), `certificate ${index}`] as const,
  ]),
);
const certificates = testStore({ own: [ownKey(P256), ownKey(P384), ownKey(RSA)], known: names });
const level: Path = parsePath('/3/0/9');

const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END ${label}-----\n`;

interface Files {
  readonly folder: string;
  readonly key: string;
  readonly certificate: string;
  readonly publicKey: string;
  /** Private and public key in one file. */
  readonly pair: string;
}

async function filesOf({ privateKey, certificate }: FixedKey): Promise<Files> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lwm2m-certificates-'));
  const file = (name: string): string => path.join(folder, name);
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
  await writeFile(file('key.pem'), key);
  await writeFile(file('certificate.pem'), pem('CERTIFICATE', certificate));
  await writeFile(file('public.pem'), publicKey);
  const old = privateKey.asymmetricKeyType === 'ec' ? privateKey.export({ type: 'sec1', format: 'pem' }).toString() : key;
  await writeFile(file('pair.pem'), old + publicKey);
  return { folder, key: file('key.pem'), certificate: file('certificate.pem'), publicKey: file('public.pem'), pair: file('pair.pem') };
}

describe('Foreign DTLS clients with raw public keys and certificates at our server', () => {
  let ground: SecureGround;
  const files = new Map<FixedKey, Files>();
  const of = (key: FixedKey): Files => files.get(key)!;

  before(async () => {
    for (const key of [DEVICE, P384, RSA]) files.set(key, await filesOf(key));
  });
  after(async () => {
    for (const { folder } of files.values()) await rm(folder, { recursive: true });
  });
  afterEach(async () => {
    await ground.close();
    assert.deepEqual([ground.errors, ground.secure.counters.internalErrors], [[], 0]);
  });

  async function established(): Promise<{ suite: string; name: string; mode: string }> {
    const report = await ground.reports.waitFor(({ kind }) => kind === 'established', 'established');
    assert.ok(report.kind === 'established');
    return { suite: report.suite, name: report.peer.identity.name, mode: report.peer.identity.mode };
  }

  describe('openssl s_client', () => {
    before(function () {
      skipWithout(this, 'openssl', missing('openssl'));
    });
    beforeEach(async () => (ground = await openSecureGround({ echo: true, certificates })));

    const client = (cipher: string, key: FixedKey | undefined, ...more: string[]): string[] => [
      ...['s_client', '-dtls1_2', '-connect', `127.0.0.1:${ground.port}`, '-cipher', `${cipher}:@SECLEVEL=0`],
      ...(key ? ['-cert', of(key).certificate, '-key', of(key).key] : []),
      ...more,
    ];

    for (const [cipher, suite] of [
      ['ECDHE-ECDSA-AES128-CCM8', 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8'],
      ['ECDHE-ECDSA-AES128-CCM', 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM'],
      ['ECDHE-ECDSA-AES128-GCM-SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
      ['ECDHE-RSA-AES128-GCM-SHA256', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
      ['ECDHE-ECDSA-AES128-SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256'],
    ] as const) {
      for (const [kind, key, name] of [
        ['EC P-256', DEVICE, 'certificate 0'],
        ['EC P-384', P384, 'certificate 2'],
        ['RSA', RSA, 'certificate 3'],
      ] as const) {
        it(`${cipher}, with a certificate of ${kind}: a line there and back`, async () => {
          const output = await talk('openssl', client(cipher, key), {
            say: 'there and back\n',
            ready: /Verify return code|DONE|---\s*$/,
            until: /there and back/,
          });
          assert.match(output, /there and back/);
          assert.deepEqual(await established(), { suite, name, mode: 'x509' });
        });
      }
    }

    for (const group of ['P-256', 'P-384:P-256', 'X25519:P-256']) {
      it(`on ${group}, in datagrams of 300 bytes`, async () => {
        const args = client('ECDHE-ECDSA-AES128-CCM8', DEVICE, '-groups', group, '-mtu', '300');
        const output = await talk('openssl', args, {
          say: 'there and back\n',
          ready: /Verify return code|---\s*$/,
          until: /there and back/,
        });
        assert.match(output, /there and back/);
      });
    }

    for (const size of [512, 1_024]) {
      it(`-maxfraglen ${size}: a chain of certificates and a line of that size; a longer one does not go`, async () => {
        const { certificate } = P256;
        const chained = { ...ownKey(P256), chain: Array.from({ length: 6 }, () => certificate) };
        await ground.close();
        ground = await openSecureGround({ echo: true, certificates: testStore({ own: [chained], known: names }) });
        const args = client('ECDHE-ECDSA-AES128-CCM8', DEVICE, '-maxfraglen', String(size));
        const line = 'there and back'.padEnd(size - 1, '.');
        const output = await talk('openssl', args, { say: `${line}\n`, ready: /Verify return code|---\s*$/, until: /there and back\.+/ });
        assert.ok(output.includes(line));
        const report = await ground.reports.waitFor(({ kind }) => kind === 'established', 'established');
        assert.equal(report.kind === 'established' && report.peer.maxMessage, size);
      });
    }

    for (const [name, subject] of [
      ['lwm2m.example', 'CN = ec384'],
      ['other.example', 'CN = ec256'],
    ] as const) {
      it(`-servername ${name}: is shown the certificate of ${subject}`, async () => {
        const own = [ownKey(P256), ownKey(P384)];
        const ownFor = (called: string | undefined) => (called === 'lwm2m.example' ? own.toReversed() : own);
        await ground.close();
        ground = await openSecureGround({ echo: true, certificates: testStore({ own, ownFor, known: names }) });
        const args = client('ECDHE-ECDSA-AES128-CCM8', DEVICE, '-servername', name);
        const output = await talk('openssl', args, { say: 'there\n', ready: /Verify return code|---\s*$/, until: /there/ });
        assert.match(output, new RegExp(`subject=${subject}`));
      });
    }

    it('without a certificate it gets handshake_failure', async () => {
      assert.match(await talk('openssl', client('ECDHE-ECDSA-AES128-CCM8', undefined), { say: '' }), /handshake failure/);
      assert.equal(
        ground.reports.seen.find(({ kind }) => kind === 'established'),
        undefined,
      );
    });
  });

  describe('openssl s_client with a certificate that nobody knows', () => {
    before(function () {
      skipWithout(this, 'openssl', missing('openssl'));
    });

    it('gets unknown_ca', async () => {
      ground = await openSecureGround({ echo: true, certificates: testStore({ own: [ownKey(P256)], known: new Map() }) });
      const { certificate, key } = of(DEVICE);
      const args = ['s_client', '-dtls1_2', '-connect', `127.0.0.1:${ground.port}`, '-cert', certificate, '-key', key];
      assert.match(await talk('openssl', args, { say: '' }), /unknown ca/);
    });
  });

  describe('gnutls-cli', () => {
    before(function () {
      skipWithout(this, 'gnutls-cli', missing('gnutls-cli'));
    });
    beforeEach(async () => (ground = await openSecureGround({ echo: true, certificates })));

    const client = (...args: string[]): Promise<string> =>
      talk('gnutls-cli', ['-u', '-p', String(ground.port), '127.0.0.1', '--no-ca-verification', ...args], {
        say: 'there and back\n',
        ready: /Simple Client Mode/,
        until: /there and back/,
      });

    for (const [cipher, suite] of [
      ['AES-128-CCM-8', 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8'],
      ['AES-128-CCM', 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM'],
      ['AES-128-GCM', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
    ] as const) {
      it(`raw public keys both ways, ${cipher}`, async () => {
        const priority =
          `NONE:+VERS-DTLS1.2:+ECDHE-ECDSA:+${cipher}:+AEAD:+SIGN-ECDSA-SHA256:+COMP-NULL:+GROUP-SECP256R1` +
          ':+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK';
        const output = await client('--rawpkkeyfile', of(DEVICE).key, '--rawpkfile', of(DEVICE).publicKey, '--priority', priority);
        assert.match(output, /there and back/);
        assert.deepEqual(await established(), { suite, name: 'key 0', mode: 'rpk' });
      });
    }

    it('shows a raw public key and wants a certificate', async () => {
      const priority =
        'NONE:+VERS-DTLS1.2:+ECDHE-ECDSA:+AES-128-CCM-8:+AEAD:+SIGN-ECDSA-SHA256:+COMP-NULL:+GROUP-SECP256R1' +
        ':+CTYPE-CLI-RAWPK:+CTYPE-SRV-X509';
      const output = await client('--rawpkkeyfile', of(DEVICE).key, '--rawpkfile', of(DEVICE).publicKey, '--priority', priority);
      assert.match(output, /there and back/);
      assert.equal((await established()).mode, 'rpk');
    });

    it('--recordsize 600: a line there and back in records of that size', async () => {
      const { certificate, key } = of(DEVICE);
      const priority = 'NORMAL:-VERS-ALL:+VERS-DTLS1.2';
      const output = await client('--recordsize', '600', '--x509keyfile', key, '--x509certfile', certificate, '--priority', priority);
      assert.match(output, /there and back/);
      const report = await ground.reports.waitFor(({ kind }) => kind === 'established', 'established');
      assert.equal(report.kind === 'established' && report.peer.maxMessage, 600);
    });

    for (const [kind, key, name] of [
      ['EC', DEVICE, 'certificate 0'],
      ['RSA', RSA, 'certificate 3'],
    ] as const) {
      it(`X.509, ${kind}`, async () => {
        const priority = 'NORMAL:-VERS-ALL:+VERS-DTLS1.2';
        const output = await client('--x509keyfile', of(key).key, '--x509certfile', of(key).certificate, '--priority', priority);
        assert.match(output, /there and back/);
        assert.deepEqual([(await established()).name, (await established()).mode], [name, 'x509']);
      });
    }
  });

  for (const program of ['coap-client-openssl', 'coap-client-gnutls']) {
    describe(program, () => {
      before(function () {
        skipWithout(this, program, missing(program));
      });
      beforeEach(async () => (ground = await openSecureGround({ certificates })));

      const client = (...args: string[]): Promise<string> =>
        talk(program, ['-n', '-m', 'get', ...args, `coaps://127.0.0.1:${ground.port}/hello`]);

      it('GET with a certificate', async () => {
        assert.match(await client('-c', of(DEVICE).certificate, '-j', of(DEVICE).key), /hello/);
        assert.deepEqual([(await established()).name, (await established()).mode], ['certificate 0', 'x509']);
      });

      if (program === 'coap-client-gnutls') {
        it('GET with a raw public key', async () => {
          assert.match(await client('-M', of(DEVICE).pair), /hello/);
          assert.deepEqual([(await established()).name, (await established()).mode], ['key 0', 'rpk']);
        });
      }
    });
  }
});

describe('LwM2M over DTLS with raw public keys and certificates: Eclipse Leshan', () => {
  let ground: SecureGround;
  let nat: Nat | undefined;
  let peers: Peer[] = [];

  before(function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') for (const peer of peers) console.error(peer.log().slice(-4_000));
    for (const peer of peers) await peer.stop();
    await nat?.close();
    await ground.close();
    [nat, peers] = [undefined, []];
    assert.deepEqual([ground.errors, ground.secure.counters.internalErrors], [[], 0]);
  });

  const credentials = (
    mode: 'rpk' | 'x509',
    device: FixedKey = DEVICE,
    server: FixedKey = P256,
  ): NonNullable<LeshanOptions['certificate']> => ({
    mode,
    shown: mode === 'rpk' ? device.publicKey : device.certificate,
    privateKey: device.privateKey.export({ type: 'pkcs8', format: 'der' }),
    server: mode === 'rpk' ? server.publicKey : server.certificate,
  });

  async function registered(endpoint: string, options: Partial<LeshanOptions>, through = ground.port): Promise<Peer> {
    const peer = await startLeshan({ port: through, endpoint, ...options });
    peers.push(peer);
    await peer.waitFor('registered');
    await ground.events.waitFor((event) => event.kind === 'registered' && event.registration.endpoint === endpoint, 'registered');
    return peer;
  }

  async function valueOf(endpoint: string, operation: Operation): Promise<unknown> {
    const result = await ground.server.perform(endpoint, operation);
    assert.ok(result.kind === 'answer' && result.ok, JSON.stringify(result));
    const [node] = result.nodes ?? [];
    return node && 'value' in node ? node.value : undefined;
  }

  const notified = (value: number, from: number): Promise<unknown> =>
    ground.events.waitFor(
      (event) => event.kind === 'notification' && event.nodes.some((node) => 'value' in node && Number(node.value) === value),
      `notification of ${value}`,
      { from },
    );

  for (const mode of ['rpk', 'x509'] as const) {
    for (const suite of [
      'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8',
      'TLS_ECDHE_ECDSA_WITH_AES_128_CCM',
      'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
      'TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256',
    ]) {
      it(`${mode}: registers with ${suite}, and is read`, async () => {
        ground = await openSecureGround({ certificates });
        await registered('leshan-suite', { certificate: credentials(mode), cipherSuites: [suite], cid: 4 });
        assert.equal(await valueOf('leshan-suite', { kind: 'Read', path: level }), 100);
        const established = ground.reports.seen.find((report) => report.kind === 'established');
        assert.ok(established?.kind === 'established');
        assert.deepEqual([established.suite, established.cid], [suite, true]);
        assert.deepEqual(established.peer.identity, { scheme: 'coaps', mode, name: mode === 'rpk' ? 'key 0' : 'certificate 0' });
      });
    }

    it(`${mode}, with connection IDs: its port changes while it is observed, and notifications, reads and updates go on`, async () => {
      ground = await openSecureGround({ certificates });
      nat = await openNat(ground.port);
      const peer = await registered('leshan-moving', { certificate: credentials(mode), cid: 6 }, nat.port);
      assert.equal(await valueOf('leshan-moving', { kind: 'Observe', path: level }), 100);
      for (const value of [61, 62, 63]) {
        await nat.rebind();
        const from = ground.events.seen.length;
        peer.command(`set /3/0/9 ${value}`);
        await notified(value, from);
        assert.equal(Number(await valueOf('leshan-moving', { kind: 'Read', path: level })), value);
      }
      await nat.rebind();
      peer.command('update');
      await peer.waitFor('updated');
      assert.equal(ground.secure.counters.handshakesCompleted, 1);
      assert.equal(ground.secure.counters.moves, 4);
    });

    it(`${mode}, without connection IDs: registers, is read and observed`, async () => {
      ground = await openSecureGround({ certificates, limits: { cid: 0 } });
      const peer = await registered('leshan-plain', { certificate: credentials(mode) });
      assert.equal(await valueOf('leshan-plain', { kind: 'Observe', path: level }), 100);
      const from = ground.events.seen.length;
      peer.command('set /3/0/9 44');
      await notified(44, from);
      const established = ground.reports.seen.find((report) => report.kind === 'established');
      assert.equal(established?.kind === 'established' && established.cid, false);
    });
  }

  it('a pre-shared key, a raw public key and a certificate at the same time on one port', async () => {
    ground = await openSecureGround({ certificates });
    await registered('leshan-psk', { psk: { identity: IDENTITY, key: KEY.toString('hex') } });
    await registered('leshan-rpk', { certificate: credentials('rpk') });
    await registered('leshan-x509', { certificate: credentials('x509') });
    for (const endpoint of ['leshan-psk', 'leshan-rpk', 'leshan-x509']) {
      assert.equal(await valueOf(endpoint, { kind: 'Read', path: level }), 100);
    }
    const modes = ground.server.registrations().map(({ endpoint, identity }) => `${endpoint} ${identity.mode}`);
    assert.deepEqual(modes.sort(), ['leshan-psk psk', 'leshan-rpk rpk', 'leshan-x509 x509']);
  });
});
