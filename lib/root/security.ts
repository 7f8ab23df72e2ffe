import { createHash } from 'node:crypto';
import path from 'node:path';
import { Credentials, type DeviceKeeper } from '../credentials/credentials';
import type { Revoked } from '../credentials/claims';
import { namesOf, type DeviceTable, type ListedDevice } from '../credentials/device-table';
import { DevicesFile } from '../credentials/devices-file';
import { endingText, ToldToday } from '../credentials/ending';
import type { ServerKeySettings } from '../credentials/server-identity';
import type { DeviceEntry, UnknownDevices } from '../credentials/types';
import { newCounters } from '../dtls/counters';
import { completeLimits, type DtlsLimits } from '../dtls/limits';
import type { DtlsReport } from '../dtls/types';
import type { ServerCore } from '../server/server';
import type { Registration } from '../server/types';
import { openSealer, pagesOf, type Sealer, type Store } from '../store/index';
import type { Driver } from '../transport/driver';
import type { Identity, Peer, TransportSink } from '../transport/types';
import type { UdpCounters } from '../transport/udp';
import { onExit } from './exit';
import { HandshakeWords } from './handshake-words';
import { KeyLog } from './key-log';
import { SecurePort } from './secure-port';
import { SealedSessions } from './session-store';
import { Trust, type TrustSettings } from './trust';

/** What of a server's options is about security. */
export interface SecurityOptions extends TrustSettings {
  /** Default 'refuse'. */
  readonly unknownDevices?: UnknownDevices;
  readonly devices?: readonly DeviceEntry[];
  /** A JSON file with more device entries, which win over others of the same name; watched while the server runs. */
  readonly devicesFile?: string;
  /** UDP port for CoAP over DTLS (coaps); 0 takes any free one. Default: none is opened. The port of the standard is 5684. */
  readonly securePort?: number;
  /** Limits of DTLS, see `DtlsLimits`. */
  readonly dtlsLimits?: Partial<DtlsLimits>;
  /** The file of the key that seals secrets in the store, made when it is not there. Default: beside the store's folder. */
  readonly sealFile?: string;
  /** The secrets of all DTLS sessions go to this file in the form of NSS, so that records of the network can be read. Default: nowhere. */
  readonly keyLogFile?: string;
}

/** Where the server of this security keeps things. */
export interface SecurityPlace {
  readonly driver: Driver;
  readonly sink: TransportSink;
  readonly addresses: readonly (string | undefined)[];
  readonly receiveBuffer: number | undefined;
  readonly store: Store | undefined;
  readonly storeDir: string;
  /** Of the keys of its records. */
  readonly prefix: string;
}

interface Hooks {
  readonly onNotice: (text: string) => void;
  readonly onError: (error: unknown) => void;
}

const NO_SIZES = { sessions: 0, handshakes: 0, reassemblyBytes: 0 };

/** The devices of a server, their keys, and the port on which they prove who they are. */
export class Security {
  readonly #credentials: Credentials;
  readonly #options: SecurityOptions;
  readonly #hooks: Hooks;
  readonly #words: HandshakeWords;
  readonly #trust: Trust;
  #file: DevicesFile | undefined;
  #fileName: string;
  #port: SecurePort | undefined;
  #sessions: SealedSessions | undefined;
  #keeper: DeviceKeeper | undefined;
  #core: ServerCore | undefined;
  #driver: Driver | undefined;
  #endExit: (() => unknown) | undefined;
  #configuring = false;
  /** Restored sessions by principal, for the registrations that are restored next. */
  #restored = new Map<string, Peer>();
  /** Principals of kept registrations whose sessions did not come back. */
  readonly #lost = new Set<string>();
  readonly #ending = new ToldToday();

  /** Throws `DeviceTableError`, `ServerKeyError` or RangeError on options that make no sense. */
  constructor(options: SecurityOptions, hooks: Hooks) {
    completeLimits(options.dtlsLimits);
    this.#options = options;
    this.#hooks = hooks;
    this.#fileName = options.devicesFile ?? '';
    this.#file = this.#openFile(this.#fileName);
    this.#credentials = new Credentials({
      ...dialogOf(options),
      ...(this.#file && { file: this.#file.devices }),
      keeper: { put: (endpoint, bytes) => this.#keeper?.put(endpoint, bytes), remove: (endpoint) => this.#keeper?.remove(endpoint) },
      onChange: (revoked, endpoint) => this.#changed(revoked, endpoint),
      onNotice: hooks.onNotice,
    });
    this.#trust = new Trust(options, this.table, { ...hooks, onDistrust: () => this.#endTrusted() });
    this.#words = new HandshakeWords((identity) => this.table.whyUnknown(identity));
  }

  get table(): DeviceTable {
    return this.#credentials.table;
  }

  /** The port in use; 0 where there is none. */
  get port(): number {
    return this.#port?.port ?? 0;
  }

  /** Whether this is the devices file in use. */
  reads(file: string): boolean {
    return file === this.#fileName;
  }

  /** Whether these are the server keys and trusted CAs in use. */
  has(keys: ServerKeySettings): boolean {
    return this.#trust.has(keys);
  }

