/**
 * Lockstep conversations with the CoAP engine. The peer's side is written as text and coded by the tests' own codec:
 *
 *     t.request({ code: Code.GET, path: ['3', '0', '9'] });
 *     t.expectSent('CON GET /3/0/9 mid=$m token=$t');
 *     t.receive('ACK 2.05 mid=$m token=$t cf=0 "80"');
 *     t.expectOutcome('2.05 "80"');
 *
 * A message is `TYPE CODE` and then, in any order: a path, `mid=` and `token=` (a number and hex; `$name` stands for a
 * value seen before or to be kept), `observe= cf= accept= size1= size2= maxage=` (numbers), `b1= b2=` (number/more/size),
 * `etag= opt<number>=` (hex, `-` for empty), `query=`, and a payload: `"text"`, `hex=...` or `bytes=from..to`, a part of
 * the body `body(n)`. What a message of ours has beyond what is expected is a failure, apart from mid and token.
 */
import assert from 'node:assert/strict';
import { runBodyJob } from '../../lib/coap/body-job';
import { CoapCore } from '../../lib/coap/core';
import type { CoapParams } from '../../lib/coap/params';
import type { BodySink, IncomingRequest, ObservationReport, Outcome, RequestHead, RequestSpec, ResponseSpec } from '../../lib/coap/types';
import type { Peer, Transport } from '../../lib/transport/types';
import * as coap from './coap-message';
import { COAPS } from './scheme';
import { SecureWire } from './secure-wire';

const TYPES = ['CON', 'NON', 'ACK', 'RST'];
const METHODS = ['EMPTY', 'GET', 'POST', 'PUT', 'DELETE', 'FETCH', 'PATCH', 'iPATCH'];
const UINTS: Readonly<Record<string, number>> = {
  observe: coap.OptionNumber.Observe,
  cf: coap.OptionNumber.ContentFormat,
  accept: coap.OptionNumber.Accept,
  maxage: coap.OptionNumber.MaxAge,
  size1: coap.OptionNumber.Size1,
  size2: coap.OptionNumber.Size2,
};
const BLOCKS: Readonly<Record<string, number>> = { b1: coap.OptionNumber.Block1, b2: coap.OptionNumber.Block2 };
const START = 1_000_000;

/** A body in which every slice is recognisable. */
export function body(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 7 + (index >> 8) * 13) & 0xff));
}

export interface DialogueOptions {
  readonly params?: Partial<CoapParams>;
  /** Replaces the constant 0 behind message ids and retransmission times. */
  readonly float?: () => number;
  /** Replaces the counter behind tokens. */
  readonly bytes?: (count: number) => Uint8Array;
  /** Called for each request; without it requests wait for `respond`. */
  readonly onRequest?: (request: IncomingRequest, dialogue: Dialogue) => void;
  /** Where bodies in blocks go; without it they are put together. */
  readonly accept?: (head: RequestHead) => BodySink | number | undefined;
}

interface Sent {
  readonly data: Buffer;
  readonly peer: Peer;
  readonly at: number;
}

export function dialogue(options: DialogueOptions = {}): Dialogue {
  return new Dialogue(options);
}

export class Dialogue {
  readonly core: CoapCore;
  now = START;
  /** What the engine sent and no expectation has taken yet. */
  readonly sent: Sent[] = [];
  readonly requests: IncomingRequest[] = [];
  readonly outcomes: { readonly id: number; readonly outcome: Outcome }[] = [];
  readonly reports: ObservationReport[] = [];
  /** Ends of observations of our resources: id, path, reason. */
  readonly unobserved: string[] = [];
  /** Called at each outcome, from inside the engine. */
  onOutcome: ((id: number, outcome: Outcome) => void) | undefined;
  readonly #names = new Map<string, string>();
  readonly #peers = new Map<string, Peer>();
  /** Over coaps what is sent and received goes through DTLS. */
  readonly #wire = COAPS
    ? new SecureWire({
        now: () => this.now,
        received: (data, peer) => this.core.receive(data, peer, this.now),
        delivered: (data, name) => this.sent.push({ data, peer: this.peer(name), at: this.now }),
      })
    : undefined;
  readonly #mids = new Map<string, number>();
  #tokens = 0;

