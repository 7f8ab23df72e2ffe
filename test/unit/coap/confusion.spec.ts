import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import type { IncomingRequest } from '../../../lib/coap/types';
import { dialogue, type Dialogue } from '../../support/coap-dialogue';
import * as coap from '../../support/coap-message';
import { createRandom, type Random } from '../../support/random';

const PEERS = 5;
const OBSERVATION = Buffer.from('0b5e', 'hex');

/**
 * Devices that all use the same message ids and tokens, and get the same ones from us. Each names itself in whatever it
 * says, and everything it is told must name it.
 */
class Crowd {
  readonly t: Dialogue;
  readonly #random: Random;
  /** Datagrams of devices on their way to us. */
  readonly #air: { readonly name: string; readonly data: Buffer }[] = [];
  readonly #mids = new Map<string, number>();
  readonly #asked = new Map<number, { readonly name: string; readonly text: string }>();
  readonly #waiting: IncomingRequest[] = [];
  readonly #handled = new Map<string, number>();
  readonly #answered = new Set<string>();
  readonly #notified = new Map<string, number>();
  readonly #told = new Map<string, number>();
  readonly #replies = new Map<string, Buffer[]>();
  readonly ended = new Set<number>();

  constructor(seed: number) {
    this.#random = createRandom(seed);
    let tokens = 0;
    this.t = dialogue({
      bytes: () => Buffer.from([0, 0, 0, 0, 0, 0, 0, tokens++ % 6]),
      onRequest: (request) => this.#handle(request),
    });
    this.t.onOutcome = (id, outcome) => {
      assert.ok(!this.ended.has(id), 'a request ends once');
      this.ended.add(id);
      const { text } = this.#asked.get(id)!;
      if (outcome.kind === 'response') assert.equal(Buffer.from(outcome.response.payload).toString(), text);
      else assert.equal(outcome.reason, 'no-ack');
    };
    for (let index = 0; index < PEERS; index++) {
      const name = `device-${index}`;
      this.t.core.adoptObservation(this.t.peer(name), OBSERVATION, { code: Code.GET, path: ['o'] }, this.t.now);
    }
  }

  get asked(): number {
    return this.#asked.size;
  }

  get handled(): number {
    return this.#handled.size;
  }

