/** Chains of certificates that a device may show, right ones and wrong ones, made when they are asked for. */
import type { KeyObject } from 'node:crypto';
import * as asn from '@peculiar/asn1-x509';
import { critical, DAY, extension, forge, largeExponent, NOW, type Forged, type Wish } from './forge';

export interface ChainCase {
  readonly what: string;
  /** DER, the device's own first. */
  readonly chain: readonly Buffer[];
  /** Of the first certificate; undefined where there is none to prove anything with. */
  readonly privateKey: KeyObject | undefined;
  readonly publicKey: KeyObject | undefined;
  /** The CA that is trusted; default the root. */
  readonly anchor: Buffer;
  /** Undefined: it counts. Else the alert, and what is said. */
  readonly refused: RegExp | undefined;
  /** OpenSSL takes it, and we are stricter on purpose. */
  readonly stricter: boolean;
  /** OpenSSL refuses it, where RFC 5280 does not. */
  readonly milder: boolean;
}

const UNKNOWN = '1.3.6.1.4.1.32473.1';
const { KeyUsageFlags: Usage } = asn;

export function chainCorpus(): ChainCase[] {
  const root = forge({ subject: 'Root', ca: true });
  const rsaRoot = forge({ subject: 'RSA root', ca: true, key: 'rsa2048' });
  const narrowRoot = forge({ subject: 'Narrow root', ca: 0 });
  const middle = forge({ subject: 'Middle', ca: 0, by: root });
  const wide = forge({ subject: 'Wide', ca: true, by: root });
  const below = forge({ subject: 'Below', ca: true, by: wide });
  const impostor = forge({ subject: 'Root', ca: true, key: 'p384' });
  const device = (more: Partial<Wish> = {}): Forged => forge({ subject: 'dev-1', by: middle, ...more });
  const cases: ChainCase[] = [];
  const add = (
    what: string,
    chain: readonly (Forged | Buffer)[],
    refused?: RegExp,
    { anchor = root, stricter = false, milder = false }: { anchor?: Forged; stricter?: boolean; milder?: boolean } = {},
  ): void => {
    const [leaf] = chain;
    const own = leaf && !Buffer.isBuffer(leaf) ? leaf : undefined;
    const ders = chain.map((each) => (Buffer.isBuffer(each) ? each : each.der));
    cases.push({
      what,
      chain: ders,
      privateKey: own?.privateKey,
      publicKey: own?.publicKey,
      anchor: anchor.der,
      refused,
      stricter,
      milder,
    });
  };

  add('signed by the root', [device({ by: root })]);
  add('signed by a CA between', [device(), middle]);
  add('two CAs between', [device({ by: below }), below, wide]);
  add('the root shown as well', [device(), middle, root]);
  add('in another order', [device({ by: below }), wide, below]);
  add('the CA between shown twice', [device(), middle, middle]);
  add('a certificate besides that has nothing to do with it', [device(), rsaRoot, middle]);
  add('the CA between is trusted itself', [device()], undefined, { anchor: middle });
  add('on P-384', [device({ key: 'p384', subject: 'dev-384' }), middle]);
  add('with an RSA key', [device({ key: 'rsa2048', subject: 'dev-rsa' }), middle]);
  for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
    add(`signed by RSA with ${hash}`, [device({ by: rsaRoot, hash })], undefined, { anchor: rsaRoot });
    add(`signed by ECDSA with ${hash}`, [device({ hash }), middle]);
  }
  add('without extended key usage', [device({ purposes: null }), middle]);
  add('for any purpose', [device({ purposes: ['2.5.29.37.0'] }), middle], undefined, { milder: true });
  add('for servers and clients', [device({ purposes: [asn.id_kp_serverAuth, asn.id_kp_clientAuth] }), middle]);
  add('without key usage', [device({ usage: null }), middle]);
  add('without basic constraints', [device({ ca: null }), middle]);
  add('with an extension nobody has to understand', [device({ more: [extension(UNKNOWN, new Uint8Array([5, 0]).buffer)] }), middle]);
  const again = forge({ subject: 'Wide', ca: 0, by: wide, key: 'p384' });
  // Without key identifiers OpenSSL takes it for a root.
  add('a CA that gave itself a new key does not count as one more', [device({ by: again }), again, wide], undefined, { milder: true });

  add('the CA between is missing', [device()], /^48: no trusted CA has signed/);
  add('signed by itself', [forge({ subject: 'dev-1' })], /^48: /);
  add('signed by another CA of the same name', [device({ by: impostor })], /^48: /);
  add('another CA of the same name shown with it', [device({ by: impostor }), impostor], /^48: /);
  add(
    'two CAs that sign each other, and nobody else does',
    [
      device({ by: forge({ subject: 'A', ca: true, issuer: 'B', by: impostor }) }),
      forge({ subject: 'A', ca: true, issuer: 'B', by: impostor }),
    ],
    /^48: /,
  );
  add('signed by a device', [device({ by: device() }), device(), middle], /^42: .* is not that of a CA, but has signed another/);
  add(
    'signed by a device whose key may sign certificates',
    [
      device({ by: forge({ subject: 'No CA', by: root, usage: Usage.keyCertSign }) }),
      forge({ subject: 'No CA', by: root, usage: Usage.keyCertSign }),
    ],
    /^42: .* is not that of a CA/,
  );
  const mute = forge({ subject: 'Mute', by: root, ca: true, usage: Usage.cRLSign });
  add('signed by a CA that may not sign others', [device({ by: mute }), mute], /^42: .* must not sign others/);
  const plain = forge({ subject: 'Plain', by: root, ca: null, usage: null, purposes: null });
  add('signed by one without basic constraints', [device({ by: plain }), plain], /^42: .* is not that of a CA/);
  const deeper = forge({ subject: 'Deeper', ca: true, by: middle });
  add(
    'one CA more than the one between allows',
    [device({ by: deeper }), deeper, middle],
    /^42: .*Middle" allows 0 CAs below it, and there are 1/,
  );
  const under = forge({ subject: 'Under', ca: true, by: narrowRoot });
  add('one CA more than the root allows', [device({ by: under }), under], /^42: .*Narrow root" allows 0 CAs below it/, {
    anchor: narrowRoot,
  });
  add('ended', [device({ from: new Date(NOW - 3 * DAY), to: new Date(NOW - DAY) }), middle], /^45: .* ended on /);
  add('ended a second ago', [device({ from: new Date(NOW - 3 * DAY), to: new Date(NOW - 1000) }), middle], /^45: /);
  add('begins tomorrow', [device({ from: new Date(NOW + DAY) }), middle], /^42: .* is valid from /);
  const gone = forge({ subject: 'Gone', ca: true, by: root, to: new Date(NOW - DAY), from: new Date(NOW - 9 * DAY) });
  add('of a CA that has ended', [device({ by: gone }), gone], /^45: .*"CN=Gone" ended/);
  const coming = forge({ subject: 'Coming', ca: true, by: root, from: new Date(NOW + DAY) });
  add('of a CA that begins tomorrow', [device({ by: coming }), coming], /^42: .*"CN=Coming" is valid from/);
  const old = forge({ subject: 'Old root', ca: true, to: new Date(NOW - DAY), from: new Date(NOW - 9 * DAY) });
  add('of a trusted CA that has ended', [device({ by: old })], /^45: .*"CN=Old root" ended/, { anchor: old });
  add('for servers', [device({ purposes: [asn.id_kp_serverAuth] }), middle], /^42: .* is not for clients/);
  add('for signing code', [device({ purposes: [asn.id_kp_codeSigning] }), middle], /^42: .* is not for clients/);
  add('only for agreeing on keys', [device({ usage: Usage.keyAgreement }), middle], /^42: .*lacks digitalSignature/, { stricter: true });
  add(
    'with a critical extension nobody knows',
    [device({ more: [extension(UNKNOWN, new Uint8Array([5, 0]).buffer, true)] }), middle],
    /^43: .*not understood \(OID 1\.3\.6\.1\.4\.1\.32473\.1\)/,
  );
  const odd = forge({ subject: 'Odd', ca: true, by: root, more: [extension(UNKNOWN, new Uint8Array([5, 0]).buffer, true)] });
  add('of a CA with a critical extension nobody knows', [device({ by: odd }), odd], /^43: .*"CN=Odd"/);
  for (const isCritical of [true, false]) {
    const subtree = new asn.GeneralSubtree({ base: new asn.GeneralName({ dNSName: 'example' }) });
    const constraints = new asn.NameConstraints({ permittedSubtrees: new asn.GeneralSubtrees([subtree]) });
    const whole = critical(asn.id_ce_nameConstraints, constraints);
    const some = new asn.Extension({ extnID: whole.extnID, critical: isCritical, extnValue: whole.extnValue });
    const bound = forge({ subject: `Bound ${String(isCritical)}`, ca: true, by: root, more: [some] });
    add(`of a CA with ${isCritical ? 'critical ' : ''}name constraints`, [device({ by: bound }), bound], /^43: .* has a constraint/, {
      stricter: true,
    });
  }
  const twice = extension(UNKNOWN, new Uint8Array([5, 0]).buffer);
  add('with an extension twice', [device({ more: [twice, twice] }), middle], /^4[23]: /, { stricter: true });
  add('signed with SHA-1', [device({ hash: 'sha1' }), middle], /^43: .* is signed in a way that is not safe/, { stricter: true });
  add('with an RSA key of 1024 bits', [device({ key: 'rsa1024', subject: 'dev-short' }), middle], /^43: .* has a key that is not safe/, {
    stricter: true,
  });
  const short = forge({ subject: 'Short', ca: true, by: root, key: 'rsa1024' });
  add('of a CA with an RSA key of 1024 bits', [device({ by: short }), short], /^43: .*"CN=Short" has a key that is not safe/, {
    stricter: true,
  });
  add('with an Ed25519 key', [device({ key: 'ed25519', subject: 'dev-ed' }), middle], /^43: .* has a key that is not safe, or not known/, {
    stricter: true,
  });
  add('on secp256k1', [device({ key: 'secp256k1', subject: 'dev-k1' }), middle], /^43: .* has a key that is not safe, or not known/, {
    stricter: true,
  });
  add('with a spoiled signature', [device({ spoil: 'signature' }), middle], /^48: /);
  add('that names another algorithm than it was signed with', [device({ spoil: 'algorithm' }), middle], /^48: /);
  const keyless = Buffer.from(middle.der.toString('hex').replace('06072a8648ce3d0201', '06072a8648ce3d027f'), 'hex');
  add('of a CA with a key of no known kind', [device(), keyless], /^48: /);
  add('with a key of no known kind', [keyless], /^42: .*cannot be read/);
  const slow = forge({ subject: 'Slow', ca: 0, by: root, pair: largeExponent() });
  add('of a CA with an RSA key that takes long to verify by', [device({ by: slow }), slow], /^48: /, { stricter: true });
  const { der } = device();
  add('cut off', [der.subarray(0, der.length - 10), middle], /^42: .*cannot be read/);
  add('with bytes behind it', [Buffer.concat([der, Buffer.from('more')]), middle], /^42: .*cannot be read/, { stricter: true });
  add('that is none', [Buffer.from('hello'), middle], /^42: .*cannot be read/);
  add(
    'of more than 16 KiB',
    [device({ names: Array.from({ length: 400 }, (_, at) => ({ uri: `urn:dev:${'x'.repeat(40)}${at}` })) }), middle],
    /^42: .*cannot be read/,
    { stricter: true },
  );
  add('of more than eight', [device(), middle, ...Array.from({ length: 7 }, () => root)], /^42: the device shows 9 certificates/, {
    stricter: true,
  });
  return cases;
}
