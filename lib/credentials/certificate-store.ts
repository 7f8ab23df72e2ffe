import { X509Certificate, type KeyObject } from 'node:crypto';
import { AlertDescription } from '../dtls/constants';
import type { CertificateStore, CertificateType, CertificateVerdict, OwnKey, PeerCertificate } from '../dtls/types';
import type { Identity } from '../transport/types';
import type { DeviceTable } from './device-table';
import { fingerprintOf, keyProblem, publicKeyOf, spkiOf } from './public-keys';

/** What a chain of certificates is worth. */
export type ChainVerdict =
  | {
      readonly accepted: true;
      readonly publicKey: KeyObject;
      /** The names the first certificate holds, the most telling first. */
      readonly names: readonly string[];
      /** When it begins to count no more, ms since 1970. */
      readonly until: number;
    }
  | { readonly accepted: false; readonly alert: number; readonly detail: string; readonly names?: readonly string[] };

export interface CertificateStoreOptions {
  readonly table: DeviceTable;
  /** Our key pairs at present. */
  readonly own: () => readonly OwnKey[];
  /** The CAs that count at present. */
  readonly anchors: () => readonly X509Certificate[];
  /** Judges a chain (DER, the peer's own first) by the CAs that count. */
  readonly checkChain: (chain: readonly Buffer[]) => Promise<ChainVerdict>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** SubjectPublicKeyInfo of P-384 has 120 bytes; more than this is not looked at. */
const MAX_KEY = 1024;
const SHOWN_NAMES = 5;

/** What counts of raw public keys and certificates, by the device table and the CAs of the server. */
export class DeviceCertificates implements CertificateStore {
  readonly #options: CertificateStoreOptions;

  constructor(options: CertificateStoreOptions) {
    this.#options = options;
  }

  /** Of several keys those first whose certificate is for the name that the peer calls us by. */
  own(serverName: string | undefined): readonly OwnKey[] {
    const own = this.#options.own();
    if (serverName === undefined || own.length < 2) return own;
    const named = own.filter((key) => this.isFor(key, serverName));
    return named.length === 0 ? own : [...named, ...own.filter((key) => !named.includes(key))];
  }

  isFor({ chain: [leaf] }: OwnKey, serverName: string): boolean {
    return leaf !== undefined && new X509Certificate(leaf).checkHost(serverName) !== undefined;
  }

  accepts(): readonly CertificateType[] {
    const { table, own, anchors } = this.#options;
    if (own().length === 0) return [];
    const types: CertificateType[] = [];
    if (table.proofs.rpk > 0) types.push('rpk');
    if (anchors().length > 0 || table.proofs.certificate > 0) types.push('x509');
    return types;
  }

  judge(shown: PeerCertificate): CertificateVerdict | Promise<CertificateVerdict> {
    if (shown.type === 'rpk') return this.#judgeKey(shown.publicKey);
    const [leaf] = shown.chain;
    if (!leaf) return bad(AlertDescription.BAD_CERTIFICATE, 'the device shows no certificate');
    const holder = this.#options.table.holder(`certificate|${fingerprintOf(leaf)}`);
    return holder === undefined ? this.#judgeChain(shown.chain) : this.#judgeFixed(leaf, holder);
  }

  #judgeKey(der: Buffer): CertificateVerdict {
    const publicKey = der.length <= MAX_KEY ? publicKeyOf(der) : undefined;
    const problem = publicKey ? keyProblem(publicKey) : 'it is no SubjectPublicKeyInfo';
    if (!publicKey || problem !== '') {
      const detail = `the raw public key of the device cannot be used: ${problem}`;
      return { accepted: false, reason: 'unknown-key', alert: AlertDescription.UNSUPPORTED_CERTIFICATE, detail };
    }
    const identity: Identity = { scheme: 'coaps', mode: 'rpk', name: fingerprintOf(spkiOf(publicKey)) };
    if (this.#options.table.holder(`rpk|${identity.name}`) !== undefined) return { accepted: true, identity, publicKey };
    const detail = `no device has the raw public key with the SHA-256 ${identity.name}`;
    return { accepted: false, reason: 'unknown-key', alert: AlertDescription.CERTIFICATE_UNKNOWN, detail, claimed: identity };
  }