  get told(): number {
    return [...this.#told.values()].reduce((sum, count) => sum + count, 0);
  }

  step(): void {
    const random = this.#random;
    const name = `device-${random.int(PEERS)}`;
    const choice = random.int(8);
    if (choice === 0) this.#ask(name);
    else if (choice === 1)
      this.#say(name, { type: random.pick([coap.CON, coap.NON]), code: coap.code('0.02'), token: Buffer.from([1]) }, 'request');
    else if (choice === 2) this.#notify(name);
    else if (choice === 3 && this.#waiting.length > 0) this.#answer(this.#waiting.splice(random.int(this.#waiting.length), 1)[0]!);
    else if (choice === 4) this.t.wait(random.int(900));
    else this.deliver();
    this.#listen();
    this.#check();
  }

  /** Lets all that is under way arrive and come to its end. */
  finish(): void {
    for (let rounds = 0; rounds < 400; rounds++) {
      while (this.#air.length > 0) {
        this.deliver();
        this.#listen();
      }
      for (const request of this.#waiting.splice(0)) this.#answer(request);
      this.t.wait(500);
      this.#listen();
    }
    this.#check();
    assert.equal(this.ended.size, this.#asked.size, 'every request ends');
    assert.equal(this.#answered.size, this.#handled.size, 'every request of a device is answered');
  }

  /** One datagram arrives, out of order; some arrive twice. */
  deliver(): void {
    if (this.#air.length === 0) return;
    const at = this.#random.int(this.#air.length);
    const { name, data } = this.#air[at]!;
    if (!this.#random.chance(0.2)) this.#air.splice(at, 1);
    this.t.receiveBytes(data, name);
  }

  #ask(name: string): void {
    const text = `${name} value ${this.#asked.size}`;
    const id = this.t.request({ code: Code.POST, path: ['x'], payload: Buffer.from(text), timeout: 60_000 }, name);
    this.#asked.set(id, { name, text });
  }

  #notify(name: string): void {
    const number = (this.#notified.get(name) ?? 0) + 1;
    this.#notified.set(name, number);
    const options = [coap.uintOption(coap.OptionNumber.Observe, number)];
    this.#say(
      name,
      { type: this.#random.pick([coap.CON, coap.NON]), code: coap.code('2.05'), token: OBSERVATION, options },
      `notification ${number}`,
    );
  }

  #say(
    name: string,
    message: Omit<coap.CoapMessage, 'mid' | 'payload' | 'options'> & { options?: readonly coap.CoapOption[] },
    text: string,
  ): Buffer {
    const mid = this.#mids.get(name) ?? 0;
    this.#mids.set(name, mid + 1);
    const data = coap.encodeMessage({ ...message, mid, payload: Buffer.from(`${name} ${text}`) });
    this.#air.push({ name, data });
    return data;
  }

  /** The devices read what was sent to them. */
  #listen(): void {
    for (const { data, peer } of this.t.sent.splice(0)) {
      const name = peer.address;
      const message = coap.decodeMessage(data);
      const text = message.payload.toString();
      if (message.payload.length > 0) assert.equal(text.split(' ')[0], name, 'a message for another device');
      if (coap.isResponse(message)) this.#answered.add(text);
      // Some are lost.
      if (this.#random.chance(0.15)) continue;
      if (coap.isRequest(message)) this.#reply(name, message, text);
      else if (message.type === coap.CON) this.#air.push({ name, data: coap.encodeMessage({ type: coap.ACK, code: 0, mid: message.mid }) });
    }
  }

  #reply(name: string, message: coap.CoapMessage, text: string): void {
    const key = `${name}|${text}`;
    let replies = this.#replies.get(key);
    if (!replies) {
      const answer = { code: coap.code('2.04'), token: message.token };
      if (this.#random.chance(0.5)) {
        replies = [coap.encodeMessage({ ...answer, type: coap.ACK, mid: message.mid, payload: message.payload })];
      } else {
        const separate = this.#say(name, { ...answer, type: coap.CON }, text.slice(name.length + 1));
        replies = [separate];
        if (this.#random.chance(0.5)) replies.push(coap.encodeMessage({ type: coap.ACK, code: 0, mid: message.mid }));
      }
      this.#replies.set(key, replies);
    }
    for (const data of replies) this.#air.push({ name, data });
  }

  #handle(request: IncomingRequest): void {
    const name = request.peer.address;
    const text = Buffer.from(request.payload).toString();
    assert.equal(text, `${name} request`);
    const key = `${name}|${request.id}`;
    this.#handled.set(key, (this.#handled.get(key) ?? 0) + 1);
    if (this.#random.chance(0.5)) this.#answer(request);
    else this.#waiting.push(request);
  }

  #answer(request: IncomingRequest): void {
    this.t.respond(request, { code: Code.CHANGED, payload: Buffer.from(`${request.peer.address} answer ${request.id}`) });
  }

  #check(): void {
    for (const report of this.t.reports.splice(0)) {
      const name = report.peer.address;
      assert.equal(report.kind, 'notification');
      assert.equal(Buffer.from(report.response.payload).toString(), `${name} notification ${report.response.observe}`);
      this.#told.set(name, (this.#told.get(name) ?? 0) + 1);
    }
  }
}

describe('CoAP peers with the same message ids and tokens', () => {
  for (let seed = 1; seed <= 12; seed++) {
    it(`[COAP-136] are never confused (seed ${seed})`, () => {
      const crowd = new Crowd(seed);
      for (let steps = 0; steps < 600; steps++) crowd.step();
      crowd.finish();
      assert.ok(crowd.asked > 20 && crowd.handled > 20 && crowd.told > 20, 'the run is worth something');
    });
  }
});
