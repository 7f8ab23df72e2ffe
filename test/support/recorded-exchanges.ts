import * as coap from './coap-message';
import { decodeRecord, type Trace, type TraceRecord } from './traces';

/** A message of a trace, decoded. */
export interface Recorded {
  readonly record: TraceRecord;
  readonly message: coap.CoapMessage;
}

/** A recorded request with all that came back for it, oldest first: acknowledgements, the response, notifications. */
export interface RecordedExchange {
  readonly request: Recorded;
  readonly answers: readonly Recorded[];
}

/** A whole body the client sent, blocks put together, and what it answers. */
export interface RecordedBody {
  readonly trace: string;
  /** Index of the first record that carries it. */
  readonly index: number;
  readonly contentFormat: number | undefined;
  readonly payload: Buffer;
  readonly source: 'answer' | 'notification' | 'send';
  /** The path that was asked; empty for Send. */
  readonly path: string;
  readonly method: number;
  /** The Accept of the request. */
  readonly accept: number | undefined;
  readonly step: string;
  /** What the client said of itself in its last Register before this: parameters and object list. */
  readonly registerQuery: readonly string[];
  readonly registerLinks: string;
}

/** Every record of the trace that is CoAP. */
export function decodeTrace(trace: Trace): Recorded[] {
  return trace.records.flatMap((record) => {
    const message = decodeRecord(record);
    return message === undefined ? [] : [{ record, message }];
  });
}

/** The requests of one side with what the other side answered. */
export function exchangesOf(trace: Trace, asker: 'client' | 'server'): RecordedExchange[] {
  const from = asker === 'client' ? 'C->S' : 'S->C';
  const exchanges: { request: Recorded; answers: Recorded[] }[] = [];
  const byMid = new Map<number, { request: Recorded; answers: Recorded[] }>();
  const byToken = new Map<string, { request: Recorded; answers: Recorded[] }>();
  for (const recorded of decodeTrace(trace)) {
    const { message, record } = recorded;
    if (record.direction === from) {
      if (!coap.isRequest(message)) continue;
      const known = byMid.get(message.mid);
      const retransmitted = known !== undefined && known.request.record.bytes.equals(record.bytes);
      if (retransmitted) continue;
      const exchange = { request: recorded, answers: [] };
      exchanges.push(exchange);
      byMid.set(message.mid, exchange);
      if (message.token.length > 0) byToken.set(message.token.toString('hex'), exchange);
      continue;
    }
    if (coap.isRequest(message)) continue;
    const answered =
      message.type === coap.ACK || message.type === coap.RST ? byMid.get(message.mid) : byToken.get(message.token.toString('hex'));
    answered?.answers.push(recorded);
  }
  return exchanges;
}

/** Whether a client's request is a Register (of one block or the first of several). */
export function isRegister(message: coap.CoapMessage): boolean {
  return message.code === coap.code('0.02') && coap.uriPath(message) === '/rd';
}

/**
 * All bodies the client sent as answers to requests of the server, as notifications and as Send, with block-wise ones put together.
 * A body whose blocks are not all there is left out.
 */
export function bodiesOf(trace: Trace): RecordedBody[] {
  const bodies: RecordedBody[] = [];
  const registers = exchangesOf(trace, 'client').filter(({ request }) => isRegister(request.message));
  const inForce = (index: number): { registerQuery: readonly string[]; registerLinks: string } => {
    const past = registers.filter(({ request }) => request.record.index < index);
    const query = past.at(-1)?.request.message;
    if (query === undefined) return { registerQuery: [], registerLinks: '' };
    const first = past.findLastIndex(({ request }) => (coap.block(request.message, coap.OptionNumber.Block1)?.num ?? 0) === 0);
    const links = Buffer.concat(past.slice(first).map(({ request }) => request.message.payload)).toString('utf8');
    return { registerQuery: coap.texts(query, coap.OptionNumber.UriQuery), registerLinks: links };
  };

  const asked = exchangesOf(trace, 'server');
  asked.forEach((exchange, position) => {
    const { request } = exchange;
    if ((coap.block(request.message, coap.OptionNumber.Block2)?.num ?? 0) > 0) return;
    for (const [nth, answer] of exchange.answers.entries()) {
      if (answer.message.code !== coap.code('2.05') && answer.message.code !== coap.code('2.04')) continue;
      const payload = wholePayload(answer, asked, position);
      if (payload === undefined) continue;
      bodies.push({
        trace: trace.name,
        index: answer.record.index,
        contentFormat: coap.number(answer.message, coap.OptionNumber.ContentFormat),
        payload,
        source: nth > 0 && coap.number(answer.message, coap.OptionNumber.Observe) !== undefined ? 'notification' : 'answer',
        path: coap.uriPath(request.message),
        method: request.message.code,
        accept: coap.number(request.message, coap.OptionNumber.Accept),
        step: request.record.step,
        ...inForce(answer.record.index),
      });
    }
  });
  let upload: Buffer[] = [];
  for (const { request } of exchangesOf(trace, 'client')) {
    if (coap.uriPath(request.message) !== '/dp') continue;
    const block = coap.block(request.message, coap.OptionNumber.Block1);
    if (block === undefined || block.num === 0) upload = [];
    upload.push(request.message.payload);
    if (block?.more === true) continue;
    bodies.push({
      trace: trace.name,
      index: request.record.index,
      contentFormat: coap.number(request.message, coap.OptionNumber.ContentFormat),
      payload: Buffer.concat(upload),
      source: 'send',
      path: '/',
      method: request.message.code,
      accept: undefined,
      step: request.record.step,
      ...inForce(request.record.index),
    });
  }
  return bodies;
}

/** The payload of an answer with the blocks that were fetched after it; undefined when one is missing or of another format. */
function wholePayload(answer: Recorded, asked: readonly RecordedExchange[], position: number): Buffer | undefined {
  const first = coap.block(answer.message, coap.OptionNumber.Block2);
  if (first === undefined || (first.num === 0 && !first.more)) return answer.message.payload;
  if (first.num !== 0) return undefined;
  const path = coap.uriPath((asked[position] as RecordedExchange).request.message);
  const format = coap.number(answer.message, coap.OptionNumber.ContentFormat);
  const parts = [answer.message.payload];
  for (const { request, answers } of asked) {
    if (request.record.index < answer.record.index || coap.uriPath(request.message) !== path) continue;
    if (coap.block(request.message, coap.OptionNumber.Block2)?.num !== parts.length) return undefined;
    const next = answers.find(({ message }) => coap.isResponse(message))?.message;
    const block = next && coap.block(next, coap.OptionNumber.Block2);
    if (next === undefined || block?.num !== parts.length || coap.number(next, coap.OptionNumber.ContentFormat) !== format)
      return undefined;
    parts.push(next.payload);
    if (!block.more) return Buffer.concat(parts);
  }
  return undefined;
}
