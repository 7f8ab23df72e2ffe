import type { Deadline } from '../transport/deadlines';
import { Code } from './codes';
import { BLOCK_OVERHEAD, bodiesFull, clearTimer, type CoapContext, type Timer } from './context';
import { findUint, OptionNumber, type Block } from './options';
import { failure } from './exchange';
import type { PeerState } from './peers';
import type { BodySink, Failure, Option, RequestHead } from './types';

/** A body coming in by Block1 (RFC 7959 2.3). */
export interface Upload {
  /** Those of block 0 hold for the whole: some clients leave them out of later blocks, or send them empty. */
  readonly options: readonly Option[];
  /** What the options hold, in the blocks the limit counts in. */
  readonly optionBlocks: number;
  readonly chunks: Uint8Array[];
  /** Takes the blocks as they come; nothing is held then. */
  readonly sink: BodySink | undefined;
  /** Bytes that came; all of them count against the limits unless there is a sink. */
  length: number;
  timer: Deadline<Timer> | null;
}

/**
 * Names a block-wise transfer: method, URI and Request-Tag (RFC 7959 2.5, RFC 9175 3), never the token, which many
 * clients change with every block.
 */
export function transferKey(code: number, options: readonly Option[]): string {
  let key = String(code);
  for (const { number, value } of options) {
    if (number === OptionNumber.URI_PATH || number === OptionNumber.URI_QUERY || number === OptionNumber.REQUEST_TAG) {
      // With the length, so that no text in a segment looks like another segment.
      key += `|${number}:${value.length}:${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')}`;
    }
  }
  return key;
}

/** The part of a request that block-wise transfer puts together. */
export interface Content {
  readonly options: readonly Option[];
  readonly payload: Uint8Array;
}

/** A block for the sink of an upload. */
export interface SinkBlock {
  readonly key: string;
  readonly upload: Upload;
  readonly offset: number;
}

/** More than is taken: 4.13 with the limit (RFC 7959 2.9.3). */
export interface TooLarge {
  readonly maxBody: number;
}

/** Why an upload is dropped. */
const ANEW = failure('cancelled', 'the peer began anew');
const TOO_MANY = failure('busy', 'the peer has begun too many others');
const NO_BLOCK = failure('protocol', 'a block whose length is not its size');

/**
 * Adds one block: the whole body after the last one, or what is to go to the sink, else the code to answer, 2.31 or a
 * refusal. `head` is what of the request does not change from block to block.
 */
export function assemble(
  context: CoapContext,
  state: PeerState,
  key: string,
  block: Block,
  content: Content,
  head: (options: readonly Option[]) => RequestHead,
): Content | SinkBlock | TooLarge | number {
  const { maxTransfers, exchangeLifetime } = context.params;
  const { payload } = content;
  let upload = state.uploads?.get(key);
  if (block.num === 0) {
    // Number 0 always starts anew (RFC 7959 2.5).
    if (upload) dropUpload(context, state, key, upload, ANEW);
    if (!block.more) return content;
    // Copies: a view would keep the whole datagram alive.
    const options = content.options.map(({ number, value }) => ({ number, value: Uint8Array.prototype.slice.call(value) }));
    const optionBlocks = options.reduce((sum, { value }) => sum + value.length, 0) >> 8;
    const sink = context.sink.accept(head(options));
    if (typeof sink === 'number') return sink;
    upload = { options, optionBlocks, chunks: [], sink, length: 0, timer: null };
    // RFC 7959 4: who says up front that it will be too much need not send it.
    const maxBody = largest(context, upload);
    if ((findUint(content.options, OptionNumber.SIZE1) ?? 0) > maxBody) {
      if (sink) context.sink.bodyEnd(sink, tooLarge(maxBody));
      return { maxBody };
    }
    context.bodyBlocks += optionBlocks;
    const uploads = (state.uploads ??= new Map<string, Upload>());
    for (const [oldKey, old] of uploads) {
      if (uploads.size < maxTransfers) break;
      dropUpload(context, state, oldKey, old, TOO_MANY);
    }
    uploads.set(key, upload);
    if (state.standing === 'unproven' && !sink) context.unprovenUploads.set(upload, { state, key });
  }
  if (!upload || block.num * block.size !== upload.length) return Code.REQUEST_ENTITY_INCOMPLETE;
  if (payload.length > block.size || (block.more && payload.length !== block.size)) {
    dropUpload(context, state, key, upload, NO_BLOCK);
    return Code.BAD_REQUEST;
  }
  const maxBody = largest(context, upload);
  if (upload.length + payload.length > maxBody || (!upload.sink && bodiesFull(context, payload.length))) {
    dropUpload(context, state, key, upload, tooLarge(maxBody));
    return { maxBody };
  }
  if (upload.sink) {
    const offset = upload.length;
    upload.length += payload.length;
    upload.timer = clearTimer(context, upload.timer);
    upload.timer = context.deadlines.add(context.now + exchangeLifetime, { kind: 'upload', state, key, upload });
    return { key, upload, offset };
  }
  // A copy: a view would keep the whole datagram alive.
  upload.chunks.push(Uint8Array.prototype.slice.call(payload));
  upload.length += payload.length;
  context.bodyBytes += payload.length;
  context.bodyBlocks++;
  if (context.unprovenUploads.has(upload)) makeRoom(context, upload, payload.length + BLOCK_OVERHEAD);
  upload.timer = clearTimer(context, upload.timer);
  if (!block.more) {
    const whole = Buffer.concat(upload.chunks, upload.length);
    dropUpload(context, state, key, upload, undefined);
    return { options: upload.options, payload: whole };
  }
  upload.timer = context.deadlines.add(context.now + exchangeLifetime, { kind: 'upload', state, key, upload });
  return Code.CONTINUE;
}

/** Strangers share a quarter of the room: what they leave unfinished goes, the oldest first, and never keeps others out. */
const UNPROVEN_SHARE = 4;

function makeRoom(context: CoapContext, newest: Upload, bytes: number): void {
  context.unprovenBytes += bytes;
  for (const [upload, { state, key }] of context.unprovenUploads) {
    if (context.unprovenBytes * UNPROVEN_SHARE <= context.params.maxBodies) return;
    if (upload !== newest) dropUpload(context, state, key, upload, TOO_MANY);
  }
}

/** `why` is for the sink; undefined when the body is whole. */
export function dropUpload(context: CoapContext, state: PeerState, key: string, upload: Upload, why: Failure | undefined): void {
  upload.timer = clearTimer(context, upload.timer);
  if (!upload.sink) context.bodyBytes -= upload.length;
  context.bodyBlocks -= upload.chunks.length + upload.optionBlocks;
  if (context.unprovenUploads.delete(upload)) context.unprovenBytes -= upload.length + upload.chunks.length * BLOCK_OVERHEAD;
  if (state.uploads?.get(key) === upload) state.uploads.delete(key);
  if (upload.sink) context.sink.bodyEnd(upload.sink, why);
}

function largest(context: CoapContext, { sink }: Upload): number {
  return sink ? (sink.maxBody ?? context.params.maxStream) : context.params.maxBody;
}

const tooLarge = (maxBody: number): Failure => failure('too-large', `the body is larger than ${maxBody} bytes`);
