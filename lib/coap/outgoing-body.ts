import { Code, isSuccess } from './codes';
import { failure, mayRestart, type Exchange, type Failure } from './exchange';
import type { Block } from './options';
import type { IncomingResponse } from './types';

/** RFC 7959 2.2: block numbers have 20 bits. */
const MAX_BLOCKS = 0x10_0000;

/**
 * Our side of a body sent by Block1 (RFC 7959 2.3, 2.5): what follows an answer. `send` means the next block, or the
 * first one again; `answered` that this is the answer to the whole.
 */
export function advanceUpload(exchange: Exchange, response: IncomingResponse, block: Block | undefined): 'send' | 'answered' | Failure {
  const { code } = response;
  const length = exchange.spec.payload?.length ?? 0;
  // Once an answer comes in blocks, the body has been taken.
  if (exchange.first !== null)
    return code === Code.CONTINUE ? failure('protocol', '2.31 Continue in the middle of the answer') : 'answered';
  if (code === Code.REQUEST_ENTITY_TOO_LARGE && block && block.size < exchange.blockSize && block.size < length) {
    return mayRestart(exchange) ? restart(exchange, block.size) : 'answered';
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
  if (block && block.size < exchange.blockSize) exchange.blockSize = block.size;
  return checkNumbers(exchange, length);
}

function restart(exchange: Exchange, blockSize: number): 'send' | Failure {
  exchange.blockSize = blockSize;
  exchange.offset = 0;
  return checkNumbers(exchange, exchange.spec.payload?.length ?? 0);
}

function checkNumbers(exchange: Exchange, length: number): 'send' | Failure {
  if (length <= exchange.blockSize * MAX_BLOCKS) return 'send';
  return failure('too-large', `${length} bytes do not fit into blocks of ${exchange.blockSize} bytes`);
}