  constructor(options: DialogueOptions) {
    const bytes = (count: number): Uint8Array => {
      const token = Buffer.alloc(count);
      token.writeUInt32BE(++this.#tokens, count - 4);
      return token;
    };
    this.core = new CoapCore({
      now: this.now,
      random: { float: options.float ?? (() => 0), bytes: options.bytes ?? bytes },
      ...(options.params && { params: options.params }),
      sink: {
        send: (data, peer) => {
          if (this.#wire) peer.transport.send(data, peer);
          else this.sent.push({ data: Buffer.from(data), peer, at: this.now });
        },
        admit: (code, path) => (path[0] === 'unknown' ? 0x84 : code === 4 ? 0x85 : 0),
        request: (request) => {
          this.requests.push(request);
          options.onRequest?.(request, this);
        },
        outcome: (id, outcome) => {
          this.outcomes.push({ id, outcome });
          this.onOutcome?.(id, outcome);
        },
        observation: (report) => this.reports.push(report),
        accept: (head) => options.accept?.(head),
        unobserved: (id, path, why) => this.unobserved.push(`${id} /${path.join('/')} ${why.reason}`),
        body: (job) => runBodyJob(job, (done, result) => this.core.bodyDone(done, result, this.now)),
        bodyEnd: (ended, why) => ended.end?.(why),
      },
    });
  }

  /** The peer of a name; always the same object. */
  peer(name = 'device'): Peer {
    if (this.#wire) return this.#wire.peer(name);
    let peer = this.#peers.get(name);
    if (!peer) {
      const transport: Transport = { maxMessage: 1152, send: () => assert.fail('the core sends through its sink') };
      peer = { key: `udp|${name}`, address: name, port: 5683, identity: { scheme: 'coap', mode: 'none', name: '' }, transport };
      this.#peers.set(name, peer);
    }
    return peer;
  }

  /** Milliseconds since the conversation began. */
  get elapsed(): number {
    return this.now - START;
  }

  /** Lets time pass, ringing every alarm at its time. */
  wait(ms: number): void {
    const end = this.now + ms;
    for (let next = this.core.deadline(); next <= end; next = this.core.deadline()) {
      this.now = Math.max(this.now, next);
      this.core.advance(this.now);
    }
    this.now = end;
  }

  request(spec: RequestSpec, from?: string): number {
    return this.core.request(this.peer(from), spec, this.now);
  }

  respond(request: IncomingRequest, spec: ResponseSpec): void {
    this.core.respond(request.id, spec, this.now);
  }

  /** A message from the peer. Without `mid=` it takes a new one of its own. */
  receive(text: string, from = 'device'): void {
    this.receiveBytes(this.encode(text, from), from);
  }

  receiveBytes(data: Buffer | string, from = 'device'): void {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'hex') : data;
    if (this.#wire) this.#wire.up(bytes, from);
    else this.core.receive(bytes, this.peer(from), this.now);
  }

  /** The bytes of a message written as text. */
  encode(text: string, from = 'device'): Buffer {
    const fields = this.#resolve(parseText(text));
    if (!fields.has('mid')) {
      const mid = this.#mids.get(from) ?? 0x7000;
      this.#mids.set(from, mid + 1);
      fields.set('mid', String(mid));
    }
    return encodeFields(fields);
  }

  /** The next message of ours is this one, to this peer. Returns it. */
  expectSent(text: string, to = 'device'): coap.CoapMessage {
    const sent = this.sent.shift();
    assert.ok(sent, `nothing was sent, expected ${text}`);
    assert.equal(sent.peer.key, this.peer(to).key, 'the peer it was sent to');
    const message = coap.decodeMessage(sent.data);
    const actual = fieldsOf(message);
    const expected = parseText(text);
    for (const [name, value] of expected) {
      const had = actual.get(name) ?? '';
      if (!value.startsWith('$')) continue;
      const known = this.#names.get(value);
      if (known === undefined) this.#names.set(value, had);
      expected.set(name, known ?? had);
    }
    for (const name of ['mid', 'token']) if (!expected.has(name)) actual.delete(name);
    assert.deepEqual(Object.fromEntries([...actual].sort()), Object.fromEntries([...expected].sort()), `sent, expected ${text}`);
    return message;
  }

  /** The next message of ours is exactly these bytes. */
  expectSentBytes(data: Buffer): void {
    assert.equal(this.sent.shift()?.data.toString('hex'), data.toString('hex'));
  }

  /** Nothing was sent that no expectation has taken. */
  expectSilence(): void {
    assert.deepEqual(
      this.sent.map(({ data }) => coap.describeMessage(coap.decodeMessage(data))),
      [],
    );
  }

  /** The times, since the conversation began, at which what is not taken yet was sent; takes it all. */
  takeTimes(): number[] {
    return this.sent.splice(0).map(({ at }) => at - START);
  }

  /** The next request handed to a handler. */
  expectRequest(): IncomingRequest {
    const request = this.requests.shift();
    assert.ok(request, 'no request reached a handler');
    return request;
  }

  expectNoRequest(): void {
    assert.equal(this.requests.length, 0, 'a request reached a handler');
  }

  /**
   * The next outcome is a failure of this reason (`no-ack`), or a response: a code and a payload as in a message.
   * `id` names the request when it matters.
   */
  expectOutcome(text: string, id?: number): Outcome {
    const entry = this.outcomes.shift();
    assert.ok(entry, `no outcome, expected ${text}`);
    if (id !== undefined) assert.equal(entry.id, id, 'the request it belongs to');
    const { outcome } = entry;
    const words = parseText(`ACK ${text}`);
    if (outcome.kind === 'failed') assert.equal(outcome.reason, text, outcome.detail);
    else assert.deepEqual(outcomeFields(outcome.response.code, outcome.response.payload), outcomeFieldsOf(words));
    return outcome;
  }

  expectNoOutcome(): void {
    assert.deepEqual(this.outcomes, []);
  }

  /** The next report of an observation: `notification 2.05 "..."` or `ended 4.04`. */
  expectReport(text: string): Exclude<ObservationReport, { kind: 'lost' }> {
    const report = this.reports.shift();
    assert.ok(report, `no report, expected ${text}`);
    assert.ok(report.kind !== 'lost', `a notification is lost, expected ${text}`);
    const [kind, ...rest] = text.split(' ');
    assert.equal(report.kind, kind);
    const { code, payload } = report.response;
    assert.deepEqual(outcomeFields(code, payload), outcomeFieldsOf(parseText(`ACK ${rest.join(' ')}`)));
    return report;
  }

  /** The next report tells that a notification could not be had whole. */
  expectLost(detail: RegExp): void {
    const report = this.reports.shift();
    assert.ok(report?.kind === 'lost', `not lost, but ${report?.kind ?? 'no report'}`);
    assert.match(report.detail, detail);
  }

  expectNoReport(): void {
    assert.deepEqual(this.reports, []);
  }

  /** A value kept under `$name`. */
  value(name: string): string {
    const value = this.#names.get(name);
    assert.ok(value !== undefined, `${name} was never seen`);
    return value;
  }

  /** Lets every name be bound anew. */
  forgetNames(): void {
    this.#names.clear();
  }

  /** After the longest lifetime nothing is held any more. */
  expectNothingLeft(): void {
    this.wait(600_000);
    assert.deepEqual(nonZero(this.core.sizes()), {});
    assert.equal(this.core.deadline(), Infinity);
  }

  #resolve(fields: Map<string, string>): Map<string, string> {
    for (const [name, value] of fields) if (value.startsWith('$')) fields.set(name, this.value(value));
    return fields;
  }
}

/** An Observe that the device accepts, answered piggybacked; binds `$o` to its token. */
export function observed(t: Dialogue, spec: Partial<RequestSpec> = {}, answer = 'observe=10 "a"'): number {
  const id = t.request({ code: 1, path: ['3', '0', '9'], observe: 0, ...spec });
  const message = coap.decodeMessage(t.sent[0]!.data);
  const path = coap.uriPath(message);
  const accept = coap.number(message, coap.OptionNumber.Accept);
  t.expectSent(`CON GET ${path} observe=0 mid=$om token=$o${accept === undefined ? '' : ` accept=${accept}`}`);
  t.receive(`ACK 2.05 mid=$om token=$o ${answer}`);
  return id;
}

function nonZero(sizes: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(sizes).filter(([, size]) => size !== 0));
}

/** Text to fields; every message has `type` and `code`. */
function parseText(text: string): Map<string, string> {
  const words = text.match(/"[^"]*"|\S+/g) ?? [];
  const [type = '', code = '', ...rest] = words;
  assert.ok(TYPES.includes(type), `no message type: ${text}`);
  const fields = new Map<string, string>([['type', type]]);
  const method = METHODS.indexOf(code);
  fields.set('code', method >= 0 ? `0.0${method}` : code);
  const queries: string[] = [];
  for (const word of rest) {
    if (word.startsWith('"')) fields.set('payload', Buffer.from(word.slice(1, -1), 'utf8').toString('hex'));
    else if (word.startsWith('/')) fields.set('path', word);
    else {
      const at = word.indexOf('=');
      assert.ok(at > 0, `not understood: ${word}`);
      const name = word.slice(0, at);
      const value = word.slice(at + 1);
      if (name === 'query') queries.push(value);
      else if (name === 'hex') fields.set('payload', value);
      else if (name === 'bytes') {
        const [from, to] = value.split('..').map(Number) as [number, number];
        fields.set('payload', body(to).subarray(from).toString('hex'));
      } else {
        assert.ok(name in UINTS || name in BLOCKS || /^(mid|token|etag|opt\d+)$/.test(name), `not understood: ${word}`);
        fields.set(name, value);
      }
    }
  }
  if (queries.length > 0) fields.set('query', queries.join('&'));
  return fields;
}

function encodeFields(fields: ReadonlyMap<string, string>): Buffer {
  const options: coap.CoapOption[] = [];
  for (const [name, value] of fields) {
    const bytes = Buffer.from(value === '-' ? '' : value, 'hex');
    if (name === 'path') options.push(...coap.pathOptions(value));
    else if (name === 'query') for (const item of value.split('&')) options.push(coap.textOption(coap.OptionNumber.UriQuery, item));
    else if (name === 'etag') options.push({ number: coap.OptionNumber.ETag, value: bytes });
    else if (name.startsWith('opt')) options.push({ number: Number(name.slice(3)), value: bytes });
    else if (name in UINTS) options.push(coap.uintOption(UINTS[name]!, Number(value)));
    else if (name in BLOCKS) {
      const [num, more, size] = value.split('/').map(Number) as [number, number, number];
      options.push(coap.blockOption(BLOCKS[name]!, { num, more: more === 1, size }));
    }
  }
  const token = fields.get('token') ?? '-';
  return coap.encodeMessage({
    type: TYPES.indexOf(fields.get('type')!) as coap.MessageType,
    code: coap.code(fields.get('code')!),
    mid: Number(fields.get('mid')),
    token: Buffer.from(token === '-' ? '' : token, 'hex'),
    options,
    payload: Buffer.from(fields.get('payload') ?? '', 'hex'),
  });
}

/** The same fields `parseText` gives, of a message. */
function fieldsOf(message: coap.CoapMessage): Map<string, string> {
  const fields = new Map<string, string>([
    ['type', TYPES[message.type]!],
    ['code', coap.codeText(message.code)],
    ['mid', String(message.mid)],
    ['token', message.token.toString('hex') || '-'],
  ]);
  const known = new Map<number, string>([...Object.entries(UINTS), ...Object.entries(BLOCKS)].map(([name, number]) => [number, name]));
  for (const { number, value } of message.options) {
    const name = known.get(number);
    if (number === coap.OptionNumber.UriPath || number === coap.OptionNumber.UriQuery) continue;
    else if (number === coap.OptionNumber.ETag) fields.set('etag', value.toString('hex'));
    else if (name === undefined) fields.set(`opt${number}`, value.toString('hex') || '-');
    else if (name in UINTS) fields.set(name, String(coap.readUint(value)));
    else {
      const block = coap.block(message, number)!;
      fields.set(name, `${block.num}/${block.more ? 1 : 0}/${block.size}`);
    }
  }
  const query = coap.texts(message, coap.OptionNumber.UriQuery);
  if (coap.values(message, coap.OptionNumber.UriPath).length > 0) fields.set('path', coap.uriPath(message));
  if (query.length > 0) fields.set('query', query.join('&'));
  if (message.payload.length > 0) fields.set('payload', message.payload.toString('hex'));
  return fields;
}

const outcomeFields = (code: number, payload: Uint8Array): object => ({
  code: coap.codeText(code),
  payload: Buffer.from(payload).toString('hex'),
});

const outcomeFieldsOf = (fields: ReadonlyMap<string, string>): object => ({
  code: fields.get('code'),
  payload: fields.get('payload') ?? '',
});
