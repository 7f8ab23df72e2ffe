import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  createLwm2mServer,
  generateAuthority,
  generateDeviceCertificate,
  generateKeyPair,
  type DeviceEntry,
  type Lwm2mServer,
  type Lwm2mServerOptions,
  type Operation,
  type ServerEvent,
} from '../../lib/index';
import { createRealClock } from '../../lib/transport/clock';
import type { Clock } from '../../lib/transport/types';
import { DEVICE, P256 } from '../support/dtls/fixed-keys';
import { missing, talk } from './dtls-tools';
import { EventLog } from './event-log';
import { reasonMissing, startLeshan, type LeshanOptions, type Peer } from './peers';
import { openNat, type Nat } from './secure-ground';
import { skipWithout } from './suite';

const run = promisify(execFile);
const KEY = '73656372657450534b73656372657450';
const level = { ids: [3, 0, 9] };

/** A key and a certificate that openssl made. */
interface Made {
  readonly key: string;
  readonly certificate: string;
  readonly der: Buffer;
  readonly privateKey: Buffer;
}

/** A CA and what it signs, all by openssl, in a folder of their own. */
class Authority {
  readonly folder: string;
  readonly name: string;

  private constructor(folder: string, name: string) {
    this.folder = folder;
    this.name = name;
  }

  static async make(folder: string, name: string): Promise<Authority> {
    const ca = new Authority(folder, name);
    const extensions = ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign'];
    await ca.#request(name, name, ['-x509', '-days', '30', ...extensions.flatMap((each) => ['-addext', each])]);
    return ca;
  }

