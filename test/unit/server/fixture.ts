import assert from 'node:assert/strict';
import type { Operation, OperationOptions, OperationResult, ServerEvent } from '../../../lib/server/types';
import type { DataNode, ResourceType, Value } from '../../../lib/lwm2m/types';
import * as coap from '../../support/coap-message';
import { createGround, type Ground, type GroundOptions } from '../../support/ground';
import type { Link } from '../../support/link';
import type { Address } from '../../support/virtual-network';

export const DEVICE: Address = { address: '192.0.2.10', port: 40_001 };
export const ELSEWHERE: Address = { address: '192.0.2.77', port: 50_002 };
export const LIST = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>';

const open: Ground[] = [];

/** A server of its own for one test; `closeAll` ends it and fails the test when the server reported an error of its own. */
export function createWorld(options: GroundOptions = {}): Ground {
  const ground = createGround(options);
  open.push(ground);
  return ground;
}

/** For `afterEach`. */
export function closeAll(): void {
  const errors = open.splice(0).flatMap((ground) => {
    ground.close();
    return ground.errors;
  });
  assert.deepEqual(errors, []);
}

export interface Asked {
  readonly code?: string;
  readonly path?: string;
  readonly query?: readonly (string | Buffer)[];
  readonly contentFormat?: number | undefined;
  readonly payload?: string | Buffer;
  readonly type?: coap.MessageType;
  readonly token?: Buffer;
  readonly mid?: number;
}

export interface Answered {
  readonly payload?: string | Buffer;
  readonly contentFormat?: number;
  readonly observe?: number;
  readonly options?: readonly coap.CoapOption[];
}

const bytes = (data: string | Buffer | undefined): Buffer =>
  typeof data === 'string' ? Buffer.from(data, 'utf8') : (data ?? Buffer.alloc(0));

/** A device whose every message the test writes, and whose every received message the test takes. */
export class ScriptedPeer {
  readonly inbox: coap.CoapMessage[] = [];
  readonly host: Link;
  readonly #ground: Ground;
  #mid: number;

  /** `name` is what it proves to be before it registers. */
  constructor(ground: Ground, at: Address = DEVICE, firstMid = 0x1000, name = 'dev') {
    this.#ground = ground;
    this.#mid = firstMid;
    this.host = ground.link(at, (data) => this.inbox.push(coap.decodeMessage(data)), name);
  }

  /** Long enough for a message there and its answer back. */
  tick(): void {
    this.#ground.clock.advance(2);
  }

