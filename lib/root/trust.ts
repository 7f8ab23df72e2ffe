import { createHash, type X509Certificate } from 'node:crypto';
import { DeviceCertificates, type ChainVerdict } from '../credentials/certificate-store';
import type { DeviceTable } from '../credentials/device-table';
import { endpointNames, parseNameRules, type NameRules } from '../credentials/certificate-names';
import { checkPath } from '../credentials/chain-check';
import { ServerIdentity, type ServerKeySettings } from '../credentials/server-identity';
import { AlertDescription } from '../dtls/constants';
import type { CertificateStore, OwnKey } from '../dtls/types';
import type { Clock, Identity } from '../transport/types';

interface TrustHooks {
  readonly onNotice: (text: string) => void;
  /** A CA that counted before does not count any more. */
  readonly onDistrust: () => void;
}

export interface TrustSettings extends ServerKeySettings {
  /** Which names in certificates are endpoint names, see `parseNameRules`. Default: common name, URIs, DNS names. */
  readonly certificateNames?: string | undefined;
}

const SHOWN_NAMES = 5;

/** The server's own keys and the CAs it trusts: as set at present, and what of devices counts by them. */
export class Trust {
  readonly certificates: CertificateStore;
  readonly #table: DeviceTable;
  readonly #hooks: TrustHooks;
  #identity: ServerIdentity;
  #rules: NameRules;
  #clock: Clock | undefined;
  /** What is missing and was told. */
  #missing = new Set<string>();

  /** Throws `ServerKeyError`, or RangeError for rules of names that make no sense. */
  constructor(settings: TrustSettings, table: DeviceTable, hooks: TrustHooks) {
    this.#table = table;
    this.#hooks = hooks;
    this.#identity = this.#read(settings);
    this.#rules = parseNameRules(settings.certificateNames);
    const own = (): readonly OwnKey[] => this.#identity.own;
    const anchors = (): readonly X509Certificate[] => this.#identity.anchors;
    const now = (): number => this.#now();
    const checkChain = (chain: readonly Buffer[]): Promise<ChainVerdict> => this.#judge(chain);
    this.certificates = new DeviceCertificates({ table, own, anchors, checkChain, now });
  }

  /** Whether these settings are those in use. */
  has(settings: ServerKeySettings): boolean {
    return this.#identity.isFrom(settings);
  }

  /** Reads other settings; they count when the function it returns is called. Throws as the constructor does. */
  prepare(settings: TrustSettings): () => void {
    const rules = parseNameRules(settings.certificateNames);
    const next = this.has(settings) ? this.#identity : this.#read(settings);
    return () => {
      const renamed = JSON.stringify(rules) !== JSON.stringify(this.#rules);
      this.#rules = rules;
      if (next === this.#identity) {
        if (renamed) this.#hooks.onDistrust();
        return;
      }
      const before = this.#identity;
      before.close();
      this.#identity = next;
      const still = new Set(next.anchors.map(({ fingerprint256 }) => fingerprint256));
      if (renamed || before.anchors.some(({ fingerprint256 }) => !still.has(fingerprint256))) this.#hooks.onDistrust();
      if (this.#clock) next.start();
    };
  }

  /** Looks at files and dates from now on, until `close`. */
  start(clock: Clock): void {
    this.#clock = clock;
    this.#identity.start();
  }

  close(): void {
    this.#clock = undefined;
    this.#identity.close();
  }

  /** Says once what devices of the table would need, and is not there. */
  check(): void {
    const { rpk, x509, certificate } = this.#table.proofs;
    const { own, anchors } = this.#identity;
    const missing = new Set<string>();
    if (own.length === 0 && rpk + x509 + certificate + anchors.length > 0) {
      missing.add('Devices with raw public keys or certificates cannot connect: the server has no key pair of its own. Give it one.');
    }
    if (anchors.length === 0 && (x509 > 0 || this.#table.unknownDevices === 'accept-my-ca')) {
      missing.add(
        'Devices with certificates that the table does not hold cannot connect: the server trusts no CA. Give it the certificate of one.',
      );
    }
    for (const text of missing) if (!this.#missing.has(text)) this.#hooks.onNotice(text);
    this.#missing = missing;
  }

  /** A fingerprint of what proves an identity at present, the CAs included where it is their word; undefined when nothing does. */
  proof(identity: Identity): string | undefined {
    const proof = this.#table.proof(identity);
    if (!proof) return undefined;
    const hash = createHash('sha256').update('lwm2m session').update(proof);
    if (identity.mode === 'x509' && proof.length === 0) hash.update(this.#identity.anchorsMark + JSON.stringify(this.#rules));
    return hash.digest('hex');
  }

  async #judge(chain: readonly Buffer[]): Promise<ChainVerdict> {
    const { anchors, anchorsMark } = this.#identity;
    const verdict = await checkPath(chain, anchors, this.#now());
    // Meanwhile a CA may have lost the trust it had.
    if (anchorsMark !== this.#identity.anchorsMark) return this.#judge(chain);
    if (!verdict.accepted) return { ...verdict, names: endpointNames(verdict.names, this.#rules) };
    const { leaf, until } = verdict;
    const names = endpointNames(leaf.names, this.#rules);
    if (names.length === 0 && leaf.names.length > 0) {
      const there = leaf.names.slice(0, SHOWN_NAMES).map(({ kind, name }) => `"${kind}:${name}"`);
      const detail = `the rules for names in certificates fit none of this one, ${there.join(', ')}. Change the rules, or the certificate`;
      return { accepted: false, alert: AlertDescription.CERTIFICATE_UNKNOWN, detail };
    }
    return { accepted: true, publicKey: leaf.certificate.publicKey, names, until };
  }

  #now(): number {
    return this.#clock?.wall() ?? Date.now();
  }

  #read({ serverKey, serverKeyPassphrase, serverCertificate, trustAnchors }: ServerKeySettings): ServerIdentity {
    const read: ServerIdentity = new ServerIdentity({
      serverKey,
      serverKeyPassphrase,
      serverCertificate,
      trustAnchors,
      now: () => this.#now(),
      onChange: (distrusted) => {
        if (distrusted && this.#identity === read) this.#hooks.onDistrust();
      },
      onNotice: this.#hooks.onNotice,
    });
    return read;
  }
}
