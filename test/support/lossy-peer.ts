import * as coap from './coap-message';
import type { Random } from './random';
import type { VirtualClock } from './virtual-clock';
import type { Address, VirtualHost, VirtualNetwork } from './virtual-network';

/** RFC 7252 4.8. */
const ACK_TIMEOUT = 2_000;
const MAX_RETRANSMIT = 4;
const EXCHANGE_LIFETIME = 247_000;
/** How long a late answer takes: longer than any engine waits with its acknowledgement. */
export const LATE = 1_000;
/** How long a client waits for what was acknowledged, ms. */
const PATIENCE = 120_000;

export interface LossyPeerOptions {
  readonly network: VirtualNetwork;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly at: Address;
  readonly server: Address;
  /** The way to the server; default the network as it is. */
  readonly link?: (at: Address, receive: (message: Buffer) => void) => VirtualHost;
}

interface Asked {
  readonly done: (answer: coap.CoapMessage | undefined) => void;
  stop: () => void;
}

/**
 * A second reading of RFC 7252 4, for tests only: client and server, reliable, one message after the other. It shares nothing
 * with the engine. As a server it knows `/once` (answers at once with what it was sent), `/late` (the same in a separate
 * answer) and `/body` (PUT and GET in blocks, RFC 7959).
 */
export class LossyPeer {
  /** What was executed, once for each time: the payload as text. */
  readonly executed: string[] = [];
  readonly #parts: Buffer[] = [];
  #length = 0;
  retransmissions = 0;
  readonly #options: LossyPeerOptions;
  readonly #host: VirtualHost;
  readonly #answers = new Map<number, { readonly bytes: Buffer; readonly until: number }>();
  readonly #sending = new Map<number, () => void>();
  readonly #asked = new Map<string, Asked>();
  #mid: number;
  #token = 0;

  constructor(options: LossyPeerOptions) {
    this.#options = options;
    this.#mid = options.random.int(0x10000);
    const receive = (data: Buffer): void => this.#receive(coap.decodeMessage(data));
    this.#host = options.link?.(options.at, receive) ?? options.network.host(options.at, receive);
  }

  /** What was last put together from blocks, or is to be fetched. */
  get body(): Buffer {
    if (this.#parts.length > 1) this.#parts.splice(0, Infinity, Buffer.concat(this.#parts));
    return this.#parts[0] ?? Buffer.alloc(0);
  }

  /** Sends a Confirmable request; `done` gets the answer, or undefined when none came in time. */
  ask(request: Pick<coap.CoapMessage, 'code' | 'options' | 'payload'>, done: Asked['done']): void {
    const token = coap.uint((this.#token += 1));
    const key = token.toString('hex');
    const finish = (answer: coap.CoapMessage | undefined): void => {
      this.#asked.delete(key);
      patience.cancel();
      asked.stop();
      done(answer);
    };
    const patience = this.#options.clock.after(PATIENCE, () => finish(undefined));
    const asked: Asked = { done: finish, stop: () => undefined };
    this.#asked.set(key, asked);
    asked.stop = this.#confirmable({ ...request, token }, () => finish(undefined));
  }

  /** PUTs `body` to `/body` in blocks; `done` gets the last answer. */
  upload(body: Buffer, size: number, done: Asked['done'], num = 0): void {
    const more = (num + 1) * size < body.length;
    const options = [...coap.pathOptions('/body'), coap.blockOption(coap.OptionNumber.Block1, { num, more, size })];
    const payload = body.subarray(num * size, (num + 1) * size);
    this.ask({ code: coap.code('0.03'), options, payload }, (answer) => {
      if (more && answer?.code === coap.code('2.31')) this.upload(body, size, done, num + 1);
      else done(answer);
    });
  }

  /** GETs `/body` in blocks; `done` gets the whole, or undefined when a block could not be had. */
  download(size: number, done: (body: Buffer | undefined) => void, blocks: Buffer[] = []): void {
    const options = [...coap.pathOptions('/body'), coap.blockOption(coap.OptionNumber.Block2, { num: blocks.length, more: false, size })];
    this.ask({ code: coap.code('0.01'), options, payload: Buffer.alloc(0) }, (answer) => {
      const block = answer && coap.block(answer, coap.OptionNumber.Block2);
      if (!answer || block?.num !== blocks.length || answer.code !== coap.code('2.05')) {
        done(undefined);
        return;
      }
      blocks.push(answer.payload);
      if (block.more) this.download(size, done, blocks);
      else done(Buffer.concat(blocks));
    });
  }

  #receive(message: coap.CoapMessage): void {
    if (coap.isRequest(message)) this.#serve(message);
    else if (message.type === coap.ACK || message.type === coap.RST) this.#sending.get(message.mid)?.();
    if (!coap.isResponse(message)) return;
    if (message.type === coap.CON) this.#send({ type: coap.ACK, code: 0, mid: message.mid });
    this.#asked.get(message.token.toString('hex'))?.done(message);
  }

  #serve(message: coap.CoapMessage): void {
    const known = this.#answers.get(message.mid);
    if (known && known.until > this.#options.clock.now()) {
      this.#host.send(known.bytes, this.#options.server);
      return;
    }
    const { mid, token, payload } = message;
    if (coap.uriPath(message) === '/late') {
      this.executed.push(payload.toString());
      this.#options.clock.after(LATE, () => this.#confirmable({ code: coap.code('2.04'), token, payload, options: [] }));
      this.#answered(mid, this.#send({ type: coap.ACK, code: 0, mid }));
      return;
    }
    this.#answered(mid, this.#send({ type: coap.ACK, mid, token, ...this.#execute(message) }));
  }

  #answered(mid: number, bytes: Buffer): void {
    this.#answers.set(mid, { bytes, until: this.#options.clock.now() + EXCHANGE_LIFETIME });
  }

