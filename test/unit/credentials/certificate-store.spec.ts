import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { DeviceCertificates, type ChainVerdict } from '../../../lib/credentials/certificate-store';
import { DeviceTable } from '../../../lib/credentials/device-table';
import type { DeviceEntry, UnknownDevices } from '../../../lib/credentials/types';
import type { OwnKey } from '../../../lib/dtls/types';
import { INTERMEDIATE, LEAF, ROOT } from '../../support/chain';
import { ownKey } from '../../support/dtls/certificate-store';
import { DEVICE, P256, P384, RSA } from '../../support/dtls/fixed-keys';

const raw = (text: string): Buffer => new X509Certificate(text).raw;
const chain = [raw(LEAF), raw(INTERMEDIATE)];
const sha256 = (der: Buffer): string => createHash('sha256').update(der).digest('hex');

const UNTIL = Date.parse('2027-01-01T01:00:00Z');

interface World {
  readonly devices?: readonly DeviceEntry[];
  readonly unknownDevices?: UnknownDevices;
  readonly own?: readonly OwnKey[];
  readonly anchors?: readonly X509Certificate[];
  readonly names?: readonly string[];
  readonly verdict?: ChainVerdict;
  readonly now?: number;
}

function world({ devices = [], unknownDevices = 'refuse', own = [ownKey(P256)], anchors = [new X509Certificate(ROOT)], ...rest }: World) {
  const asked: (readonly Buffer[])[] = [];
  const accepted: ChainVerdict = {
    accepted: true,
    publicKey: new X509Certificate(LEAF).publicKey,
    names: rest.names ?? ['dev'],
    until: UNTIL,
  };
  const store = new DeviceCertificates({
    table: new DeviceTable({ devices, unknownDevices }),
    own: () => own,
    anchors: () => anchors,
    checkChain: (shown) => {
      asked.push(shown);
      return Promise.resolve(rest.verdict ?? accepted);
    },
    now: () => rest.now ?? Date.parse('2027-01-01'),
  });
  const judge = async (shown: readonly Buffer[] = chain) => {
    const verdict = await store.judge({ type: 'x509', chain: shown });
    if (verdict.accepted) return [verdict.identity.name, ...(verdict.identity.aliases ?? [])].join(' ');
    assert.equal(verdict.reason, 'bad-certificate');
    return `${verdict.alert}: ${verdict.detail}`;
  };
  return { store, asked, judge };
}

