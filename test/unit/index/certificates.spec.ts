import assert from 'node:assert/strict';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  createLwm2mServer,
  generateDeviceCertificate,
  type DeviceEntry,
  type Lwm2mServer,
  type Lwm2mServerOptions,
  type ServerEvent,
} from '../../../lib/index';
import { DEVICE_CERTIFICATE, DEVICE_KEY, INTERMEDIATE, ROOT } from '../../support/chain';
import { ownKey } from '../../support/dtls/certificate-store';
import { DEVICE, P256, P384, RSA, type FixedKey } from '../../support/dtls/fixed-keys';
import { forge } from '../../support/forge';
import { storeFolder } from '../../support/store-folder';
import { SecurePeer } from './secure-peer';
import { TinyPeer } from './tiny-peer';

const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
const keyOf = ({ privateKey }: FixedKey): string => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const certificateOf = ({ certificate }: FixedKey): string => pem('CERTIFICATE', certificate);
const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
const RPK: DeviceEntry = { endpoint: 'r', mode: 'rpk', publicKey: DEVICE.publicKey };
const FIXED: DeviceEntry = { endpoint: 'x', mode: 'x509', certificate: P384.certificate };
const LOCAL: Lwm2mServerOptions = {
  port: 0,
  securePort: 0,
  host: '127.0.0.1',
  serverKey: keyOf(P256),
  serverCertificate: certificateOf(P256),
};