  #execute(message: coap.CoapMessage): Pick<coap.CoapMessage, 'code' | 'options' | 'payload'> {
    const { Block1, Block2 } = coap.OptionNumber;
    if (coap.uriPath(message) !== '/body') {
      this.executed.push(message.payload.toString());
      return { code: coap.code('2.04'), options: [], payload: message.payload };
    }
    if (message.code === coap.code('0.01')) {
      const { num, size } = coap.block(message, Block2) ?? { num: 0, size: 1024 };
      const more = (num + 1) * size < this.body.length;
      const payload = this.body.subarray(num * size, (num + 1) * size);
      return { code: coap.code('2.05'), options: [coap.blockOption(Block2, { num, more, size })], payload };
    }
    const block = coap.block(message, Block1) ?? { num: 0, more: false, size: 1024 };
    const options = [coap.blockOption(Block1, block)];
    if (block.num === 0) {
      this.#parts.length = 0;
      this.#length = 0;
    }
    if (this.#length !== block.num * block.size) return { code: coap.code('4.08'), options, payload: Buffer.alloc(0) };
    this.#parts.push(message.payload);
    this.#length += message.payload.length;
    return { code: coap.code(block.more ? '2.31' : '2.04'), options, payload: Buffer.alloc(0) };
  }

  /** Sends until it is acknowledged, at 0, t, 3t, 7t and 15t; at 31t it is given up. Returns what stops it. */
  #confirmable(
    message: Pick<coap.CoapMessage, 'code' | 'token' | 'options' | 'payload'>,
    givenUp: () => void = () => undefined,
  ): () => void {
    const { clock, random } = this.#options;
    const mid = (this.#mid = (this.#mid + 1) & 0xffff);
    const bytes = this.#send({ type: coap.CON, mid, ...message });
    let wait = ACK_TIMEOUT * (1 + random.next() / 2);
    let left = MAX_RETRANSMIT;
    const again = (): void => {
      if (left === 0) {
        stop();
        givenUp();
        return;
      }
      left -= 1;
      wait *= 2;
      this.retransmissions += 1;
      this.#host.send(bytes, this.#options.server);
      timer = clock.after(wait, again);
    };
    let timer = clock.after(wait, again);
    const stop = (): void => {
      this.#sending.delete(mid);
      timer.cancel();
    };
    this.#sending.set(mid, stop);
    return stop;
  }

  #send(message: Parameters<typeof coap.encodeMessage>[0]): Buffer {
    const bytes = coap.encodeMessage(message);
    this.#host.send(bytes, this.#options.server);
    return bytes;
  }
}
