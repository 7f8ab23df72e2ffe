/** A DTLS core in the open: time, datagrams, jobs and reports in the hands of the test. */
import { constants, sign, verify, type KeyObject } from 'node:crypto';
import { DtlsCore } from '../../../lib/dtls/core';
import { agree } from '../../../lib/dtls/crypto/ecdh';
import { Session } from '../../../lib/dtls/session';
import type { DtlsLimits } from '../../../lib/dtls/limits';
import type { CertificateStore, CertificateVerdict, DtlsJob, DtlsJobResult, DtlsReport, SessionChange } from '../../../lib/dtls/types';
import type { Identity, Peer, Transport } from '../../../lib/transport/types';
import { createRandom } from '../random';
import { newKeyPair } from './key-pairs';

export const IDENTITY = Buffer.from('device one');
export const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');

export interface GroundOptions {
  readonly limits?: Partial<DtlsLimits>;
  readonly suites?: readonly string[];
  readonly keys?: ReadonlyMap<string, Buffer>;
  readonly certificates?: CertificateStore;
  readonly proof?: (identity: Identity) => string | undefined;
  readonly cidPrefix?: Buffer;
  readonly persistent?: boolean;
  readonly seed?: number;
  /** Jobs wait in `jobs` until the test does them. */
  readonly holdJobs?: boolean;
  readonly now?: number;
}

export type DtlsGround = ReturnType<typeof createDtlsGround>;

const hashes: Readonly<Record<number, string>> = { 3: 'sha256', 4: 'sha256', 5: 'sha384', 6: 'sha512' };

/** Hash and padding of a signature scheme, from its number alone. */
export function signatureInput(
  scheme: number,
  key: KeyObject,
): { hash: string; key: { key: KeyObject; padding?: number; saltLength?: number } } {
  if (scheme >> 8 !== 8) return { hash: hashes[scheme >> 8] ?? 'sha1', key: { key } };
  const hash = hashes[scheme & 7] ?? 'sha1';
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants;
  return { hash, key: { key, padding, saltLength } };
}

/** Does a job at once, with node:crypto. */
export function doJob(job: DtlsJob, keys: ReadonlyMap<string, Buffer>, certificates?: CertificateStore): DtlsJobResult {
  switch (job.kind) {
    case 'psk':
      return { kind: 'psk', key: keys.get(job.identity.toString('latin1')) };
    case 'generate':
      return { kind: 'generate', key: { group: job.group, ...newKeyPair(job.group) } };
    case 'agree':
      try {
        return { kind: 'agree', shared: agree(job.own, job.point) };
      } catch (error) {
        return { kind: 'failed', error };
      }
    case 'judge':
      // In these tests it is never a promise.
      return { kind: 'judge', verdict: certificates?.judge(job.shown) as CertificateVerdict };
    case 'sign': {
      const { hash, key } = signatureInput(job.scheme, job.key);
      return { kind: 'sign', signature: sign(hash, job.data, key) };
    }
    case 'verify': {
      const { hash, key } = signatureInput(job.scheme, job.key);
      return { kind: 'verify', right: verify(hash, job.data, key, job.signature) };
    }
  }
}

export function createDtlsGround(options: GroundOptions = {}) {
  const { limits, suites, cidPrefix, persistent, seed = 1, holdJobs = false, certificates, proof } = options;
  const keys = options.keys ?? new Map([[IDENTITY.toString('latin1'), KEY]]);
  const random = createRandom(seed);
  const sent: { readonly data: Buffer; readonly to: Peer }[] = [];
  const received: { readonly data: Buffer; readonly peer: Peer }[] = [];
  const reports: DtlsReport[] = [];
  const jobs: { readonly id: number; readonly job: DtlsJob }[] = [];
  const changes: SessionChange[] = [];
  const keyLog: string[] = [];
  const routes = new Map<string, Peer>();
  /** Called for each datagram sent, when set. */
  let onSend: ((data: Buffer, to: Peer) => void) | undefined;
  let now = options.now ?? 10_000;
  const transport: Transport = { send: () => undefined, maxMessage: 1152 };

  function route(address: string, port: number): Peer {
    const key = `udp|${address}|${port}`;
    const known = routes.get(key);
    if (known) return known;
    const peer: Peer = { key, address, port, identity: { scheme: 'coap', mode: 'none', name: '' }, transport };
    routes.set(key, peer);
    return peer;
  }

  const core: DtlsCore = new DtlsCore({
    now,
    transport,
    random: { bytes: (count) => random.bytes(count), float: () => random.next() },
    sink: {
      send: (data, to) => {
        sent.push({ data, to });
        onSend?.(data, to);
      },
      receive: (data, peer) => void received.push({ data, peer }),
      report: (report) => void reports.push(report),
      work: (id, job) => {
        if (holdJobs) jobs.push({ id, job });
        else core.done(id, doJob(job, keys, certificates), now);
      },
      persist: (change) => void changes.push(change),
      keyLog: (line) => void keyLog.push(line),
    },
    ...(limits && { limits }),
    ...(suites && { suites }),
    ...(certificates && { certificates }),
    ...(proof && { proof }),
    ...(cidPrefix && { cidPrefix }),
    ...(persistent !== undefined && { persistent }),
  });

  return {
    core,
    keys,
    sent,
    received,
    reports,
    jobs,
    changes,
    keyLog,
    route,
    get now() {
      return now;
    },
    set onSend(handler: ((data: Buffer, to: Peer) => void) | undefined) {
      onSend = handler;
    },
    /** A datagram from this address; returns what was sent in answer to anybody. */
    receive(data: Buffer, from: Peer): Buffer[] {
      const before = sent.length;
      core.receive(Buffer.from(data), from, now);
      return sent.slice(before).map((item) => item.data);
    },
    /** Does what waits in `jobs`. */
    work(): void {
      for (const { id, job } of jobs.splice(0)) core.done(id, doJob(job, keys, certificates), now);
    },
    /** Lets time pass, with all that becomes due. */
    advance(ms: number): void {
      const end = now + ms;
      while (core.deadline() <= end) {
        now = Math.max(now, core.deadline());
        core.advance(now);
      }
      now = end;
    },
    /** The latest session. */
    peer(): Session {
      const peer = reports.findLast((report) => report.kind === 'established')?.peer;
      if (!(peer instanceof Session)) throw new Error('there is no session');
      return peer;
    },
    of<K extends DtlsReport['kind']>(kind: K): Extract<DtlsReport, { kind: K }>[] {
      return reports.filter((report): report is Extract<DtlsReport, { kind: K }> => report.kind === kind);
    },
  };
}