  /** The table has this very certificate: no CA is asked. Its dates count all the same. */
  #judgeFixed(leaf: Buffer, endpoint: string): CertificateVerdict {
    const identity: Identity = { scheme: 'coaps', mode: 'x509', name: endpoint };
    const { validFrom, validTo, publicKey } = new X509Certificate(leaf);
    const now = this.#options.now();
    if (now > Date.parse(validTo)) {
      return bad(AlertDescription.CERTIFICATE_EXPIRED, `the certificate of the device "${endpoint}" ended on ${validTo}`, identity);
    }
    if (now < Date.parse(validFrom)) {
      return bad(
        AlertDescription.BAD_CERTIFICATE,
        `the certificate of the device "${endpoint}" is valid from ${validFrom} on only`,
        identity,
      );
    }
    return { accepted: true, identity, publicKey, validFor: Date.parse(validTo) - now };
  }

  async #judgeChain(chain: readonly Buffer[]): Promise<CertificateVerdict> {
    const { checkChain, anchors, now } = this.#options;
    if (anchors().length === 0) {
      return bad(AlertDescription.UNKNOWN_CA, 'no device has the certificate that was shown, and the server trusts no CA');
    }
    const verdict = await checkChain(chain);
    const { names = [] } = verdict;
    const claimed = names[0] === undefined ? undefined : x509(names[0], []);
    if (!verdict.accepted) return bad(verdict.alert, verdict.detail, claimed);
    const found = this.#bind(names);
    return typeof found === 'string'
      ? bad(AlertDescription.CERTIFICATE_UNKNOWN, found, claimed)
      : { accepted: true, identity: found, publicKey: verdict.publicKey, validFor: verdict.until - now() };
  }

  /** Which device a certificate of a trusted CA stands for; else why for none. */
  #bind(names: readonly string[]): Identity | string {
    const { table } = this.#options;
    if (names.length === 0) return 'the certificate has no name in it that a device could have';
    // Of a device with one certificate alone, that one counts; no CA can give it another.
    const free = names.filter((name) => !table.hasCertificate(name));
    const first = free.find((name) => table.endpointOf(x509(name, [])) === name) ?? this.#unknown(free);
    if (first !== undefined)
      return x509(
        first,
        free.filter((name) => name !== first),
      );
    const own = names.find((name) => table.hasCertificate(name) && table.get(name)?.disabled !== true);
    if (own !== undefined) return `another certificate counts for the device "${own}": the one that the table has`;
    const known = names.find((name) => table.get(name) !== undefined);
    const entry = known === undefined ? undefined : table.get(known);
    if (known !== undefined && entry) {
      return entry.disabled
        ? `the device "${known}" is disabled`
        : `the device "${known}" of the certificate must use security mode ${entry.mode}`;
    }
    const said = names
      .slice(0, SHOWN_NAMES)
      .map((name) => `"${name}"`)
      .join(', ');
    return (
      `the certificate is for ${said}, and no device of the table has this name. ` +
      'Add the device, or set "Unknown devices" to "accept certificates of my CA"'
    );
  }

  #unknown(names: readonly string[]): string | undefined {
    const { table } = this.#options;
    return table.unknownDevices === 'accept-my-ca' ? names.find((name) => table.get(name) === undefined) : undefined;
  }
}

function x509(name: string, aliases: readonly string[]): Identity {
  return { scheme: 'coaps', mode: 'x509', name, ...(aliases.length > 0 && { aliases }) };
}

function bad(alert: number, detail: string, claimed?: Identity): CertificateVerdict {
  return { accepted: false, reason: 'bad-certificate', alert, detail, ...(claimed && { claimed }) };
}
