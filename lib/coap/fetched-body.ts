import { Code, isSuccess } from './codes';
import { bodiesFull, type CoapContext } from './context';
import { failure, mayRestart, type Exchange } from './exchange';
import { findOption, MAX_BLOCKS, OptionNumber, type Block } from './options';
import type { BodySink, Failure, IncomingResponse } from './types';

const EMPTY = Buffer.alloc(0);

/**
 * Our side of a body that comes by Block2 (RFC 7959 2.4): takes one block. `more` means that the next one is to be asked
 * for, `whole` that all are there, `again` that the body changed and is to be read anew, `answered` that this answer is
 * no block and ends it.
 */
export function takeBlock(
  context: CoapContext,
  exchange: Exchange,
  response: IncomingResponse,
  block: Block,
): 'more' | 'whole' | 'again' | 'answered' | Failure {
  const { first } = exchange;
  if (!first && block.num !== 0) return failure('protocol', 'the answer starts in the middle of a body');
  if (first && (!sameEtag(first, response) || response.code !== first.code)) {
    if (!isSuccess(response.code)) return 'answered';
    // Asking anew must not do anything anew.
    const safe = exchange.spec.code === Code.GET || exchange.spec.code === Code.FETCH;
    if (!safe || !mayRestart(exchange)) return failure('protocol', 'the body keeps changing while it is read');
    freeBody(context, exchange);
    exchange.first = null;
    exchange.offset = 0;
    exchange.chunk = null;
    return 'again';
  }
  const { length } = response.payload;
  if (block.num * block.size !== exchange.received || length > block.size || (block.more && length !== block.size)) {
    return failure('protocol', 'a block of the answer does not follow the one before');
  }
  return keepBlock(context, exchange, response, block) ?? (block.more ? 'more' : 'whole');
}

/** Adds a block to the body; a failure when that is too large. */
export function keepBlock(context: CoapContext, exchange: Exchange, response: IncomingResponse, block: Block): Failure | undefined {
  const { length } = response.payload;
  const sink = sinkFor(exchange, response);
  const maxBody = exchange.spec.maxBody ?? (sink ? (sink.maxBody ?? context.params.maxStream) : context.params.maxBody);
  if (exchange.received + length > maxBody) return failure('too-large', `the answer is larger than ${maxBody} bytes`);
  if (!sink && bodiesFull(context, length)) return failure('too-large', 'too many bytes of unfinished bodies are held already');
  exchange.first ??= sink ? { ...response, payload: EMPTY } : response;
  exchange.received += length;
  exchange.blockSize = Math.min(exchange.blockSize, block.size);
  if (block.more && exchange.received >= exchange.blockSize * MAX_BLOCKS) {
    return failure('too-large', `the answer does not fit into blocks of ${exchange.blockSize} bytes`);
  }
  if (sink) return undefined;
  // A copy: a view would keep the whole datagram alive.
  exchange.chunks.push(Uint8Array.prototype.slice.call(response.payload));
  context.bodyBytes += length;
  context.bodyBlocks++;
  return undefined;
}

/** Where the body of this answer goes block by block, if so: errors have a text, not what was asked for. */
export function sinkFor(exchange: Exchange, response: IncomingResponse): BodySink | undefined {
  return isSuccess(response.code) ? exchange.spec.sink : undefined;
}

/** The answer with all its blocks as one body. */
export function wholeResponse(exchange: Exchange): IncomingResponse {
  return { ...exchange.first!, payload: Buffer.concat(exchange.chunks, exchange.received) };
}

export function freeBody(context: CoapContext, exchange: Exchange): void {
  if (exchange.chunks.length > 0) context.bodyBytes -= exchange.received;
  context.bodyBlocks -= exchange.chunks.length;
  exchange.received = 0;
  exchange.chunks = [];
}

function sameEtag(a: IncomingResponse, b: IncomingResponse): boolean {
  const one = findOption(a.options, OptionNumber.ETAG);
  const other = findOption(b.options, OptionNumber.ETAG);
  return one === undefined || other === undefined ? one === other : Buffer.compare(one, other) === 0;
}
