import * as coap from '../coap-message';
import type { Random } from '../random';
import type { Appointment, VirtualClock } from '../virtual-clock';

/** What a device answers to a request. */
export interface Answer {
  readonly code: string;
  readonly options?: readonly coap.CoapOption[];
  readonly payload?: Buffer;
}

export interface Outgoing {
  readonly code: string;
  readonly token?: Buffer;
  readonly options?: readonly coap.CoapOption[];
  readonly payload?: Buffer;
}

/** How a Confirmable message of the device ended. */
export type Delivery =
  { readonly kind: 'acknowledged'; readonly reply?: coap.CoapMessage } | { readonly kind: 'reset' } | { readonly kind: 'lost' };

export interface MessengerOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  send(data: Buffer): void;
  /** Answers a request of the server; undefined = stay silent. */
  onRequest(request: coap.CoapMessage): Answer | undefined;
}

interface Pending {
  readonly message: coap.CoapMessage;
  readonly data: Buffer;
  readonly wantsReply: boolean;
  readonly done: (delivery: Delivery) => void;
  attempts: number;
  timer: Appointment | undefined;
}

const ACK_TIMEOUT = 2_000;
const ACK_RANDOM_FACTOR = 1.5;
const MAX_RETRANSMIT = 4;
/** How long a reply is awaited once the request is acknowledged. */
const REPLY_TIMEOUT = 60_000;
/** Answers kept for duplicates; a server sends one request at a time, so a few are plenty. */
const REMEMBERED = 32;

/** A small CoAP client and server end (RFC 7252 4.2 to 5.2): one Confirmable message at a time, retransmission, deduplication. */
export class Messenger {
  readonly counters = { requestsAnswered: 0, duplicates: 0, retransmissions: 0, resetsReceived: 0, pings: 0, malformed: 0 };
  private readonly options: MessengerOptions;
  private readonly queue: Pending[] = [];
  private readonly answered = new Map<number, Buffer | undefined>();
  private current: Pending | undefined;
  private mid: number;

  constructor(options: MessengerOptions) {
    this.options = options;
    this.mid = options.random.int(0x1_0000);
  }

  /** Sends a request and waits for its response. */
  request(outgoing: Outgoing, done: (delivery: Delivery) => void): void {
    const token = outgoing.token ?? this.options.random.bytes(this.options.random.between(1, 8));
    this.enqueue({ ...outgoing, token }, true, done);
  }

  /** Sends a Confirmable notification and waits for its acknowledgement. */
  notify(outgoing: Outgoing, done: (delivery: Delivery) => void): void {
    this.enqueue(outgoing, false, done);
  }

  /** Drops what waits, without a word. */
  clear(): void {
    this.current?.timer?.cancel();
    this.current = undefined;
    this.queue.length = 0;
  }

  receive(data: Buffer): void {
    let message: coap.CoapMessage;
    try {
      message = coap.decodeMessage(data);
    } catch {
      this.counters.malformed += 1;
      return;
    }
    if (coap.isRequest(message)) {
      this.answer(message);
      return;
    }
    if (message.code === 0 && message.type === coap.CON) {
      this.counters.pings += 1;
      this.options.send(coap.encodeMessage({ type: coap.RST, code: 0, mid: message.mid }));
      return;
    }
    if (message.type === coap.CON) this.options.send(coap.encodeMessage({ type: coap.ACK, code: 0, mid: message.mid }));
    this.match(message);
  }

  private match(message: coap.CoapMessage): void {
    const { current } = this;
    if (current === undefined) return;
    const sameMid = message.mid === current.message.mid;
    if (message.type === coap.RST) {
      if (!sameMid) return;
      this.counters.resetsReceived += 1;
      this.finish(current, { kind: 'reset' });
      return;
    }
    if (message.type === coap.ACK && !sameMid) return;
    if (message.code === 0) {
      current.timer?.cancel();
      if (!current.wantsReply) {
        this.finish(current, { kind: 'acknowledged' });
        return;
      }
      current.timer = this.options.clock.after(REPLY_TIMEOUT, () => this.finish(current, { kind: 'lost' }));
      return;
    }
    if (current.wantsReply && message.token.equals(current.message.token)) this.finish(current, { kind: 'acknowledged', reply: message });
  }

  private answer(request: coap.CoapMessage): void {
    if (this.answered.has(request.mid)) {
      this.counters.duplicates += 1;
      const before = this.answered.get(request.mid);
      if (before !== undefined) this.options.send(before);
      return;
    }
    const answer = this.options.onRequest(request);
    let data: Buffer | undefined;
    if (answer !== undefined) {
      const piggybacked = request.type === coap.CON;
      data = coap.encodeMessage({
        type: piggybacked ? coap.ACK : coap.NON,
        code: coap.code(answer.code),
        mid: piggybacked ? request.mid : this.nextMid(),
        token: request.token,
        options: answer.options ?? [],
        payload: answer.payload ?? Buffer.alloc(0),
      });
      this.counters.requestsAnswered += 1;
    }
    this.answered.set(request.mid, data);
    for (const old of this.answered.keys()) {
      if (this.answered.size <= REMEMBERED) break;
      this.answered.delete(old);
    }
    if (data !== undefined) this.options.send(data);
  }

  private enqueue(outgoing: Outgoing, wantsReply: boolean, done: (delivery: Delivery) => void): void {
    const message: coap.CoapMessage = {
      type: coap.CON,
      code: coap.code(outgoing.code),
      mid: this.nextMid(),
      token: outgoing.token ?? Buffer.alloc(0),
      options: outgoing.options ?? [],
      payload: outgoing.payload ?? Buffer.alloc(0),
    };
    this.queue.push({ message, data: coap.encodeMessage(message), wantsReply, done, attempts: 0, timer: undefined });
    this.sendNext();
  }

  private sendNext(): void {
    if (this.current !== undefined) return;
    this.current = this.queue.shift();
    if (this.current !== undefined) this.transmit(this.current, ACK_TIMEOUT * (1 + this.options.random.next() * (ACK_RANDOM_FACTOR - 1)));
  }

  private transmit(pending: Pending, timeout: number): void {
    if (pending.attempts > 0) this.counters.retransmissions += 1;
    pending.attempts += 1;
    pending.timer = this.options.clock.after(timeout, () => {
      if (pending.attempts > MAX_RETRANSMIT) this.finish(pending, { kind: 'lost' });
      else this.transmit(pending, timeout * 2);
    });
    this.options.send(pending.data);
  }

  private finish(pending: Pending, delivery: Delivery): void {
    if (this.current !== pending) return;
    pending.timer?.cancel();
    this.current = undefined;
    pending.done(delivery);
    this.sendNext();
  }

  private nextMid(): number {
    this.mid = (this.mid + 1) & 0xffff;
    return this.mid;
  }
}