describe('a server with raw public keys and certificates', () => {
  const place = storeFolder();
  const ends: (() => unknown)[] = [];
  const notices: string[] = [];
  const errors: unknown[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    assert.deepEqual(errors.splice(0), []);
    notices.length = 0;
  });

  async function start(options: Lwm2mServerOptions = {}): Promise<{ server: Lwm2mServer; events: ServerEvent[] }> {
    const server = createLwm2mServer({
      ...LOCAL,
      transportLog: false,
      onNotice: (text) => notices.push(text),
      onError: (error) => errors.push(error),
      ...options,
    });
    ends.push(() => server.close());
    const events: ServerEvent[] = [];
    server.subscribe((event) => events.push(event));
    await server.start();
    return { server, events };
  }

  async function device(server: Lwm2mServer, key: FixedKey, type: 'rpk' | 'x509'): Promise<SecurePeer> {
    const shown = type === 'rpk' ? P256.publicKey : P256.certificate;
    const peer = await SecurePeer.open({ port: server.securePort, own: ownKey(key), type, server: shown });
    ends.push(() => peer.close());
    return peer;
  }

  /** A handshake that the server ends. */
  async function fails(server: Lwm2mServer, key: FixedKey, type: 'rpk' | 'x509'): Promise<void> {
    const before = server.stats().dtlsHandshakesFailed;
    const shown = type === 'rpk' ? P256.publicKey : P256.certificate;
    const trying = await SecurePeer.begin({ port: server.securePort, own: ownKey(key), type, server: shown });
    await turns(() => server.stats().dtlsHandshakesFailed > before);
    trying.close();
  }

  const names = (server: Lwm2mServer): string[] => server.registrations().map(({ endpoint }) => endpoint);
  const turns = async (until: () => boolean): Promise<void> => {
    while (!until()) await new Promise((turn) => setImmediate(turn));
  };
  const logs = (events: readonly ServerEvent[]): string[] => events.flatMap((event) => (event.kind === 'log' ? [event.text] : []));

  it('[SEC-020] serves devices of all four modes at once, each under its own name alone', async () => {
    const psk: DeviceEntry = { endpoint: 'p', mode: 'psk', key: KEY };
    const { server } = await start({ devices: [RPK, FIXED, psk, { endpoint: 'o', mode: 'none' }] });
    const peers = new Map<string, SecurePeer | TinyPeer>();
    const open = await TinyPeer.open(server.port);
    ends.push(() => open.close());
    const byKey = await SecurePeer.open({ port: server.securePort, identity: 'p', key: KEY });
    ends.push(() => byKey.close());
    peers
      .set('o', open)
      .set('p', byKey)
      .set('r', await device(server, DEVICE, 'rpk'))
      .set('x', await device(server, P384, 'x509'));
    for (const [own, peer] of peers) {
      for (const name of peers.keys()) if (name !== own) await assert.rejects(peer.register(name), /4\.03/, `${own} as ${name}`);
    }
    for (const [own, peer] of peers) await peer.register(own);
    assert.deepEqual(names(server).sort(), ['o', 'p', 'r', 'x']);
    assert.deepEqual(server.registration('x')?.identity, { scheme: 'coaps', mode: 'x509', name: 'x' });
    assert.equal(server.registration('r')?.identity.mode, 'rpk');
  });

  it('[SEC-003] a failed handshake with a raw public key is that of the device with this key, and of no pre-shared one that is called so', async () => {
    const trap: DeviceEntry = {
      endpoint: 'trap',
      mode: 'psk',
      identity: createHash('sha256').update(DEVICE.publicKey).digest('hex'),
      key: KEY,
    };
    const { server, events } = await start({ devices: [RPK, trap] });
    const own = { ...ownKey(DEVICE), privateKey: P256.privateKey };
    const trying = await SecurePeer.begin({ port: server.securePort, own, type: 'rpk', server: P256.publicKey });
    ends.push(() => trying.close());
    await turns(() => logs(events).length > 0);
    const [told] = events.filter((event) => event.kind === 'log');
    assert.deepEqual([told?.endpoint, told?.reason], ['r', 'bad-certificate']);
  });

  it('[SEC-026] an unknown device with a certificate of a trusted CA is taken under that setting, and refused without', async () => {
    const settings: Lwm2mServerOptions = { trustAnchors: ROOT, unknownDevices: 'accept-my-ca' };
    const { server, events } = await start(settings);
    const middle = new X509Certificate(INTERMEDIATE).raw;
    const publicKey = new X509Certificate(DEVICE_CERTIFICATE).publicKey.export({ type: 'spki', format: 'der' });
    const own = { privateKey: createPrivateKey(DEVICE_KEY), publicKey, chain: [DEVICE_CERTIFICATE, middle] };
    const options = { port: server.securePort, own, type: 'x509', server: P256.certificate } as const;
    const peer = await SecurePeer.open(options);
    ends.push(() => peer.close());
    await assert.rejects(peer.register('another'), /4\.03 this endpoint name is not in the certificate/);
    await peer.register('urn:dev:dev-1');
    const aliases = ['urn:dev:dev-1', 'dev-1.devices.example'];
    assert.deepEqual(server.registration('urn:dev:dev-1')?.identity, { scheme: 'coaps', mode: 'x509', name: 'dev-1', aliases });
    const open = await TinyPeer.open(server.port);
    ends.push(() => open.close());
    await assert.rejects(open.register('dev-1'), /4\.03/);
    // Without the setting its certificate stands for nobody.
    server.configure({ ...LOCAL, ...settings, unknownDevices: 'refuse' });
    assert.deepEqual(server.unwelcome(), ['urn:dev:dev-1']);
    const failed = server.stats().dtlsHandshakesFailed;
    const trying = await SecurePeer.begin(options);
    ends.push(() => trying.close());
    await turns(() => server.stats().dtlsHandshakesFailed > failed);
    await turns(() => logs(events).length > 0);
    assert.match(logs(events)[0]!, /the certificate is for "dev-1", "urn:dev:dev-1", .* and no device of the table has this name/);
    // As a device of the table it may come under each of its names that is one.
    server.configure({ ...LOCAL, ...settings, unknownDevices: 'refuse', devices: [{ endpoint: 'dev-1.devices.example', mode: 'x509' }] });
    const again = await SecurePeer.open(options);
    ends.push(() => again.close());
    await again.register('dev-1.devices.example');
  });

  it('[SEC-027] what a CA said ends with the trust in it, and with the rule by which its names were read', async () => {
    const settings: Lwm2mServerOptions = { trustAnchors: ROOT, devices: [{ endpoint: 'dev-1', mode: 'x509' }, RPK] };
    const { server } = await start(settings);
    const publicKey = new X509Certificate(DEVICE_CERTIFICATE).publicKey.export({ type: 'spki', format: 'der' });
    const own = { privateKey: createPrivateKey(DEVICE_KEY), publicKey, chain: [DEVICE_CERTIFICATE, new X509Certificate(INTERMEDIATE).raw] };
    const options = { port: server.securePort, own, type: 'x509', server: P256.certificate } as const;
    const come = async (): Promise<SecurePeer> => {
      const peer = await SecurePeer.open(options);
      ends.push(() => peer.close());
      await peer.register('dev-1');
      return peer;
    };
    await (await device(server, DEVICE, 'rpk')).register('r');
    const first = await come();
    server.configure({ ...LOCAL, ...settings, certificateNames: 'dns:*.devices.example' });
    await turns(() => first.gone);
    assert.deepEqual(names(server), ['r']);
    const second = await come();
    server.configure({ ...LOCAL, ...settings, certificateNames: 'dns:*.devices.example', trustAnchors: '' });
    await turns(() => second.gone);
    assert.deepEqual(names(server), ['r']);
    assert.throws(() => server.configure({ ...LOCAL, ...settings, certificateNames: 'dns' }), /must look like cn:/);
  });

  it('[CRED-044] a certificate that ends within 30 days is told of when its device comes, once a day', async () => {
    const day = 86_400_000;
    const ofYears = new X509Certificate((await generateDeviceCertificate('x')).certificate);
    const lasts = Date.parse(ofYears.validTo) - Date.now();
    const made = await generateDeviceCertificate('x', Date.now() - lasts + 20.5 * day);
    const chain = [Buffer.from(made.certificateDer, 'base64')];
    const { server, events } = await start({ devices: [{ endpoint: 'x', mode: 'x509', certificate: chain[0]! }] });
    const own = { privateKey: createPrivateKey(made.privateKey), publicKey: Buffer.from(made.publicKeyDer, 'base64'), chain };
    for (let times = 0; times < 2; times += 1) {
      const peer = await SecurePeer.open({ port: server.securePort, own, type: 'x509', server: P256.certificate });
      ends.push(() => peer.close());
      await peer.register('x');
    }
    const told = logs(events).filter((text) => text.includes('ends on'));
    assert.equal(told.length, 1);
    assert.match(told[0]!, /^The certificate of the device ends on \d{4}-\d\d-\d\d, in 20 days\. Replace it in time\.$/);
  });

  it('[SEC-021] a key or certificate of nobody is refused in the handshake, and told of with its fingerprint', async () => {
    const { server, events } = await start({ devices: [RPK, FIXED] });
    await fails(server, P384, 'rpk');
    await fails(server, DEVICE, 'x509');
    await turns(() => logs(events).length >= 2);
    assert.match(logs(events)[0]!, /unknown raw public key \(SHA-256 [0-9a-f]{64}\)\. No device of the table has this public key/);
    assert.match(logs(events)[1]!, /no device has the certificate that was shown, and the server trusts no CA\./);
  });

  it('[SEC-021] names of a certificate that no rule fits are told of, with the rules as the cause', async () => {
    const settings: Lwm2mServerOptions = { trustAnchors: ROOT, unknownDevices: 'accept-my-ca', certificateNames: 'cn:meter-*' };
    const { server, events } = await start(settings);
    const publicKey = new X509Certificate(DEVICE_CERTIFICATE).publicKey.export({ type: 'spki', format: 'der' });
    const own = { privateKey: createPrivateKey(DEVICE_KEY), publicKey, chain: [DEVICE_CERTIFICATE, new X509Certificate(INTERMEDIATE).raw] };
    const trying = await SecurePeer.begin({ port: server.securePort, own, type: 'x509', server: P256.certificate });
    ends.push(() => trying.close());
    await turns(() => logs(events).length > 0);
    assert.match(logs(events)[0]!, /the rules for names in certificates fit none of this one, "cn:dev-1", "uri:urn:dev:dev-1", /);
  });

  it('[SEC-021] what a stranger wrote into a certificate neither breaks the line of the log nor turns it around', async () => {
    const { server, events } = await start({ trustAnchors: ROOT });
    const { der, privateKey, publicKey } = forge({ subject: '\u202eeman\u2028a\u0085line\rand\nmore' });
    const own = { privateKey, publicKey: publicKey.export({ type: 'spki', format: 'der' }), chain: [der] };
    const trying = await SecurePeer.begin({ port: server.securePort, own, type: 'x509', server: P256.certificate });
    ends.push(() => trying.close());
    await turns(() => logs(events).length > 0);
    assert.match(logs(events)[0]!, /the certificate of "CN=\?eman\?a\?line/);
    assert.doesNotMatch(logs(events)[0]!, /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u);
  });

  it('[SEC-022] another public key or certificate ends session and registration at once', async () => {
    const { server, events } = await start({ devices: [] });
    server.addDevice(RPK);
    server.addDevice(FIXED);
    const peers = [await device(server, DEVICE, 'rpk'), await device(server, P384, 'x509')];
    await peers[0]!.register('r');
    await peers[1]!.register('x');
    server.replaceDevice({ ...RPK, name: 'Cellar' });
    assert.deepEqual(names(server), ['r', 'x'], 'the same key');
    server.replaceDevice({ ...RPK, publicKey: P384.publicKey });
    assert.deepEqual(names(server), ['x']);
    server.replaceDevice({ ...FIXED, certificate: RSA.certificate });
    assert.deepEqual(names(server), []);
    await turns(() => peers.every(({ gone }) => gone));
    assert.equal(events.filter(({ kind }) => kind === 'deregistered').length, 2);
    await fails(server, DEVICE, 'rpk');
  });

  it('[SEC-023] says what is missing for devices with keys or certificates', async () => {
    const { server } = await start({ devices: [RPK], serverKey: '', serverCertificate: '' });
    assert.deepEqual(notices.splice(0), [
      'Devices with raw public keys or certificates cannot connect: the server has no key pair of its own. Give it one.',
    ]);
    server.addDevice({ endpoint: 'ca', mode: 'x509' });
    assert.match(notices.join(), /^Devices with certificates that the table does not hold cannot connect: the server trusts no CA/);
    assert.throws(
      () => createLwm2mServer({ ...LOCAL, serverKey: keyOf(RSA) }),
      /The server key belongs to none of the server certificates/,
    );
  });

  it('[SEC-023] says what is missing by what a Deploy leaves behind, not by what it found', async () => {
    const { server } = await start({ serverKey: '', serverCertificate: '' });
    server.configure({
      ...LOCAL,
      onNotice: (text) => notices.push(text),
      devices: [RPK, { endpoint: 'c', mode: 'x509' }],
      trustAnchors: ROOT,
    });
    await new Promise((turn) => setImmediate(turn));
    assert.deepEqual(notices.splice(0), []);
    server.configure({
      ...LOCAL,
      onNotice: (text) => notices.push(text),
      devices: [RPK, { endpoint: 'c', mode: 'x509' }],
      trustAnchors: ROOT,
      serverKey: '',
      serverCertificate: '',
    });
    await new Promise((turn) => setImmediate(turn));
    assert.match(notices.join(), /^Devices with raw public keys or certificates cannot connect: the server has no key pair of its own/);
  });

  it('[SEC-024] a Deploy with another server key leaves sessions alone; the next handshake sees it', async () => {
    const { server } = await start({ devices: [RPK] });
    const peer = await device(server, DEVICE, 'rpk');
    await peer.register('r');
    server.configure({ ...LOCAL, devices: [RPK], serverKey: keyOf(P384), serverCertificate: '' });
    assert.equal((await peer.ask({ code: '0.02', path: 'rd', query: ['ep=r', 'lt=300', 'lwm2m=1.1'], payload: '</3/0>' })).code, '2.01');
    const again = await SecurePeer.open({ port: server.securePort, own: ownKey(DEVICE), type: 'rpk', server: P384.publicKey });
    ends.push(() => again.close());
    assert.throws(() => server.configure({ ...LOCAL, serverKey: 'nothing.pem' }), /cannot be read/);
    assert.deepEqual(names(server), ['r']);
  });

  it('[SEC-025] sessions by key and certificate go on after a restart, while the key counts', async () => {
    const folder = place();
    mkdirSync(folder, { recursive: true });
    const devicesFile = path.join(folder, 'devices.json');
    const entries = (publicKey: Buffer) => [
      { endpoint: 'r', mode: 'rpk', publicKey: publicKey.toString('base64') },
      { endpoint: 'x', mode: 'x509', certificate: P384.certificate.toString('base64') },
    ];
    writeFileSync(devicesFile, JSON.stringify(entries(DEVICE.publicKey)));
    const options = { devicesFile, storeDir: path.join(folder, 'store'), storeId: 's' };
    const first = (await start(options)).server;
    const byKey = await device(first, DEVICE, 'rpk');
    const byCertificate = await device(first, P384, 'x509');
    const id = await byKey.register('r');
    const other = await byCertificate.register('x');
    const { securePort } = first;
    await first.close();
    const second = (await start({ ...options, securePort })).server;
    for (const [peer, known] of [
      [byKey, id],
      [byCertificate, other],
    ] as const) {
      assert.equal((await peer.ask({ code: '0.02', path: `rd/${known}` })).code, '2.04');
    }
    await second.close();
    writeFileSync(devicesFile, JSON.stringify(entries(P384.publicKey)));
    const third = (await start({ ...options, securePort })).server;
    assert.deepEqual(names(third), ['x']);
    assert.equal(third.stats().dtlsSessions, 1);
  });
});