  get certificate(): Promise<string> {
    return readFile(this.#file(`${this.name}.pem`), 'utf8');
  }

  /** A certificate of this CA for a device; `more` are further lines of its extensions. */
  async sign(name: string, subject: string, more: readonly string[] = []): Promise<Made> {
    await this.#request(name, subject, []);
    const extensions = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature', 'extendedKeyUsage=clientAuth', ...more];
    await writeFile(this.#file(`${name}.ext`), `${extensions.join('\n')}\n`);
    const by = ['-CA', this.#file(`${this.name}.pem`), '-CAkey', this.#file(`${this.name}.key`), '-CAcreateserial'];
    const what = ['-in', this.#file(`${name}.csr`), '-out', this.#file(`${name}.pem`), '-extfile', this.#file(`${name}.ext`)];
    await run('openssl', ['x509', '-req', '-days', '30', ...what, ...by]);
    const pem = await readFile(this.#file(`${name}.pem`), 'utf8');
    const privateKey = createPrivateKey(await readFile(this.#file(`${name}.key`), 'utf8'));
    return {
      key: this.#file(`${name}.key`),
      certificate: this.#file(`${name}.pem`),
      der: new X509Certificate(pem).raw,
      privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }),
    };
  }

  async #request(name: string, subject: string, more: readonly string[]): Promise<void> {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', this.#file(`${name}.key`)];
    const out = more.length > 0 ? `${name}.pem` : `${name}.csr`;
    await run('openssl', ['req', ...key, '-subj', `/CN=${subject}`, '-out', this.#file(out), ...more]);
  }

  #file(name: string): string {
    return path.join(this.folder, name);
  }
}

const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END ${label}-----\n`;

describe('One server, all its security modes, with what a user sets: foreign clients', () => {
  let folder = '';
  let ca: Authority;
  let stranger: Authority;
  let server: Lwm2mServer;
  let events: EventLog<ServerEvent>;
  let peers: Peer[] = [];
  let nat: Nat | undefined;
  const made = new Map<string, Made>();

  before(async function () {
    skipWithout(this, 'openssl', missing('openssl'));
    folder = await mkdtemp(path.join(tmpdir(), 'lwm2m-modes-'));
    ca = await Authority.make(folder, 'ca');
    stranger = await Authority.make(folder, 'stranger');
    made.set('cn', await ca.sign('cn', 'x509-cn'));
    made.set('san', await ca.sign('san', 'something else', ['subjectAltName=URI:urn:dev:x509-san,DNS:x509-dns.example']));
    made.set('rule', await ca.sign('rule', 'meter 7 of x509-rule'));
    made.set('other', await stranger.sign('other', 'x509-cn'));
  });
  after(() => folder !== '' && rm(folder, { recursive: true }));

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') for (const peer of peers) console.error(peer.log().slice(-3_000));
    for (const peer of peers) await peer.stop();
    await nat?.close();
    await server.close();
    [peers, nat] = [[], undefined];
  });

  async function start(options: Lwm2mServerOptions = {}): Promise<void> {
    const serverKey = P256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const serverCertificate = pem('CERTIFICATE', P256.certificate);
    server = createLwm2mServer({
      port: 0,
      securePort: 0,
      host: '127.0.0.1',
      serverKey,
      serverCertificate,
      trustAnchors: await ca.certificate,
      ...options,
    });
    events = new EventLog<ServerEvent>();
    server.subscribe((event) => events.push(event));
    await server.start();
  }

  const rpk = (): NonNullable<LeshanOptions['certificate']> => ({
    mode: 'rpk',
    shown: DEVICE.publicKey,
    privateKey: DEVICE.privateKey.export({ type: 'pkcs8', format: 'der' }),
    server: P256.publicKey,
  });
  const x509 = (name: string): NonNullable<LeshanOptions['certificate']> => {
    const { der, privateKey } = made.get(name)!;
    return { mode: 'x509', shown: der, privateKey, server: P256.certificate };
  };
  const rpkDevice = (endpoint: string): DeviceEntry => ({ endpoint, mode: 'rpk', publicKey: DEVICE.publicKey });

  async function registered(endpoint: string, options: Partial<LeshanOptions>, port = server.securePort): Promise<Peer> {
    const peer = await startLeshan({ port, endpoint, ...options });
    peers.push(peer);
    await events.waitFor((event) => event.kind === 'registered' && event.registration.endpoint === endpoint, `registered ${endpoint}`);
    return peer;
  }

  async function value(endpoint: string, operation: Operation): Promise<number> {
    const result = await server.perform(endpoint, operation);
    assert.ok(result.kind === 'answer' && result.ok, JSON.stringify(result));
    return Number(result.nodes?.[0]?.value);
  }

  it('devices of all four modes at the same time: each registers, is read, and its notifications come', async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    const fixed = made.get('other')!;
    await start({
      certificateNames: 'cn:meter 7 of *, cn:x509-*, uri:*',
      devices: [
        { endpoint: 'nosec', mode: 'none' },
        { endpoint: 'psk', mode: 'psk', key: KEY },
        rpkDevice('rpk'),
        { endpoint: 'cn', mode: 'x509' },
        { endpoint: 'urn:dev:x509-san', mode: 'x509' },
        { endpoint: 'x509-rule', mode: 'x509' },
        { endpoint: 'x509-fixed', mode: 'x509', certificate: fixed.der },
      ],
    });
    const started = [
      await registered('nosec', {}, server.port),
      await registered('psk', { psk: { identity: 'psk', key: KEY } }),
      await registered('rpk', { certificate: rpk() }),
      await registered('cn', { certificate: x509('cn') }),
      await registered('urn:dev:x509-san', { certificate: x509('san') }),
      await registered('x509-rule', { certificate: x509('rule') }),
      await registered('x509-fixed', { certificate: x509('other') }),
    ];
    const modes = server.registrations().map(({ endpoint, identity: { scheme, mode } }) => `${endpoint} ${scheme} ${mode}`);
    assert.deepEqual(modes.sort(), [
      'cn coaps x509',
      'nosec coap none',
      'psk coaps psk',
      'rpk coaps rpk',
      'urn:dev:x509-san coaps x509',
      'x509-fixed coaps x509',
      'x509-rule coaps x509',
    ]);
    for (const [at, { endpoint }] of server.registrations().entries()) {
      assert.equal(await value(endpoint, { kind: 'Read', path: level }), 100);
      assert.equal(await value(endpoint, { kind: 'Observe', path: level }), 100);
      const from = events.seen.length;
      started[at]!.command(`set /3/0/9 ${40 + at}`);
      await events.waitFor(
        (event) => event.kind === 'notification' && event.registration.endpoint === endpoint && Number(event.nodes[0]?.value) === 40 + at,
        `notification of ${endpoint}`,
        { from },
      );
    }
  });

  for (const cid of [6, undefined]) {
    for (const mode of ['rpk', 'x509'] as const) {
      it(`${mode} ${cid ? 'with' : 'without'} a connection ID: ${cid ? 'its address changes while it is observed' : 'is read and observed'}`, async function () {
        skipWithout(this, 'leshan', reasonMissing('leshan'));
        const endpoint = mode === 'rpk' ? 'rpk' : 'x509-cn';
        await start({
          devices: mode === 'rpk' ? [rpkDevice(endpoint)] : [{ endpoint, mode: 'x509' }],
          ...(cid === undefined && { dtlsLimits: { cid: 0 } }),
        });
        nat = await openNat(server.securePort);
        const peer = await registered(endpoint, { certificate: mode === 'rpk' ? rpk() : x509('cn'), ...(cid && { cid }) }, nat.port);
        assert.equal(await value(endpoint, { kind: 'Observe', path: level }), 100);
        for (const level of [61, 62]) {
          if (cid !== undefined) await nat.rebind();
          const from = events.seen.length;
          peer.command(`set /3/0/9 ${level}`);
          await events.waitFor(
            (event) => event.kind === 'notification' && Number(event.nodes[0]?.value) === level,
            `notification ${level}`,
            { from },
          );
          assert.equal(await value(endpoint, { kind: 'Read', path: { ids: [3, 0, 9] } }), level);
        }
        assert.equal(server.stats().dtlsHandshakesCompleted, 1);
        assert.equal(server.stats().dtlsMoves, cid === undefined ? 0 : 2);
      });
    }
  }

  for (const mode of ['rpk', 'x509'] as const) {
    it(`${mode} without a connection ID: with another address it makes a new session by itself, and is still read and observed`, async function () {
      skipWithout(this, 'leshan', reasonMissing('leshan'));
      const endpoint = mode === 'rpk' ? 'rpk' : 'x509-cn';
      await start({ devices: [mode === 'rpk' ? rpkDevice(endpoint) : { endpoint, mode }], dtlsLimits: { cid: 0 } });
      nat = await openNat(server.securePort);
      // It takes its server for lost once an Update has no answer, here within seconds.
      const certificate = mode === 'rpk' ? rpk() : x509('cn');
      const peer = await registered(endpoint, { certificate, ackTimeout: 100 }, nat.port);
      assert.equal(await value(endpoint, { kind: 'Observe', path: level }), 100);
      await nat.rebind();
      const from = events.seen.length;
      peer.command('update');
      await events.waitFor((event) => event.kind === 'address-changed', 'its new address', { from });
      assert.equal(server.size, 1);
      assert.equal(await value(endpoint, { kind: 'Read', path: level }), 100);
      peer.command('set /3/0/9 63');
      await events.waitFor((event) => event.kind === 'notification' && Number(event.nodes[0]?.value) === 63, 'notification', { from });
      assert.equal(server.stats().dtlsHandshakesCompleted, 2);
    });
  }

  it('what the server generates: keys and certificates with which devices register', async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    const der = (text: string): Buffer => Buffer.from(text, 'base64');
    const [own, authority, pair] = [await generateDeviceCertificate('server'), await generateAuthority('my CA'), await generateKeyPair()];
    const device = await generateDeviceCertificate('x509-made', Date.now(), authority);
    await start({
      serverKey: own.privateKey,
      serverCertificate: own.certificate,
      trustAnchors: authority.certificate,
      devices: [
        { endpoint: 'rpk-made', mode: 'rpk', publicKey: der(pair.publicKeyDer) },
        { endpoint: 'x509-made', mode: 'x509' },
      ],
    });
    const [rpkServer, x509Server] = [createPublicKey(own.privateKey).export({ type: 'spki', format: 'der' }), der(own.certificateDer)];
    const byKey = { mode: 'rpk', shown: der(pair.publicKeyDer), privateKey: der(pair.privateKeyDer), server: rpkServer } as const;
    const byCertificate = {
      mode: 'x509',
      shown: der(device.certificateDer),
      privateKey: der(device.privateKeyDer),
      server: x509Server,
    } as const;
    for (const [endpoint, certificate] of [
      ['rpk-made', byKey],
      ['x509-made', byCertificate],
    ] as const) {
      await registered(endpoint, { certificate });
      assert.equal(await value(endpoint, { kind: 'Read', path: level }), 100);
    }
  });

  for (const [endpoint, name, certificateNames] of [
    ['urn:dev:x509-san', 'san', undefined],
    ['x509-dns.example', 'san', undefined],
    ['x509-rule', 'rule', 'cn:meter 7 of *'],
  ] as const) {
    it(`the endpoint name ${endpoint} is in the certificate, ${certificateNames === undefined ? 'as a name besides' : 'by a rule'}`, async function () {
      skipWithout(this, 'leshan', reasonMissing('leshan'));
      await start({ devices: [{ endpoint, mode: 'x509' }], ...(certificateNames && { certificateNames }) });
      await registered(endpoint, { certificate: x509(name) });
      assert.equal(await value(endpoint, { kind: 'Read', path: level }), 100);
    });
  }

  it('an unknown device with a certificate of the trusted CA: taken under that setting, refused without', async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    await start({ unknownDevices: 'accept-my-ca' });
    await registered('x509-cn', { certificate: x509('cn') });
    assert.equal(await value('x509-cn', { kind: 'Read', path: level }), 100);
    await peers.splice(0)[0]?.stop();
    await server.close();
    await start({ unknownDevices: 'refuse' });
    peers.push(await startLeshan({ port: server.securePort, endpoint: 'x509-cn', certificate: x509('cn') }));
    const failed = await events.waitFor(({ kind }) => kind === 'log' || kind === 'refused', 'refused');
    assert.ok(failed.kind === 'refused' || (failed.kind === 'log' && failed.reason === 'bad-certificate'), JSON.stringify(failed));
    assert.equal(server.size, 0);
  });

  it('a certificate of another CA for the same name has no session', async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    await start({ devices: [{ endpoint: 'x509-cn', mode: 'x509' }], unknownDevices: 'accept-my-ca' });
    peers.push(await startLeshan({ port: server.securePort, endpoint: 'x509-cn', certificate: x509('other') }));
    await events.waitFor((event) => event.kind === 'log' && event.reason === 'bad-certificate', 'bad-certificate');
    assert.equal(server.size, 0);
  });

  const client = (...more: string[]): string[] => [
    ...['s_client', '-dtls1_2', '-connect', `127.0.0.1:${server.securePort}`, '-cipher', 'ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0'],
    ...['-cert', made.get('cn')!.certificate, '-key', made.get('cn')!.key],
    ...more,
  ];
  const handshake = (...more: string[]): Promise<string> =>
    talk('openssl', client(...more), { say: '\n', ready: /Verify return code|---\s*$/, until: /Verify return code/ });

  it('openssl: the certificate of the CA is enough under that setting, and no session without', async () => {
    await start({ unknownDevices: 'accept-my-ca' });
    assert.match(await handshake(), /Cipher is ECDHE-ECDSA-AES128-CCM8/);
    await server.close();
    await start({ unknownDevices: 'refuse' });
    assert.match(await handshake(), /alert (?:bad certificate|certificate unknown|access denied|unknown ca)/i);
    assert.equal(server.stats().dtlsHandshakesCompleted, 0);
  });

  it('openssl resumes its session, but not when the CA is not trusted any more, or the device is', async () => {
    const session = path.join(folder, 'session.pem');
    const device: DeviceEntry = { endpoint: 'x509-cn', mode: 'x509' };
    await start({ devices: [device] });
    const trust = await ca.certificate;
    assert.match(await handshake('-sess_out', session), /New, TLSv1\.2/);
    assert.match(await handshake('-sess_in', session), /Reused, TLSv1\.2/);
    const common = {
      serverKey: P256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      serverCertificate: pem('CERTIFICATE', P256.certificate),
    };
    server.configure({ ...common, trustAnchors: trust, devices: [{ ...device, disabled: true }] });
    assert.doesNotMatch(await handshake('-sess_in', session), /Reused/);
    server.configure({ ...common, trustAnchors: await stranger.certificate, devices: [device] });
    assert.doesNotMatch(await handshake('-sess_in', session), /Reused/);
    server.configure({ ...common, trustAnchors: trust, devices: [device] });
    assert.match(await handshake('-sess_out', session), /New, TLSv1\.2/);
    assert.match(await handshake('-sess_in', session), /Reused, TLSv1\.2/);
  });

  it('openssl does not resume a session whose certificate has ended meanwhile', async () => {
    const session = path.join(folder, 'ended.pem');
    const hour = 3_600_000;
    const ends = Date.parse(new X509Certificate(await readFile(made.get('cn')!.certificate)).validTo);
    const real = createRealClock();
    let ahead = ends - Date.now() - 2 * hour;
    const clock: Clock = {
      now: () => real.now() + ahead,
      wall: () => Date.now() + ahead,
      alarm: (at, wake) => real.alarm(at - ahead, wake),
    };
    await start({ devices: [{ endpoint: 'x509-cn', mode: 'x509' }], clock });
    assert.match(await handshake('-sess_out', session), /New, TLSv1\.2/);
    ahead += hour;
    assert.match(await handshake('-sess_in', session), /Reused, TLSv1\.2/);
    ahead += hour + 5_000;
    assert.match(await handshake('-sess_in', session), /alert certificate expired/i);
  });
});
