import * as coap from './coap-message';
import { exchangesOf, isRegister, type Recorded, type RecordedExchange } from './recorded-exchanges';
import type { Trace } from './traces';
import type { Appointment, VirtualClock } from './virtual-clock';
import type { Address, VirtualHost, VirtualNetwork } from './virtual-network';

export interface ReplayOptions {
  readonly trace: Trace;
  readonly network: VirtualNetwork;
  readonly clock: VirtualClock;
  /** Where the replayed client is. */
  readonly host: Address;
  readonly server: Address;
  /** How much faster (below 1) or slower the recorded times pass; default 1. */
  readonly timeScale?: number;
  /** Which of the recorded client requests are sent; default all. */
  readonly filter?: (message: coap.CoapMessage) => boolean;
}

/** One request of the client's side, as it was sent to the live server, and what came back. */
export interface ReplayedRequest {
  readonly recorded: Recorded;
  readonly sent: Buffer;
  reply?: coap.CoapMessage;
}

/** A request the live server made of the client, and what was played for it. */
export interface PlayedAnswer {
  readonly request: coap.CoapMessage;
  /** Undefined: the recording has nothing for it, 4.04 was answered. */
  readonly exchange: RecordedExchange | undefined;
}

/** The client waits this long for the answer to one request before it sends its next (RFC 7252 4.8.2, MAX_TRANSMIT_WAIT). */
const PATIENCE = 93_000;

/**
 * Plays the client's side of a trace against a live server. Requests of the client leave at their recorded times (one at a time,
 * so never before the one before is answered) with their recorded bytes, but for the registration id in `/rd/<id>`, which is the
 * live server's. Requests of the live server get the recorded answers to the recorded request that resembles them most, with the
 * live message id and token.
 */
export class ReplayingPeer {
  readonly requests: ReplayedRequest[] = [];
  readonly played: PlayedAnswer[] = [];
  /** Recorded registration id -> the id the live server gave. */
  readonly registrationIds = new Map<string, string>();
  /** Resets the live server sent, by message id of ours. */
  readonly resets: number[] = [];
  readonly acknowledged: number[] = [];
  private readonly options: ReplayOptions;
  private readonly host: VirtualHost;
  private readonly script: readonly RecordedExchange[];
  private readonly answers: readonly RecordedExchange[];
  private readonly cursors = new Map<string, number>();
  private readonly answered = new Map<number, Buffer[]>();
  /** By message id of a notification: all that is still to be played of its exchange. */
  private readonly playing = new Map<number, Appointment[]>();
  private readonly waiting: RecordedExchange[] = [];
  private outstanding: { readonly request: ReplayedRequest; readonly exchange: RecordedExchange; readonly giveUp: Appointment } | undefined;
  private left: number;

  constructor(options: ReplayOptions) {
    this.options = options;
    this.script = exchangesOf(options.trace, 'client').filter(({ request }) => options.filter?.(request.message) ?? true);
    this.answers = exchangesOf(options.trace, 'server');
    this.left = this.script.length;
    this.host = options.network.host(options.host, (data, from) => {
      if (from.port === options.server.port && from.address === options.server.address) this.receive(data);
    });
  }

  /** Schedules the client's requests. The first leaves at once, the others keep their distance to it. */
  start(): void {
    const first = this.script[0]?.request.record.time ?? 0;
    for (const exchange of this.script) {
      this.options.clock.after((exchange.request.record.time - first) * (this.options.timeScale ?? 1), () => {
        this.waiting.push(exchange);
        this.sendNext();
      });
    }
  }

  /** All recorded requests were sent and answered, or given up. */
  get finished(): boolean {
    return this.left === 0;
  }

  /** The registrations among the requests, in order: the one with the last block where it came in blocks. */
  get registers(): ReplayedRequest[] {
    return this.requests.filter(
      ({ recorded: { message } }) => isRegister(message) && coap.block(message, coap.OptionNumber.Block1)?.more !== true,
    );
  }

  close(): void {
    for (const rest of this.playing.values()) for (const appointment of rest) appointment.cancel();
    this.host.close();
  }

  private sendNext(): void {
    if (this.outstanding !== undefined) return;
    const exchange = this.waiting.shift();
    if (exchange === undefined) return;
    const request: ReplayedRequest = { recorded: exchange.request, sent: this.withLiveId(exchange.request) };
    this.requests.push(request);
    this.outstanding = { request, exchange, giveUp: this.options.clock.after(PATIENCE, () => this.done()) };
    this.host.send(request.sent, this.options.server);
  }

  private done(): void {
    this.outstanding?.giveUp.cancel();
    this.outstanding = undefined;
    this.left -= 1;
    this.sendNext();
  }

  private withLiveId({ message, record }: Recorded): Buffer {
    const [first, id, ...others] = coap.texts(message, coap.OptionNumber.UriPath);
    const live = first === 'rd' && id !== undefined && others.length === 0 ? this.registrationIds.get(id) : undefined;
    if (live === undefined) return record.bytes;
    const rest = message.options.filter((option) => option.number !== coap.OptionNumber.UriPath);
    return coap.encodeMessage({ ...message, options: [...coap.pathOptions(`/rd/${live}`), ...rest] });
  }

