import { createHash, type X509Certificate } from 'node:crypto';
import { DeviceCertificates } from '../credentials/certificate-store';
import type { DeviceTable } from '../credentials/device-table';
import { ServerIdentity, type ServerKeySettings } from '../credentials/server-identity';
import type { CertificateStore, OwnKey } from '../dtls/types';
import type { Clock, Identity } from '../transport/types';
import { checkChain } from './chain-check';

interface TrustHooks {
  readonly onNotice: (text: string) => void;
  /** A CA that counted before does not count any more. */
  readonly onDistrust: () => void;
}

/** The server's own keys and the CAs it trusts: as set at present, and what of devices counts by them. */
export class Trust {
  readonly certificates: CertificateStore;
  readonly #table: DeviceTable;
  readonly #hooks: TrustHooks;
  #identity: ServerIdentity;
  #clock: Clock | undefined;
  /** What is missing and was told. */
  #missing = new Set<string>();

  /** Throws `ServerKeyError`. */
  constructor(settings: ServerKeySettings, table: DeviceTable, hooks: TrustHooks) {
    this.#table = table;
    this.#hooks = hooks;
    this.#identity = this.#read(settings);
    const own = (): readonly OwnKey[] => this.#identity.own;
    const anchors = (): readonly X509Certificate[] => this.#identity.anchors;
    const now = (): number => this.#now();
    this.certificates = new DeviceCertificates({ table, own, anchors, checkChain, now });
  }

  /** Whether these settings are those in use. */
  has(settings: ServerKeySettings): boolean {
    return this.#identity.isFrom(settings);
  }

  /** Reads other settings; they count when the function it returns is called. Throws `ServerKeyError`. */
  prepare(settings: ServerKeySettings): () => void {
    if (this.has(settings)) return () => undefined;
    const next = this.#read(settings);
    return () => {
      const before = this.#identity;
      before.close();
      this.#identity = next;
      const still = new Set(next.anchors.map(({ fingerprint256 }) => fingerprint256));
      if (before.anchors.some(({ fingerprint256 }) => !still.has(fingerprint256))) this.#hooks.onDistrust();
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
    if (identity.mode === 'x509' && proof.length === 0) hash.update(this.#identity.anchorsMark);
    return hash.digest('hex');
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
