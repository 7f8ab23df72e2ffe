import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createLwm2mServer } from '../../lib/index';
import credentialsNode from '../../nodes/lwm2m-credentials/lwm2m-credentials';
import { serverOptions, tlsWithFiles } from '../../nodes/lwm2m-server/options';
import { migrate } from '../../nodes/lwm2m-server/migrations';
import { FakeServer, fakeServerNode } from '../support/fake-server';
import { Inbox, load, useFlows } from '../support/flows';
import helper from 'node-red-node-test-helper';
import { DEVICE } from '../support/dtls/fixed-keys';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const KEY = 'c0ffee'.repeat(6);
const flow = [
  { id: 'server', type: 'lwm2m-server' },
  { id: 'credentials', type: 'lwm2m-credentials', z: 'flow', server: 'server', wires: [['out']] },
  { id: 'out', type: 'helper', z: 'flow' },
  { id: 'catch', type: 'catch', z: 'flow', scope: ['credentials'], uncaught: false, wires: [['caught']] },
  { id: 'caught', type: 'helper', z: 'flow' },
];

describe('lwm2m-credentials', () => {
  useFlows();

  it('adds, replaces, lists and removes devices, without keys', async () => {
    const server = new FakeServer();
    await load([fakeServerNode(server), credentialsNode], flow);
    const out = new Inbox('out');
    const node = helper.getNode('credentials');
    const device = { endpoint: 'meter-1', mode: 'psk', identity: 'meter-1', key: KEY };
    node.receive({ topic: 'add', payload: device });
    node.receive({ topic: 'replace', payload: { ...device, key: `${KEY}00` } });
    node.receive({ topic: 'list', payload: '' });
    node.receive({ topic: 'remove', payload: 'meter-1' });
    node.receive({ topic: 'remove', payload: { endpoint: 'meter-1' } });
    const got = await out.take(4);
    assert.deepEqual(
      got.map(({ payload }) => payload as unknown),
      [
        { endpoint: 'meter-1', mode: 'psk', source: 'runtime' },
        { endpoint: 'meter-1', mode: 'psk', source: 'runtime' },
        [{ endpoint: 'meter-1', mode: 'psk', source: 'runtime' }],
        { endpoint: 'meter-1' },
      ],
    );
    assert.equal(server.known.size, 0);
  });

  it('what cannot be done goes to Catch nodes, with a code and without the key', async () => {
    const server = new FakeServer();
    await load([fakeServerNode(server), credentialsNode], flow);
    const caught = new Inbox('caught');
    const node = helper.getNode('credentials');
    node.receive({ topic: 'remove', payload: 'nobody' });
    node.receive({ topic: 'destroy', payload: { endpoint: 'x', key: KEY } });
    const errors = await caught.take(2);
    assert.deepEqual(
      errors.map((msg) => (msg as unknown as { error: { message: string } }).error.message.slice(0, 20)),
      ['Error: no device "no', 'Error: lwm2m-credent'],
    );
    assert.doesNotMatch(JSON.stringify(errors), /c0ffee/);
    // What was pasted in the wrong place may be private.
    node.receive({ topic: 'destroy', payload: { endpoint: 'x', publicKey: KEY, certificate: KEY, name: 'Cellar' } });
    node.receive({ topic: 'destroy', payload: { client: { key: KEY }, bootstrap: { bootstrapServer: { clientSecretKey: KEY } } } });
    node.receive({ topic: 'destroy', payload: { credentialsValue: KEY } });
    const more = (await caught.take(5)).slice(2);
    assert.doesNotMatch(JSON.stringify(more), /c0ffee/);
    assert.deepEqual(more[0]?.payload, { endpoint: 'x', name: 'Cellar' });
  });

  it('a Catch node has no key from a payload of another form either', async () => {
    const server = new FakeServer();
    await load([fakeServerNode(server), credentialsNode], flow);
    const caught = new Inbox('caught');
    const node = helper.getNode('credentials');
    const device = { endpoint: 'x', mode: 'psk', key: KEY };
    const forms = [
      [device],
      { devices: [device] },
      { endpoint: 'x', mode: 'psk', psk: KEY },
      JSON.stringify(device),
      Buffer.from(JSON.stringify(device)),
      `-----BEGIN PRIVATE KEY-----\n${KEY}`,
      KEY,
    ];
    for (const payload of forms) node.receive({ topic: 'destroy', payload });
    node.receive({ topic: 'remove', payload: 'meter-1' });
    const errors = await caught.take(forms.length + 1);
    assert.deepEqual(
      errors.map(({ payload }) => payload as unknown),
      [[{ endpoint: 'x', mode: 'psk' }], {}, { endpoint: 'x', mode: 'psk' }, '', {}, '', '', 'meter-1'],
    );
    assert.doesNotMatch(JSON.stringify(errors), /c0ffee/);
  });
});