describe('what certificates and raw public keys count', () => {
  it('[CRED-050] a raw public key of the table counts; one of nobody or of a disabled device does not', () => {
    const rpk = (disabled: boolean): DeviceEntry => ({ endpoint: 'r', mode: 'rpk', publicKey: DEVICE.publicKey, disabled });
    const { store } = world({ devices: [rpk(false)] });
    const verdict = store.judge({ type: 'rpk', publicKey: DEVICE.publicKey });
    assert.ok(!(verdict instanceof Promise) && verdict.accepted);
    assert.deepEqual(verdict.identity, { scheme: 'coaps', mode: 'rpk', name: sha256(DEVICE.publicKey) });
    assert.deepEqual(verdict.publicKey.export({ format: 'der', type: 'spki' }), DEVICE.publicKey);
    const claimed = { scheme: 'coaps', mode: 'rpk', name: sha256(P384.publicKey) };
    const stranger = store.judge({ type: 'rpk', publicKey: P384.publicKey });
    assert.deepEqual(stranger, {
      accepted: false,
      reason: 'unknown-key',
      alert: 46,
      detail: `no device has the raw public key with the SHA-256 ${claimed.name}`,
      claimed,
    });
    const off = world({ devices: [rpk(true)] }).store.judge({ type: 'rpk', publicKey: DEVICE.publicKey });
    assert.ok(!(off instanceof Promise) && !off.accepted && off.reason === 'unknown-key');
  });

  it('[CRED-050] what is no key of ours to judge is refused: other kinds, other bytes, too many of them', () => {
    const { store } = world({ devices: [{ endpoint: 'r', mode: 'rpk', publicKey: DEVICE.publicKey }] });
    for (const publicKey of [RSA.publicKey, Buffer.alloc(0), Buffer.alloc(70, 0x30), Buffer.alloc(100_000, 0x30)]) {
      const verdict = store.judge({ type: 'rpk', publicKey });
      assert.ok(!(verdict instanceof Promise) && !verdict.accepted);
      assert.deepEqual([verdict.reason, verdict.alert], ['unknown-key', 43]);
    }
  });

  it('[CRED-051] the one certificate of a device counts without a CA, while it is valid, and stands for this device alone', async () => {
    const devices: DeviceEntry[] = [{ endpoint: 'f', mode: 'x509', certificate: LEAF }];
    const { judge, asked } = world({ devices, anchors: [] });
    assert.equal(await judge(), 'f');
    assert.equal(asked.length, 0);
    assert.match(await judge([raw(ROOT)]), /^48: no device has the certificate that was shown, and the server trusts no CA/);
    assert.match(await judge([]), /^42: the device shows no certificate/);
    const { validFrom, validTo } = new X509Certificate(LEAF);
    assert.match(await world({ devices, now: Date.parse(validTo) + 1 }).judge(), /^45: the certificate of the device "f" ended on /);
    assert.match(await world({ devices, now: Date.parse(validFrom) - 1 }).judge(), /^42: .* is valid from .* on only/);
  });

  it('[CRED-056] says for how long a certificate is good still: until it ends, or the first of its chain does', async () => {
    const now = Date.parse('2027-01-01');
    const goodFor = async ({ store }: ReturnType<typeof world>): Promise<number | undefined> => {
      const verdict = await store.judge({ type: 'x509', chain });
      assert.ok(verdict.accepted);
      return verdict.validFor;
    };
    const fixed: DeviceEntry = { endpoint: 'f', mode: 'x509', certificate: LEAF };
    assert.equal(await goodFor(world({ devices: [fixed], now })), Date.parse(new X509Certificate(LEAF).validTo) - now);
    assert.equal(await goodFor(world({ devices: [{ endpoint: 'dev', mode: 'x509' }], now })), UNTIL - now);
  });

  it('[CRED-051] and no other certificate does, whatever a CA says', async () => {
    const devices: DeviceEntry[] = [{ endpoint: 'dev', mode: 'x509', certificate: DEVICE.certificate }];
    for (const unknownDevices of ['refuse', 'accept-my-ca'] as const) {
      assert.match(await world({ devices, unknownDevices }).judge(), /^46: another certificate counts for the device "dev"/);
    }
    assert.equal(await world({ devices, unknownDevices: 'accept-my-ca', names: ['dev', 'new'] }).judge(), 'new');
  });

  it('[CRED-052] a certificate of a trusted CA stands for the first device among its names; the others stay names', async () => {
    const devices: DeviceEntry[] = ['b', 'c'].map((endpoint) => ({ endpoint, mode: 'x509' }));
    assert.equal(await world({ devices, names: ['a', 'c', 'b'] }).judge(), 'c a b');
    const refused: ChainVerdict = { accepted: false, alert: 48, detail: 'nobody vouches for it', names: ['b'] };
    assert.equal(await world({ devices, verdict: refused }).judge(), '48: nobody vouches for it');
    assert.match(await world({ devices, names: [] }).judge(), /^46: the certificate has no name in it/);
  });

  it('[CRED-052] a device that is unknown, disabled or of another mode is refused, with the reason', async () => {
    assert.match(
      await world({}).judge(),
      /^46: the certificate is for "dev", and no device of the table has this name\. Add the device, or set/,
    );
    assert.match(
      await world({ devices: [{ endpoint: 'dev', mode: 'x509', disabled: true }] }).judge(),
      /^46: the device "dev" is disabled$/,
    );
    assert.match(await world({ devices: [{ endpoint: 'dev', mode: 'none' }] }).judge(), /must use security mode none$/);
  });

  it('[CRED-053] an unknown device is taken where certificates of a CA are accepted, under no name of a known one', async () => {
    const unknownDevices = 'accept-my-ca';
    assert.equal(await world({ unknownDevices }).judge(), 'dev');
    const devices: DeviceEntry[] = [{ endpoint: 'off', mode: 'x509', disabled: true }];
    assert.equal(await world({ unknownDevices, devices, names: ['off', 'new'] }).judge(), 'new off');
    assert.match(await world({ unknownDevices, devices, names: ['off'] }).judge(), /^46: the device "off" is disabled$/);
    assert.match(await world({ unknownDevices, anchors: [] }).judge(), /^48: /);
  });

  it('[CRED-054] speaks of what there is: keys where devices have keys, certificates where there is a CA or a certificate', () => {
    const rpk: DeviceEntry = { endpoint: 'r', mode: 'rpk', publicKey: DEVICE.publicKey };
    const fixed: DeviceEntry = { endpoint: 'f', mode: 'x509', certificate: DEVICE.certificate };
    const accepts = (options: World) => world(options).store.accepts();
    assert.deepEqual(accepts({ devices: [rpk] }), ['rpk', 'x509']);
    assert.deepEqual(accepts({ devices: [rpk], anchors: [] }), ['rpk']);
    assert.deepEqual(accepts({ devices: [fixed], anchors: [] }), ['x509']);
    assert.deepEqual(accepts({ anchors: [] }), []);
    assert.deepEqual(accepts({ devices: [rpk, fixed], own: [] }), [], 'without a key of our own');
  });

  it('[CRED-055] shows the key first whose certificate has the name that the device asks for', () => {
    const named: OwnKey = { ...ownKey(P384), chain };
    const { store } = world({ own: [ownKey(P256), named] });
    assert.deepEqual(store.own('lwm2m.example'), [named, ownKey(P256)]);
    for (const name of [undefined, 'other.example']) assert.deepEqual(store.own(name)[0], ownKey(P256));
  });
});
