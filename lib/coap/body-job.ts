import type { BodySink, BodySource } from './types';

/**
 * Something to be read from a source or written to a sink of a body, now or later. It belongs to a request of ours or to
 * one of a peer, which waits until `CoapCore.bodyDone` is called with the same object.
 */
export type BodyJob = {
  readonly side: 'outgoing' | 'incoming';
  /** Of the request. */
  readonly id: number;
} & (
  | { readonly kind: 'read'; readonly source: BodySource; readonly offset: number; readonly length: number }
  | { readonly kind: 'write'; readonly sink: BodySink; readonly offset: number; readonly data: Uint8Array }
);

/** What came of it: the bytes that were read (none of a write), or why it failed. */
export type BodyResult = { readonly data: Uint8Array | null } | { readonly error: string };

/** Why a result is of no use; undefined when it is as asked for. */
export function jobError(job: BodyJob, result: BodyResult): string | undefined {
  if ('error' in result) return result.error;
  if (job.kind === 'write') return undefined;
  const length = result.data?.length;
  return length === job.length ? undefined : `the source gave ${length ?? 'no'} bytes for the ${job.length} at ${job.offset}`;
}

/**
 * Does a job, and calls `done` within this call unless the source or sink takes its time. Neither throws into the engine.
 */
export function runBodyJob(job: BodyJob, done: (job: BodyJob, result: BodyResult) => void): void {
  let result: unknown;
  try {
    result = job.kind === 'read' ? job.source.read(job.offset, job.length) : job.sink.write(job.data, job.offset);
  } catch (error) {
    done(job, { error: text(error) });
    return;
  }
  if (result instanceof Promise) {
    result.then(
      (data: unknown) => done(job, { data: bytes(data) }),
      (error: unknown) => done(job, { error: text(error) }),
    );
  } else done(job, { data: bytes(result) });
}

const bytes = (data: unknown): Uint8Array | null => (data instanceof Uint8Array ? data : null);
const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