  send(message: Parameters<typeof coap.encodeMessage>[0]): void {
    this.host.send(coap.encodeMessage(message), this.#ground.at);
  }

  /** Sends a request and gives back its message id. Confirmable unless told otherwise. */
  request(asked: Asked): number {
    const { code = '0.02', path = '/rd', query = [], contentFormat, type = coap.CON, token = Buffer.from('a1', 'hex') } = asked;
    const mid = asked.mid ?? this.#mid++;
    const options = [
      ...coap.pathOptions(path),
      ...query.map((item) => ({ number: coap.OptionNumber.UriQuery, value: bytes(item) })),
      ...(contentFormat === undefined ? [] : [coap.uintOption(coap.OptionNumber.ContentFormat, contentFormat)]),
    ];
    this.send({ type, code: coap.code(code), mid, token, options, payload: bytes(asked.payload) });
    return mid;
  }

  /** Sends a request and takes its answer, which must be the only thing that comes back. */
  ask(asked: Asked): coap.CoapMessage {
    const mid = this.request(asked);
    this.tick();
    const answer = this.take();
    if (asked.type !== coap.NON) assert.equal(answer.mid, mid, 'a piggybacked answer');
    assert.equal(answer.type, asked.type === coap.NON ? coap.NON : coap.ACK);
    assert.deepEqual(answer.token, asked.token ?? Buffer.from('a1', 'hex'));
    this.quiet();
    return answer;
  }

  /** The code of the answer to a request. */
  code(asked: Asked): string {
    return coap.codeText(this.ask(asked).code);
  }

  /** The oldest message not taken yet. */
  take(): coap.CoapMessage {
    const message = this.inbox.shift();
    assert.ok(message, 'the server sent nothing');
    return message;
  }

  /** The next request of the server, described; piggybacked on nothing. */
  takeRequest(): coap.CoapMessage {
    const message = this.take();
    assert.equal(message.type, coap.CON, 'requests are Confirmable');
    assert.ok(coap.isRequest(message), `a request, not ${coap.describeMessage(message)}`);
    return message;
  }

  quiet(): void {
    assert.deepEqual(this.inbox.map(coap.describeMessage), []);
  }

  /** Answers a request of the server by a piggybacked response. */
  answer(request: coap.CoapMessage, code: string, answered: Answered = {}): void {
    this.send({ type: coap.ACK, code: coap.code(code), mid: request.mid, token: request.token, ...content(answered) });
    this.tick();
  }

  acknowledge(message: coap.CoapMessage): void {
    this.send({ type: coap.ACK, code: 0, mid: message.mid });
    this.tick();
  }

  reset(message: coap.CoapMessage): void {
    this.send({ type: coap.RST, code: 0, mid: message.mid });
    this.tick();
  }

  /** A separate response or a notification. */
  push(token: Buffer, code: string, answered: Answered & { readonly type?: coap.MessageType } = {}): number {
    const mid = this.#mid++;
    this.send({ type: answered.type ?? coap.NON, code: coap.code(code), mid, token, ...content(answered) });
    this.tick();
    return mid;
  }

  /** Registers and returns the registration id. */
  register(options: { endpoint?: string; query?: readonly string[]; payload?: string; version?: string } = {}): string {
    const { endpoint = 'dev', query = ['lt=300'], payload = LIST, version = '1.1' } = options;
    const answer = this.ask({ query: [`ep=${endpoint}`, `lwm2m=${version}`, ...query], contentFormat: 40, payload });
    assert.equal(coap.codeText(answer.code), '2.01', answer.payload.toString());
    const [rd, id, ...rest] = coap.texts(answer, coap.OptionNumber.LocationPath);
    assert.deepEqual([rd, rest], ['rd', []]);
    assert.ok(id);
    return id;
  }
}

function content(answered: Answered): { options: coap.CoapOption[]; payload: Buffer } {
  const { contentFormat, observe, options = [], payload } = answered;
  return {
    payload: bytes(payload),
    options: [
      ...options,
      ...(contentFormat === undefined ? [] : [coap.uintOption(coap.OptionNumber.ContentFormat, contentFormat)]),
      ...(observe === undefined ? [] : [coap.uintOption(coap.OptionNumber.Observe, observe)]),
    ],
  };
}

export interface Step {
  readonly operation: Operation;
  readonly options?: OperationOptions;
  readonly endpoint?: string;
  readonly code?: string;
  readonly answer?: Answered;
}

/** Performs an operation, has the peer answer it at once, and gives back the request and the result. */
export async function perform(
  ground: Ground,
  peer: ScriptedPeer,
  step: Step,
): Promise<{ request: coap.CoapMessage; result: OperationResult }> {
  const promise = ground.server.perform(step.endpoint ?? 'dev', step.operation, step.options);
  peer.tick();
  const request = peer.takeRequest();
  peer.answer(request, step.code ?? '2.05', step.answer);
  return { request, result: await promise };
}

/** An answer of the device, or the test fails. */
export function answered(result: OperationResult): Extract<OperationResult, { kind: 'answer' }> {
  assert.equal(result.kind, 'answer', 'error' in result ? result.error : '');
  return result;
}

/** A failure, or the test fails. */
export function failed(result: OperationResult): Extract<OperationResult, { kind: 'failed' }> {
  assert.equal(result.kind, 'failed');
  return result;
}

export const at = (...ids: number[]) => ({ ids });
export const read = (...ids: number[]): Operation => ({ kind: 'Read', path: at(...ids) });
export const observe = (...ids: number[]): Operation => ({ kind: 'Observe', path: at(...ids) });
export const cancel = (...ids: number[]): Operation => ({ kind: 'ObserveCancel', path: at(...ids) });
export const node = (path: string, type: ResourceType, value: Value | null): DataNode => ({
  path: path.split('/').map(Number),
  type,
  value,
});

/** What happened, short: "registered dev", "observation-ended dev replaced". */
export function story(events: readonly ServerEvent[]): string[] {
  return events.map((event) => {
    switch (event.kind) {
      case 'refused':
        return `refused ${event.endpoint} ${event.code}`;
      case 'observation-ended':
        return `observation-ended ${event.registration.endpoint} ${event.reason}`;
      case 'command':
        return `command ${event.endpoint} ${event.result.kind === 'answer' ? event.result.result : event.result.code}`;
      case 'stats':
        return event.kind;
      case 'log':
        return `log ${event.registration?.endpoint ?? ''}`;
      default:
        return `${event.kind} ${event.registration.endpoint}`;
    }
  });
}

/** Keeps what leaves the server and what it reports in one list, in the order it happens. */
export function recordOrder(ground: Ground): string[] {
  const order: string[] = [];
  ground.tapSent((data) => order.push(`sent ${coap.codeText(coap.decodeMessage(Buffer.from(data)).code)}`));
  ground.server.subscribe((event) => order.push(event.kind));
  return order;
}
