import { Code } from './codes';
import { bodyLength, type Exchange } from './exchange';
import { encodeEmpty, encodeMessage } from './message';
import { blockOption, blockSizeFor, OptionNumber, textOption, uintOption } from './options';
import type { CoapParams } from './params';
import type { Peer } from '../transport/types';
import { Type, type Option, type RequestSpec } from './types';

const EMPTY = Buffer.alloc(0);
/** Header and token, the numbers of a request and of its blocks with their heads, the mark before the payload. */
const HEAD = 4 + 8 + 32 + 1;
/** Most take one byte, long values and large numbers two more. */
const OPTION_HEAD = 3;

/** The largest block a request asks for and, as far as the peer takes messages of the size, offers. */
export function largestBlock(spec: RequestSpec, params: CoapParams, { maxMessage }: Peer): number {
  const wanted = Math.min(spec.blockSize ?? params.blockSize, params.blockSize);
  return blockSizeFor(maxMessage === undefined || bodyLength(spec) === 0 ? wanted : Math.min(wanted, maxMessage - headLength(spec)));
}

/** Bytes of a message before its payload, at most. */
function headLength({ options = [], path, query = [] }: RequestSpec): number {
  const texts = [...path, ...query].reduce((sum, text) => sum + OPTION_HEAD + Buffer.byteLength(text), 0);
  return HEAD + texts + options.reduce((sum, { value }) => sum + OPTION_HEAD + value.length, 0);
}

/** The next message of an exchange: a request, one block of its body, or the request for a later block of the answer. */
export function encodeRequest(exchange: Exchange, mid: number, params: CoapParams): Buffer {
  const { spec } = exchange;
  if (spec.code === Code.EMPTY) return encodeEmpty(Type.CON, mid);
  return encodeMessage({
    type: spec.confirmable === false ? Type.NON : Type.CON,
    code: spec.code,
    mid,
    token: exchange.token,
    options: requestOptions(exchange),
    payload: requestPayload(exchange, params),
  });
}

function requestOptions(exchange: Exchange): Option[] {
  const { spec } = exchange;
  const options: Option[] = spec.options ? [...spec.options] : [];
  const fetching = exchange.first !== null;
  // RFC 7959 3.4: Observe goes with the first message only; reading anew must not register a second time.
  if (spec.observe !== undefined && exchange.begun === null) options.push(uintOption(OptionNumber.OBSERVE, spec.observe));
  for (const segment of spec.path) options.push(textOption(OptionNumber.URI_PATH, segment));
  for (const item of spec.query ?? []) options.push(textOption(OptionNumber.URI_QUERY, item));
  if (spec.contentFormat !== undefined) options.push(uintOption(OptionNumber.CONTENT_FORMAT, spec.contentFormat));
  // Later blocks repeat Accept, or some clients go on in another format.
  const accept = spec.accept ?? (fetching ? exchange.first!.contentFormat : undefined);
  if (accept !== undefined) options.push(uintOption(OptionNumber.ACCEPT, accept));
  if (exchange.echo) options.push({ number: OptionNumber.ECHO, value: exchange.echo });
  const length = bodyLength(spec);
  if (fetching) {
    const num = exchange.received / exchange.blockSize;
    options.push(blockOption(OptionNumber.BLOCK2, { num, more: false, size: exchange.blockSize }));
  } else if (length > exchange.blockSize) {
    const more = exchange.offset + exchange.blockSize < length;
    options.push(blockOption(OptionNumber.BLOCK1, { num: exchange.offset / exchange.blockSize, more, size: exchange.blockSize }));
    if (exchange.offset === 0) options.push(uintOption(OptionNumber.SIZE1, length));
    if (exchange.tag > 0) options.push(uintOption(OptionNumber.REQUEST_TAG, exchange.tag));
  } else if (spec.blockSize !== undefined && spec.code === Code.GET) {
    options.push(blockOption(OptionNumber.BLOCK2, { num: 0, more: false, size: exchange.blockSize }));
  }
  return options;
}

/** Whether the next message needs a block that is still to be read. */
export function needsRead({ spec, first, chunk }: Exchange): boolean {
  return spec.body !== undefined && chunk === null && first === null && spec.body.size > 0;
}

function requestPayload(exchange: Exchange, params: CoapParams): Uint8Array {
  const { spec, blockSize, offset } = exchange;
  // Of a body from a source, the block that is due; see `needsRead`.
  const payload = spec.body ? (exchange.chunk ?? EMPTY) : (spec.payload ?? EMPTY);
  // A body that went in blocks is not sent again for later blocks of the answer (RFC 7959 3.3).
  if (exchange.first !== null) return offset === 0 && payload.length <= largestBlock(spec, params, exchange.state.peer) ? payload : EMPTY;
  return spec.body || payload.length <= blockSize ? payload : payload.subarray(offset, offset + blockSize);
}