describe('the security of the lwm2m-server dialog', () => {
  const rows = [
    { endpoint: 'open', mode: 'none' },
    { endpoint: 'safe', mode: 'psk', identity: 'id', slot: 'psk2' },
    { endpoint: 'lost', mode: 'psk', slot: '__proto__' },
  ];

  it('takes keys from the credentials of the node', () => {
    const options = serverOptions(migrate({ version: 4, port: 5683, securePort: '5684', keyLogFile: ' ', devices: rows }), {
      psk1: 'x',
      psk2: ` ${KEY} `,
    });
    assert.equal(options.securePort, 5684);
    assert.equal('keyLogFile' in options, false);
    assert.deepEqual(options.devices, [
      { endpoint: 'open', mode: 'none' },
      { endpoint: 'safe', mode: 'psk', identity: 'id', key: KEY },
      { endpoint: 'lost', mode: 'psk', key: '' },
    ]);
  });

  it('takes public keys and certificates from the rows, and its own key from the credentials', () => {
    const devices = [
      { endpoint: 'r', mode: 'rpk', publicKey: ' PEM ', slot: 'psk1' },
      { endpoint: 'x', mode: 'x509', certificate: '' },
      { endpoint: 'f', mode: 'x509', certificate: 'PEM' },
    ];
    const settings = migrate({
      version: 6,
      port: 1,
      devices,
      unknownDevices: 'accept-my-ca',
      serverCertificate: ' cert ',
      certificateNames: ' cn:* ',
      trustAnchors: '',
    });
    const options = serverOptions(settings, { serverKey: 'key', serverKeyPassphrase: 'pass', psk1: KEY });
    assert.deepEqual(options.devices, [
      { endpoint: 'r', mode: 'rpk', publicKey: 'PEM' },
      { endpoint: 'x', mode: 'x509' },
      { endpoint: 'f', mode: 'x509', certificate: 'PEM' },
    ]);
    const { unknownDevices, serverKey, serverKeyPassphrase, serverCertificate } = options;
    assert.deepEqual([unknownDevices, serverKey, serverKeyPassphrase, serverCertificate], ['accept-my-ca', ['key'], 'pass', ['cert']]);
    assert.equal('trustAnchors' in options, false);
    assert.equal(options.certificateNames, 'cn:*');
  });

  it('adds what a tls-config node holds, as text or as bytes', () => {
    const tls = { valid: true, key: Buffer.from('k2'), cert: 'c2', ca: Buffer.from('a2'), credentials: { passphrase: 'p2' } };
    const settings = migrate({ version: 6, port: 1, serverCertificate: 'c1' });
    const { serverKey, serverKeyPassphrase, serverCertificate, trustAnchors } = serverOptions(settings, { serverKey: 'k1' }, tls);
    assert.deepEqual([serverKey, serverKeyPassphrase, serverCertificate, trustAnchors], [['k1', 'k2'], 'p2', ['c1', 'c2'], ['a2']]);
  });

  it('takes the files of a tls-config node by their names, so that they are read again, and what was pasted as it is', () => {
    const node = { key: Buffer.from('k'), cert: Buffer.from('c'), ca: Buffer.from('a'), credentials: { passphrase: 'p' } };
    const files = { key: ' /keys/k.pem ', cert: '${CERT}', ca: 'ca.pem' };
    assert.deepEqual(tlsWithFiles(node, files), {
      key: '/keys/k.pem',
      cert: Buffer.from('c'),
      ca: 'ca.pem',
      credentials: { passphrase: 'p' },
    });
    assert.deepEqual(tlsWithFiles({ key: 'k', cert: 'c' }, { key: '', cert: '' }), { key: 'k', cert: 'c' });
    assert.deepEqual(tlsWithFiles({ key: 'k' }, { key: 'old.pem' }), { key: 'k' });
    assert.deepEqual(tlsWithFiles(node), node);
  });

  it('opens no port for DTLS in flows from before there was one, and none that plain CoAP has', () => {
    assert.equal('securePort' in serverOptions(migrate({ version: 3, port: 5683 })), false);
    assert.throws(
      () => serverOptions(migrate({ version: 4, port: 5683, securePort: 5683 })),
      /securePort: 5683 is the port for plain CoAP already/,
    );
  });
});

describe('lwm2m-credentials and a real server', () => {
  useFlows();

  it('adds devices with public keys and certificates, and says what is wrong with them', async () => {
    const server = createLwm2mServer({ port: 0, host: '127.0.0.1' });
    await server.start();
    try {
      await load([fakeServerNode(server as unknown as FakeServer), credentialsNode], flow);
      const [out, caught] = [new Inbox('out'), new Inbox('caught')];
      const node = helper.getNode('credentials');
      node.receive({ topic: 'add', payload: { endpoint: 'r', mode: 'rpk', publicKey: DEVICE.publicKey.toString('base64') } });
      node.receive({ topic: 'add', payload: { endpoint: 'f', mode: 'x509', certificate: DEVICE.certificate.toString('base64') } });
      node.receive({ topic: 'add', payload: { endpoint: 'x', mode: 'x509' } });
      node.receive({ topic: 'list' });
      const got = await out.take(4);
      assert.deepEqual(got[3]?.payload, [
        { endpoint: 'r', mode: 'rpk', identity: sha256(DEVICE.publicKey), source: 'runtime' },
        { endpoint: 'f', mode: 'x509', fingerprint: sha256(DEVICE.certificate), source: 'runtime' },
        { endpoint: 'x', mode: 'x509', source: 'runtime' },
      ]);
      const secret = DEVICE.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
      node.receive({ topic: 'add', payload: { endpoint: 's', mode: 'rpk', publicKey: secret } });
      node.receive({ topic: 'add', payload: { endpoint: 't', mode: 'rpk', publicKey: DEVICE.publicKey } });
      const errors = (await caught.take(2)).map((msg) => (msg as unknown as { error: { message: string } }).error.message);
      assert.match(errors[0]!, /is a private key/);
      assert.match(errors[1]!, /The device "r" has the public key .* already/);
      assert.ok(!JSON.stringify(errors).includes(secret.slice(40, 60)));
    } finally {
      await server.close();
    }
  });
});
