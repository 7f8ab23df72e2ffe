import type { GroupId } from './constants';
import { AlertDescription } from './constants';
import { agree, generateEphemeral, type EphemeralKey } from './crypto/ecdh';
import { signData, verifyData } from './crypto/signature';
import type { CertificateStore, CertificateVerdict, DtlsJob, DtlsJobResult, KeyStore, PeerCertificate } from './types';

/** Key pairs of one group kept ready once the group was asked for. */
const READY = 8;
/** Jobs that wait for their turn on the loop; more are refused, and their handshakes fail. */
const MAX_WAITING = 1_000;

export interface Jobs {
  /** `done` is called once: at once for a key that the store has at hand, else later. */
  run(job: DtlsJob, done: (result: DtlsJobResult) => void): void;
}

/**
 * Does the core's jobs: look-ups at the store, key pairs from a pool that is refilled in the thread pool, and shared secrets
 * one a turn of the loop, each under a millisecond.
 */
export function createJobs(options: {
  keys: KeyStore;
  certificates?: CertificateStore | undefined;
  onError: (error: unknown) => void;
}): Jobs {
  const { keys, certificates, onError } = options;
  const pool = new Map<GroupId, EphemeralKey[]>();
  const refilling = new Set<GroupId>();
  const waiting: (() => void)[] = [];
  let scheduled = false;
  /** Signatures that are made or verified just now. */
  let aside = 0;

  function refill(group: GroupId): void {
    const ready = pool.get(group) ?? [];
    pool.set(group, ready);
    if (refilling.has(group) || ready.length >= READY) return;
    refilling.add(group);
    generateEphemeral(group).then(
      (key) => {
        ready.push(key);
        refilling.delete(group);
        refill(group);
      },
      (error: unknown) => {
        refilling.delete(group);
        onError(error);
      },
    );
  }

  function turn(): void {
    scheduled = false;
    waiting.shift()?.();
    if (waiting.length > 0) schedule();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(turn);
  }

  function lookUp(identity: Buffer, done: (result: DtlsJobResult) => void): void {
    const none = (error: unknown): void => {
      // Towards the peer a store that fails is one that does not know it.
      onError(error);
      done({ kind: 'psk', key: undefined });
    };
    let found: ReturnType<KeyStore['psk']>;
    try {
      found = keys.psk(identity);
    } catch (error) {
      none(error);
      return;
    }
    if (found instanceof Promise) found.then((key) => done({ kind: 'psk', key }), none);
    else done({ kind: 'psk', key: found });
  }

  function judge(shown: PeerCertificate, done: (result: DtlsJobResult) => void): void {
    const refuse = (error: unknown): void => {
      onError(error);
      const { INTERNAL_ERROR: alert } = AlertDescription;
      done({ kind: 'judge', verdict: { accepted: false, reason: 'bad-certificate', alert, detail: 'it could not be judged' } });
    };
    let verdict: CertificateVerdict | Promise<CertificateVerdict>;
    try {
      if (!certificates) throw new Error('there is nobody to judge certificates');
      verdict = certificates.judge(shown);
    } catch (error) {
      refuse(error);
      return;
    }
    if (verdict instanceof Promise) verdict.then((found) => done({ kind: 'judge', verdict: found }), refuse);
    else done({ kind: 'judge', verdict });
  }

  /** Signatures in the thread pool; `start` gets what is to be called with the result. */
  function sideline(start: (finish: (result: DtlsJobResult) => void) => void, done: (result: DtlsJobResult) => void): void {
    const fail = (error: unknown): void => queueMicrotask(() => done({ kind: 'failed', error }));
    if (aside >= MAX_WAITING) {
      fail(new Error('too much public-key work waits'));
      return;
    }
    try {
      start((result) => {
        aside--;
        done(result);
      });
      aside++;
    } catch (error) {
      fail(error);
    }
  }

  return {
    run(job, done) {
      switch (job.kind) {
        case 'judge':
          judge(job.shown, done);
          break;
        case 'sign':
          sideline((finish) => {
            signData(job.scheme, job.key, job.data, (error, signature) =>
              finish(signature ? { kind: 'sign', signature } : { kind: 'failed', error }),
            );
          }, done);
          break;
        case 'verify':
          sideline((finish) => verifyData(job, (right) => finish({ kind: 'verify', right })), done);
          break;
        case 'psk':
          lookUp(job.identity, done);
          break;
        case 'generate': {
          const ready = pool.get(job.group)?.shift();
          if (ready) queueMicrotask(() => done({ kind: 'generate', key: ready }));
          else
            generateEphemeral(job.group).then(
              (key) => done({ kind: 'generate', key }),
              (error: unknown) => done({ kind: 'failed', error }),
            );
          refill(job.group);
          break;
        }
        case 'agree':
          if (waiting.length >= MAX_WAITING) {
            queueMicrotask(() => done({ kind: 'failed', error: new Error('too much public-key work waits') }));
            break;
          }
          waiting.push(() => {
            try {
              done({ kind: 'agree', shared: agree(job.own, job.point) });
            } catch (error) {
              done({ kind: 'failed', error });
            }
          });
          schedule();
          break;
      }
    },
  };
}