  /** Reads what was kept and opens the port. Rejects with the system's error, and has then closed what it opened. */
  async open(place: SecurityPlace): Promise<void> {
    this.#driver = place.driver;
    const sealer = await this.#openStore(place);
    this.#credentials.announce();
    this.#file?.start();
    this.#trust.start(place.driver.clock);
    if (this.#options.securePort !== undefined) this.#trust.check();
    try {
      await this.#openPort(place, sealer);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** From now on sessions and changes concern the devices of this server. To be called when all is restored. */
  attach(core: ServerCore): void {
    this.#core = core;
    this.#restored.clear();
    for (const peer of this.#port?.peers() ?? []) {
      if (!this.table.proof(peer.identity)) this.#port?.closePrincipal(peer.identity);
      else core.sessionOpened(peer, this.#lost.delete(principal(peer.identity)));
    }
    core.endUnproven();
    for (const { endpoint, identity } of core.registrations()) {
      if (identity.mode !== 'none' && !this.table.mayActFor(identity, endpoint).allowed) core.revoke(endpoint, identity);
    }
  }

  /** The way to a device of a kept registration, where it had proven who it is. */
  route({ identity, address, port }: Registration): Peer | undefined {
    const restored = this.#restored.get(principal(identity));
    if (!restored) this.#lost.add(principal(identity));
    return restored ?? this.#port?.absent(identity, address, port);
  }

  counters() {
    const { handshakes, ...sizes } = this.#port?.sizes() ?? NO_SIZES;
    return { ...(this.#port?.counters ?? newCounters()), ...sizes, underWay: handshakes };
  }

  udpCounters(): Readonly<UdpCounters>[] {
    return this.#port?.udpCounters() ?? [];
  }

  keepAlive(on: boolean): void {
    this.#port?.keepAlive(on);
  }

  /** Throws `DeviceTableError` or `ServerKeyError`; then nothing has changed. Port, limits, seal and key log stay as they are. */
  configure(options: SecurityOptions): void {
    const { devicesFile = '' } = options;
    const file = devicesFile === this.#fileName ? this.#file : this.#openFile(devicesFile);
    const takeKeys = this.#trust.prepare(options);
    this.#configuring = true;
    try {
      this.#credentials.setDialog(dialogOf(options));
      takeKeys();
      if (file !== this.#file) this.#useFile(file, devicesFile);
    } finally {
      this.#configuring = false;
    }
    this.#check();
  }

  /** Throws `CredentialsError`. */
  add(device: DeviceEntry): ListedDevice {
    return this.#credentials.add(device);
  }

  replace(device: DeviceEntry): ListedDevice {
    return this.#credentials.replace(device);
  }

  remove(endpoint: string): void {
    this.#credentials.remove(endpoint);
  }

  /** Stops sending over DTLS, keeps the sessions where there is a store, and frees the port. */
  async close(): Promise<void> {
    this.#core = this.#driver = undefined;
    this.#lost.clear();
    this.#file?.close();
    this.#trust.close();
    this.#endExit?.();
    const port = this.#port;
    this.#port = undefined;
    await port?.close();
    await this.#sessions?.idle();
    this.#sessions = this.#keeper = undefined;
  }

  #openFile(file: string): DevicesFile | undefined {
    if (file === '') return undefined;
    const opened: DevicesFile = new DevicesFile({
      file,
      onChange: (devices) => {
        if (this.#file === opened) this.#credentials.setFile(devices);
      },
      onProblem: this.#hooks.onNotice,
    });
    return opened;
  }

  #useFile(file: DevicesFile | undefined, name: string): void {
    this.#file?.close();
    this.#file = file;
    this.#fileName = name;
    this.#credentials.setFile(file?.devices ?? []);
    if (this.#driver) file?.start();
  }

  /** What is missing is told of when all of a change is there: devices may come with the keys that they need. */
  #check(): void {
    if (this.#port && !this.#configuring) this.#trust.check();
  }

  async #openStore({ store, storeDir, prefix }: SecurityPlace): Promise<Sealer | undefined> {
    if (!store) return undefined;
    const { sealFile = `${path.resolve(storeDir)}.key` } = this.#options;
    const prefixes = [`${prefix}cred/`, `${prefix}dtls/`];
    const { sealer, notices } = await openSealer({ keyFile: sealFile, store, prefixes });
    for (const { text } of notices) this.#hooks.onNotice(text);
    const keyOf = (endpoint: string): string => `${prefix}cred/${createHash('sha256').update(endpoint).digest('hex')}`;
    const failed = (error: unknown): void => this.#hooks.onNotice(`A device added at run time could not be kept: ${String(error)}`);
    this.#keeper = {
      put: (endpoint, bytes) => void store.put(keyOf(endpoint), sealer.seal(keyOf(endpoint), bytes)).catch(failed),
      remove: (endpoint) => void store.delete(keyOf(endpoint)).catch(failed),
    };
    try {
      for await (const page of pagesOf(store, `${prefix}cred/`)) {
        const opened = page.map(({ key, value }) => sealer.unseal(key, value));
        this.#credentials.restore(opened.flatMap((one) => (one.ok ? [one.value] : [])));
      }
    } catch (error) {
      this.#hooks.onNotice(`Devices added at run time cannot be read from the store: ${String(error)}`);
    }
    return sealer;
  }

  async #openPort(
    { driver, sink, addresses, receiveBuffer, store, storeDir, prefix }: SecurityPlace,
    sealer: Sealer | undefined,
  ): Promise<void> {
    const { securePort, dtlsLimits, keyLogFile } = this.#options;
    if (securePort === undefined) return;
    const { onError, onNotice } = this.#hooks;
    const proof = (identity: Identity): string | undefined => this.#trust.proof(identity);
    if (store && sealer) {
      const runFile = `${path.resolve(storeDir)}-${createHash('sha256').update(prefix).digest('hex').slice(0, 16)}.run`;
      this.#sessions = new SealedSessions({ store, sealer, prefix, runFile, proof, reserve: completeLimits(dtlsLimits).reserve, onError });
    }
    if (keyLogFile) {
      onNotice(
        `The keys of all DTLS sessions are written to ${keyLogFile}. Whoever has this file can read everything: turn it off when you are done.`,
      );
    }
    this.#port = new SecurePort({
      port: securePort,
      addresses,
      receiveBuffer,
      driver,
      sink,
      key: (identity) => this.table.key(identity),
      certificates: this.#trust.certificates,
      proof,
      onReport: (report) => this.#report(report),
      onError,
      ...(dtlsLimits && { limits: dtlsLimits }),
      ...(this.#sessions && { sessions: this.#sessions }),
      ...(keyLogFile && { keyLog: new KeyLog(keyLogFile, onNotice).write }),
    });
    const port = this.#port;
    await port.open();
    this.#restored = new Map(port.peers().map((peer) => [principal(peer.identity), peer]));
    this.#endExit = onExit(() => port.stop());
  }

  /** The core of DTLS must not be called from within its reports: what follows from them comes after. */
  #report(report: DtlsReport): void {
    switch (report.kind) {
      case 'established':
        queueMicrotask(() => this.#guard(() => this.#opened(report.peer, report.validFor)));
        break;
      case 'moved':
        queueMicrotask(() => this.#guard(() => this.#core?.sessionMoved(report.peer)));
        break;
      case 'failed': {
        const news = this.#words.of(report, this.#driver?.clock.now() ?? 0);
        if (!news) break;
        const endpoint = report.claimed && this.table.endpointOf(report.claimed);
        queueMicrotask(() =>
          this.#guard(() => this.#core?.log(news.text, { reason: news.reason, ...(endpoint !== undefined && { endpoint }) })),
        );
        break;
      }
      // `established` tells the same before, and its peer is told of by `gone`.
      case 'rebind':
      case 'ended':
        break;
      default:
        report satisfies never;
    }
  }

  /** What a CA said of devices ends with the trust in it; those it still speaks for come again. */
  #endTrusted(): void {
    const trusted = ({ mode, name }: Identity): boolean => mode === 'x509' && !this.table.hasCertificate(name);
    this.#port?.dropHandshakes(trusted);
    for (const { identity } of this.#port?.peers() ?? []) if (trusted(identity)) this.#port?.closePrincipal(identity);
    for (const { endpoint, identity } of this.#core?.registrations() ?? []) if (trusted(identity)) this.#core?.revoke(endpoint, identity);
  }

  #changed(revoked: readonly Revoked[], endpoint: string | undefined): void {
    // A session by certificate may have the name of the device as an alias.
    const names = new Set(revoked.flatMap(({ mode, identity }) => (mode === 'x509' ? [identity] : [])));
    for (const { identity } of names.size > 0 ? (this.#port?.peers() ?? []) : []) {
      if (identity.mode === 'x509' && namesOf(identity).some((name) => names.has(name))) this.#port?.closePrincipal(identity);
    }
    for (const { mode, identity: name, endpoint: device } of revoked) {
      const identity: Identity = { scheme: 'coaps', mode, name };
      this.#port?.closePrincipal(identity);
      this.#core?.revoke(device, identity);
    }
    this.#core?.endUnproven(endpoint);
    this.#check();
  }

  #opened(peer: Peer, validFor: number | undefined): void {
    // Before that, `attach` sees to it.
    this.#core?.sessionOpened(peer, this.#lost.delete(principal(peer.identity)));
    if (validFor !== undefined) this.#warnOfEnd(peer.identity, validFor);
  }

  /** A certificate that ends soon is told of while its device can still come in. */
  #warnOfEnd(identity: Identity, validFor: number): void {
    const now = this.#driver?.clock.wall() ?? 0;
    const text = endingText('The certificate of the device', now + validFor, now);
    if (text === '' || this.#ending.has(principal(identity), now)) return;
    this.#core?.log(text, { endpoint: this.table.endpointOf(identity) ?? identity.name });
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#hooks.onError(error);
    }
  }
}

function dialogOf({ devices = [], unknownDevices = 'refuse' }: SecurityOptions) {
  return { devices, unknownDevices };
}

function principal({ mode, name }: Identity): string {
  return `${mode}|${name}`;
}