  private receive(data: Buffer): void {
    const message = coap.decodeMessage(data);
    if (coap.isRequest(message)) {
      this.answer(message);
      return;
    }
    if (message.code === 0 && message.type === coap.CON) {
      this.host.send(coap.encodeMessage({ ...message, type: coap.RST }), this.options.server);
      return;
    }
    if (message.code === 0 && message.type === coap.RST) {
      this.reset(message.mid);
      return;
    }
    if (message.code === 0 && message.type === coap.ACK) return void this.acknowledged.push(message.mid);
    if (message.type === coap.CON) this.host.send(coap.encodeMessage({ type: coap.ACK, code: 0, mid: message.mid }), this.options.server);
    this.response(message);
  }

  private response(message: coap.CoapMessage): void {
    const { outstanding } = this;
    if (outstanding === undefined) return;
    const asked = outstanding.exchange.request.message;
    if (message.type === coap.ACK && message.mid !== asked.mid) return;
    if (!message.token.equals(asked.token)) return;
    outstanding.request.reply = message;
    this.learnId(outstanding.exchange, message);
    this.done();
  }

  private learnId(exchange: RecordedExchange, reply: coap.CoapMessage): void {
    const recorded = exchange.answers
      .map(({ message }) => coap.texts(message, coap.OptionNumber.LocationPath)[1])
      .find((id) => id !== undefined);
    const live = coap.texts(reply, coap.OptionNumber.LocationPath)[1];
    if (recorded !== undefined && live !== undefined) this.registrationIds.set(recorded, live);
  }

  private reset(mid: number): void {
    this.resets.push(mid);
    // A Reset to a notification ends its observation (RFC 7641 3.6).
    for (const appointment of this.playing.get(mid) ?? []) appointment.cancel();
  }

  private answer(request: coap.CoapMessage): void {
    const before = this.answered.get(request.mid);
    if (before !== undefined) {
      before.forEach((data) => this.host.send(data, this.options.server));
      return;
    }
    const sent: Buffer[] = [];
    this.answered.set(request.mid, sent);
    const exchange = this.find(request);
    this.played.push({ request, exchange });
    if (exchange === undefined) {
      sent.push(coap.encodeMessage({ type: coap.ACK, code: coap.code('4.04'), mid: request.mid, token: request.token }));
      this.host.send(sent[0] as Buffer, this.options.server);
      return;
    }
    const rest: Appointment[] = [];
    for (const { message, record } of exchange.answers) {
      const live = this.translate(message, exchange.request.message, request);
      if (live.mid !== request.mid) this.playing.set(live.mid, rest);
      rest.push(
        this.options.clock.after(record.time - exchange.request.record.time, () => {
          const data = coap.encodeMessage(live);
          if (sent.length === 0) sent.push(data);
          this.host.send(data, this.options.server);
        }),
      );
    }
  }

  /** A recorded answer with the message id and token of the live request in place of the recorded ones. */
  private translate(answer: coap.CoapMessage, recorded: coap.CoapMessage, live: coap.CoapMessage): coap.CoapMessage {
    const mid = answer.mid === recorded.mid ? live.mid : answer.mid;
    const token = answer.token.equals(recorded.token) ? live.token : answer.token;
    return { ...answer, mid, token };
  }

  /** The recorded exchange that fits best; each is played in turn, the last of its kind again and again. */
  private find(request: coap.CoapMessage): RecordedExchange | undefined {
    for (const sameKind of FITS) {
      const candidates = this.answers.filter(
        (exchange) => exchange.answers.length > 0 && sameKind(exchange.request.message, request, exchange),
      );
      if (candidates.length === 0) continue;
      const key = resourceKey(request);
      const turn = this.cursors.get(key) ?? 0;
      this.cursors.set(key, turn + 1);
      return candidates[Math.min(turn, candidates.length - 1)];
    }
    return undefined;
  }
}

type Fit = (recorded: coap.CoapMessage, live: coap.CoapMessage, exchange: RecordedExchange) => boolean;

/** What makes two requests the same, from strict to lax. */
const FITS: readonly Fit[] = [
  (recorded, live) => resourceKey(recorded) === resourceKey(live) && observe(recorded) === observe(live),
  // The same without the Accept of the recording, as long as the format is what the live server asked for.
  (recorded, live, exchange) =>
    place(recorded) === place(live) &&
    observe(recorded) === observe(live) &&
    answersIn(exchange, coap.number(live, coap.OptionNumber.Accept)),
  // A device that answers an Observe like a Read.
  (recorded, live, exchange) => place(recorded) === place(live) && answersIn(exchange, coap.number(live, coap.OptionNumber.Accept)),
];

function observe(message: coap.CoapMessage): number | undefined {
  return coap.number(message, coap.OptionNumber.Observe);
}

/** Method, path, query and block numbers. */
function place(message: coap.CoapMessage): string {
  const query = coap.texts(message, coap.OptionNumber.UriQuery).sort().join('&');
  const block1 = coap.block(message, coap.OptionNumber.Block1)?.num ?? 0;
  const block2 = coap.block(message, coap.OptionNumber.Block2)?.num ?? 0;
  return `${message.code} ${coap.uriPath(message)}?${query} ${block1} ${block2}`;
}

function resourceKey(message: coap.CoapMessage): string {
  return `${place(message)} ${coap.number(message, coap.OptionNumber.Accept) ?? '-'}`;
}

function answersIn(exchange: RecordedExchange, format: number | undefined): boolean {
  if (format === undefined) return true;
  return exchange.answers.some(({ message }) => coap.number(message, coap.OptionNumber.ContentFormat) === format);
}
