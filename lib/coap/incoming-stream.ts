import type { BodyJob } from './body-job';
import { Code } from './codes';
import type { CoapContext } from './context';
import { failure } from './exchange';
import type { Incoming } from './incoming';
import { dropUpload, type SinkBlock, type TooLarge } from './incoming-body';
import { blockOption, findTexts, findUint, OptionNumber, uintOption, type Block } from './options';
import type { PeerState } from './peers';
import { dropServed, keepServed, type Answer, type SourceBlock } from './served-body';
import { Type, type Message, type Option, type RequestHead, type ResponseSpec } from './types';

const EMPTY = Buffer.alloc(0);

/** What a request waits for while a source or a sink is at work, and what it is for. */
export type Waiting = { readonly job: BodyJob } & (
  | { readonly kind: 'upload'; readonly block: SinkBlock }
  | { readonly kind: 'first'; readonly key: string; readonly code: number; readonly options: readonly Option[] }
  | { readonly kind: 'later'; readonly block: SourceBlock }
);

/** What of a request is the same for all its blocks; `options` are those of the first. */
export function requestHead(state: PeerState, message: Message, options: readonly Option[]): RequestHead {
  return {
    peer: state.peer,
    code: message.code,
    confirmable: message.type === Type.CON,
    token: message.token,
    path: findTexts(options, OptionNumber.URI_PATH),
    query: findTexts(options, OptionNumber.URI_QUERY),
    contentFormat: findUint(options, OptionNumber.CONTENT_FORMAT),
    accept: findUint(options, OptionNumber.ACCEPT),
    options,
  };
}

/** What a block of an unfinished body is answered (RFC 7959 2.3, 2.9). */
export function blockAnswer(context: CoapContext, answer: TooLarge | number, block: Block): Answer {
  if (typeof answer !== 'number') {
    return { code: Code.REQUEST_ENTITY_TOO_LARGE, options: [uintOption(OptionNumber.SIZE1, answer.maxBody)], payload: EMPTY };
  }
  if (answer !== Code.CONTINUE) return { code: answer, options: [], payload: EMPTY };
  const option = blockOption(OptionNumber.BLOCK1, { ...block, size: Math.min(block.size, context.params.blockSize) });
  return { code: answer, options: [option], payload: EMPTY };
}

/** A block of an upload goes to its sink; the peer hears of it when it is taken. */
export function writeBlock(incoming: Incoming, block: SinkBlock, data: Uint8Array): Waiting {
  const job: BodyJob = { side: 'incoming', id: incoming.id, kind: 'write', sink: block.upload.sink!, offset: block.offset, data };
  return { kind: 'upload', block, job };
}

/** The first block of an answer that a source gives. */
export function readFirst(incoming: Incoming, key: string, spec: ResponseSpec, options: readonly Option[]): Waiting {
  const source = spec.body!;
  const length = Math.min(source.size, incoming.blockSize);
  const job: BodyJob = { side: 'incoming', id: incoming.id, kind: 'read', source, offset: 0, length };
  return { kind: 'first', key, code: spec.code, options, job };
}

/** A later block of it. */
export function readLater(incoming: Incoming, block: SourceBlock): Waiting {
  const { offset, length } = block;
  const job: BodyJob = { side: 'incoming', id: incoming.id, kind: 'read', source: block.served.source!, offset, length };
  return { kind: 'later', block, job };
}

/**
 * The answer once a job is done: `data` is what was read, `problem` why there is nothing. `whole` means that the body of
 * an upload is complete and its handler is to answer.
 */
export function afterJob(
  context: CoapContext,
  incoming: Incoming,
  waiting: Waiting,
  data: Uint8Array | null,
  problem: string | undefined,
): Answer | 'whole' {
  const { state } = incoming;
  const broken = problem === undefined ? undefined : failure('stream', problem);
  const plain = (code: number): Answer => ({ code, options: [], payload: EMPTY });
  switch (waiting.kind) {
    case 'upload': {
      const { key, upload } = waiting.block;
      // Given up meanwhile.
      if (state.uploads?.get(key) !== upload) return plain(Code.REQUEST_ENTITY_INCOMPLETE);
      const block = incoming.block1!;
      if (broken || !block.more) dropUpload(context, state, key, upload, broken);
      if (broken) return plain(Code.INTERNAL_SERVER_ERROR);
      if (!block.more) return 'whole';
      return blockAnswer(context, Code.CONTINUE, block);
    }
    case 'first': {
      const { key, code, options, job } = waiting;
      const source = job.kind === 'read' ? job.source : undefined;
      if (!source) return plain(Code.INTERNAL_SERVER_ERROR);
      const whole = source.size <= incoming.blockSize;
      if (broken || whole) context.sink.bodyEnd(source, broken);
      if (broken || !data) return plain(Code.INTERNAL_SERVER_ERROR);
      if (whole) return { code, options, payload: data };
      keepServed(context, state, key, { code, options, payload: EMPTY, source, timer: null });
      const block = blockOption(OptionNumber.BLOCK2, { num: 0, more: true, size: incoming.blockSize });
      return { code, options: [...options, block, uintOption(OptionNumber.SIZE2, source.size)], payload: data };
    }
    case 'later': {
      const { key, served, option, last } = waiting.block;
      if (broken || last) dropServed(context, state, key, served, broken);
      if (broken || !data) return plain(Code.INTERNAL_SERVER_ERROR);
      return { code: served.code, options: [...served.options, option], payload: data };
    }
    default:
      return waiting satisfies never;
  }
}
