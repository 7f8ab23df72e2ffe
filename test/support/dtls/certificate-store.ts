/** A certificate store of tests: certain keys and certificates count, as whole bytes. */
import { createPublicKey, X509Certificate } from 'node:crypto';
import type { CertificateStore, CertificateType, CertificateVerdict, OwnKey, PeerCertificate } from '../../../lib/dtls/types';
import type { FixedKey } from './fixed-keys';

export function ownKey({ privateKey, publicKey, certificate }: FixedKey, withCertificate = true): OwnKey {
  return { privateKey, publicKey, chain: withCertificate ? [certificate] : [] };
}

export interface TestStore extends CertificateStore {
  /** What was asked for, in order. */
  readonly judged: PeerCertificate[];
  /** What the server was called, in order. */
  readonly called: (string | undefined)[];
  judge(shown: PeerCertificate): CertificateVerdict;
}

export function testStore(options: {
  own: readonly OwnKey[];
  accepts?: readonly CertificateType[];
  /** The keys for a name; default `own`. */
  ownFor?: (serverName: string | undefined) => readonly OwnKey[];
  /** Names by the hex of a SubjectPublicKeyInfo or of a certificate. */
  known: ReadonlyMap<string, string>;
}): TestStore {
  const { own, accepts = ['rpk', 'x509'], known, ownFor = () => own } = options;
  const judged: PeerCertificate[] = [];
  const called: (string | undefined)[] = [];
  return {
    judged,
    called,
    own: (serverName) => {
      called.push(serverName);
      return ownFor(serverName);
    },
    isFor: () => false,
    accepts: () => accepts,
    judge(shown): CertificateVerdict {
      judged.push(shown);
      const bytes = shown.type === 'rpk' ? shown.publicKey : (shown.chain[0] ?? Buffer.alloc(0));
      const name = known.get(bytes.toString('hex'));
      if (name === undefined) {
        return shown.type === 'rpk'
          ? { accepted: false, reason: 'unknown-key', alert: 46, detail: 'nobody has this key' }
          : { accepted: false, reason: 'bad-certificate', alert: 48, detail: 'nobody vouches for it' };
      }
      const publicKey =
        shown.type === 'rpk' ? createPublicKey({ key: bytes, format: 'der', type: 'spki' }) : new X509Certificate(bytes).publicKey;
      return { accepted: true, identity: { scheme: 'coaps', mode: shown.type, name }, publicKey };
    },
  };
}
