import { Code, isSuccess } from './codes';
import { bodyLength, failure, mayRestart, type Exchange } from './exchange';
import { MAX_BLOCKS, type Block } from './options';
import type { Failure, IncomingResponse } from './types';

/**
 * Our side of a body sent by Block1 (RFC 7959 2.3, 2.5): what follows an answer. `send` means the next block, or the
 * first one again; `answered` that this is the answer to the whole.
 */
export function advanceUpload(exchange: Exchange, response: IncomingResponse, block: Block | undefined): 'send' | 'answered' | Failure {
  const { code } = response;
  const length = bodyLength(exchange.spec);
  // Once an answer comes in blocks, the body has been taken.
  if (exchange.first !== null)
    return code === Code.CONTINUE ? failure('protocol', '2.31 Continue in the middle of the answer') : 'answered';
  if (code === Code.REQUEST_ENTITY_TOO_LARGE && block && block.size < exchange.blockSize && block.size < length) {
    if (!mayRestart(exchange)) return 'answered';
    exchange.state.blockSize = block.size;
    return restart(exchange, block.size);
  }
  if (length <= exchange.blockSize) {
    return code === Code.CONTINUE ? failure('protocol', '2.31 Continue, but there is nothing to continue') : 'answered';
  }
  if (code === Code.REQUEST_ENTITY_INCOMPLETE && exchange.offset > 0 && mayRestart(exchange)) return restart(exchange, exchange.blockSize);
  const sent = exchange.offset + exchange.blockSize;
  if (sent >= length) return code === Code.CONTINUE ? failure('protocol', '2.31 Continue after the last block') : 'answered';
  // A success that names the block is about this block alone: the peer acts on each as it comes (RFC 7959 2.3, 3.2).
  if (code !== Code.CONTINUE && !(isSuccess(code) && block)) return 'answered';
  if (block && block.num !== exchange.offset / exchange.blockSize) return failure('protocol', 'the acknowledged block is not the one sent');
  exchange.offset = sent;
  exchange.chunk = null;
  if (block && block.size < exchange.blockSize) exchange.state.blockSize = exchange.blockSize = block.size;
  return checkNumbers(exchange) ?? 'send';
}

function restart(exchange: Exchange, blockSize: number): 'send' | Failure {
  exchange.blockSize = blockSize;
  exchange.offset = 0;
  exchange.chunk = null;
  return checkNumbers(exchange) ?? 'send';
}

/** Why a body cannot go in blocks of this size, if so. */
export function checkNumbers({ spec, blockSize }: Exchange): Failure | undefined {
  const length = bodyLength(spec);
  if (length <= blockSize * MAX_BLOCKS) return undefined;
  return failure('too-large', `${length} bytes do not fit into blocks of ${blockSize} bytes`);
}
