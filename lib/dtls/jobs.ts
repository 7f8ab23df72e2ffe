import type { GroupId } from './constants';
import { agree, generateEphemeral, type EphemeralKey } from './crypto/ecdh';
import type { DtlsJob, DtlsJobResult, KeyStore } from './types';

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
export function createJobs(options: { keys: KeyStore; onError: (error: unknown) => void }): Jobs {
  const { keys, onError } = options;
  const pool = new Map<GroupId, EphemeralKey[]>();
  const refilling = new Set<GroupId>();
  const waiting: (() => void)[] = [];
  let scheduled = false;

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

  return {
    run(job, done) {
      switch (job.kind) {
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
