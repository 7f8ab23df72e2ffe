import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import { CoapEndpoint, RouteTakenError, type Resource } from '../../../lib/coap/endpoint';
import type { ObservationReport, Outcome } from '../../../lib/coap/types';
import { Driver } from '../../../lib/transport/driver';
import type { Peer } from '../../../lib/transport/types';
import * as coap from '../../support/coap-message';
import { COAPS } from '../../support/scheme';
import { SecureWire } from '../../support/secure-wire';
import { VirtualClock } from '../../support/virtual-clock';

const get = { code: Code.GET, path: ['a'] };

class Ground {
  readonly clock = new VirtualClock();
  readonly errors: unknown[] = [];
  readonly sent: coap.CoapMessage[] = [];
  readonly driver = new Driver({ clock: this.clock, onError: (error) => this.errors.push(error) });
  readonly endpoint = new CoapEndpoint({ driver: this.driver, onError: (error) => this.errors.push(error) });
  /** Over coaps what is sent and received goes through DTLS. */
  readonly #wire = COAPS
    ? new SecureWire({
        now: () => this.clock.now(),
        received: (data, peer) => this.endpoint.receive(data, peer),
        delivered: (data) => this.sent.push(coap.decodeMessage(data)),
      })
    : undefined;
  readonly peer: Peer = this.#wire?.peer('p') ?? {
    key: 'p',
    address: '192.0.2.1',
    port: 5683,
    identity: { scheme: 'coap', mode: 'none', name: '' },
    transport: { maxMessage: 1152, send: (data) => void this.sent.push(coap.decodeMessage(data)) },
  };
  #mid = 1;

  another(name: string): Peer {
    return this.#wire?.peer(name) ?? { ...this.peer, key: name };
  }

  receive(code: string, path = '', more: Partial<coap.CoapMessage> = {}): void {
    const { options = [], ...rest } = more;
    const all = [...coap.pathOptions(path), ...options];
    const message = { type: coap.CON, code: coap.code(code), mid: this.#mid++, ...rest, options: all } as const;
    const bytes = coap.encodeMessage(message);
    if (this.#wire) this.#wire.up(bytes, 'p');
    else this.endpoint.receive(bytes, this.peer);
  }

  /** Codes of what was sent, taken. */
  codes(): string[] {
    return this.sent.splice(0).map(({ code }) => coap.codeText(code));
  }
}

function resource(endpoint: CoapEndpoint, methods: readonly number[] = [Code.GET]): Resource {
  return { methods, handle: (request) => endpoint.respond(request.id, { code: Code.CONTENT }) };
}

describe('CoAP endpoint', () => {
  it('[COAP-140] serves a first segment and all below; others are 4.04, other methods 4.05', () => {
    const g = new Ground();
    g.endpoint.route('rd', resource(g.endpoint, [Code.POST, Code.DELETE]), 'one');
    g.receive('0.02', '/rd');
    g.receive('0.04', '/rd/5/6');
    g.receive('0.01', '/rd');
    g.receive('0.02', '/dp');
    g.receive('0.02', '/');
    assert.deepEqual(g.codes(), ['2.05', '2.05', '4.05', '4.04', '4.04']);
  });

  it('[COAP-174] a method nobody knows is 4.05, whatever the path', () => {
    const ground = new Ground();
    ground.endpoint.route('a', resource(ground.endpoint, [Code.GET]), 'test');
    for (const path of ['/a', '/nobody']) {
      for (const code of ['0.08', '0.31']) ground.receive(code, path);
    }
    ground.receive('0.07', '/nobody');
    assert.deepEqual(ground.codes(), ['4.05', '4.05', '4.05', '4.05', '4.04']);
  });

  it('[COAP-168] a ping says whether a peer is there', () => {
    const ground = new Ground();
    const results: string[] = [];
    const ping = (): number =>
      ground.endpoint.ping(ground.peer, (result) => results.push(result.kind === 'alive' ? 'alive' : result.reason));
    ping();
    const [sent] = ground.sent.splice(0);
    assert.deepEqual([sent?.type, sent?.code, sent?.token.length], [coap.CON, 0, 0]);
    ground.endpoint.receive(coap.encodeMessage({ type: coap.RST, code: 0, mid: sent?.mid ?? 0 }), ground.peer);
    const second = ping();
    ground.endpoint.cancel(second);
    ping();
    ground.clock.advance(100_000);
    ping();
    ground.endpoint.close();
    assert.deepEqual(results, ['alive', 'cancelled', 'no-ack', 'closed']);
    assert.deepEqual(ground.errors, []);
  });

  it('[COAP-140] a segment has one owner; the error names both', () => {
    const { endpoint } = new Ground();
    const end = endpoint.route('rd', resource(endpoint), 'first');
    assert.throws(
      () => endpoint.route('rd', resource(endpoint), 'second'),
      (error) => {
        assert.ok(error instanceof RouteTakenError);
        assert.equal(error.code, 'ROUTE_TAKEN');
        assert.match(error.message, /"second".*"first".*\/rd/);
        return true;
      },
    );
    end();
    endpoint.route('rd', resource(endpoint), 'second');
    end();
    assert.throws(() => endpoint.route('rd', resource(endpoint), 'third'), RouteTakenError);
  });

  it('[COAP-141] a handler that throws is answered for with 5.00 and reported', () => {
    const g = new Ground();
    g.endpoint.route(
      'bad',
      {
        methods: [Code.GET],
        handle: () => {
          throw new Error('broken');
        },
      },
      'x',
    );
    g.receive('0.01', '/bad');
    assert.deepEqual(g.codes(), ['5.00']);
    assert.equal(g.errors.length, 1);
  });

  it('[COAP-141] callbacks and observers that throw are reported, and the others still hear', () => {
    const g = new Ground();
    const heard: ObservationReport[] = [];
    const broken = (): never => {
      throw new Error('broken');
    };
    const stop = g.endpoint.observeReports(broken);
    g.endpoint.observeReports((report) => heard.push(report));
    g.endpoint.adoptObservation(g.peer, Buffer.from([7]), get);
    g.receive('2.05', '', { token: Buffer.from([7]), options: [coap.uintOption(6, 1)] });
    assert.equal(heard.length, 1);
    assert.equal(g.errors.length, 1);
    stop();
    g.receive('2.05', '', { token: Buffer.from([7]), options: [coap.uintOption(6, 2)] });
    assert.equal(heard.length, 2);
    assert.equal(g.errors.length, 1);
    g.endpoint.request(g.peer, get, broken);
    g.endpoint.gone(g.peer, 'x');
    assert.equal(g.errors.length, 2);
  });

  it('[COAP-142] is driven by the clock: retransmissions and time-outs', () => {
    const g = new Ground();
    const outcomes: Outcome[] = [];
    g.endpoint.request(g.peer, get, (outcome) => outcomes.push(outcome));
    g.clock.advance(93_000);
    assert.equal(g.sent.length, 5);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind === 'failed' && outcome.reason),
      ['no-ack'],
    );
    g.clock.advance(300_000);
    assert.deepEqual(g.endpoint.sizes(), { peers: 0, exchanges: 0, bodyBytes: 0, seenBytes: 0, timers: 0 });
    assert.equal(g.clock.next(), Infinity);
  });

  it('[COAP-142] also when a forgotten observation lets a request leave', () => {
    const g = new Ground();
    const token = Buffer.from([7]);
    g.endpoint.adoptObservation(g.peer, token, get);
    g.clock.advance(247_000 * 3);
    const options = [coap.uintOption(6, 1), coap.blockOption(23, { num: 0, more: true, size: 16 })];
    g.receive('2.05', '', { token, options, payload: Buffer.alloc(16) });
    g.endpoint.request(g.peer, { code: Code.GET, path: ['b'] }, () => undefined);
    g.clock.advance(1_990);
    assert.equal(g.sent.length, 2);
    assert.equal(g.endpoint.forgetObservation(g.peer, token), true);
    assert.equal(g.sent.length, 3);
    g.clock.advance(3_000);
    assert.equal(g.sent.length, 4, 'it is retransmitted in time');
    assert.ok(g.sent.slice(2).every((message) => coap.uriPath(message) === '/b'));
  });

  it('[COAP-143] each callback is called once, never from within the call', () => {
    const g = new Ground();
    const outcomes: Outcome[] = [];
    const id = g.endpoint.request(g.peer, get, (outcome) => outcomes.push(outcome));
    assert.equal(outcomes.length, 0);
    g.endpoint.cancel(id);
    g.endpoint.cancel(id);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind === 'failed' && outcome.reason),
      ['cancelled'],
    );
  });

  it('[COAP-143] closing ends all, and later requests end as closed, too', async () => {
    const g = new Ground();
    const ends: string[] = [];
    const end =
      (name: string, next?: () => void) =>
      (outcome: Outcome): void => {
        ends.push(`${name} ${outcome.kind === 'failed' ? outcome.reason : 'response'}`);
        next?.();
      };
    g.endpoint.request(
      g.peer,
      get,
      end('first', () => g.endpoint.request(g.peer, get, end('from within'))),
    );
    g.endpoint.request(g.peer, get, end('second'));
    g.sent.length = 0;
    g.endpoint.close();
    assert.deepEqual(ends, ['first closed', 'second closed']);
    g.endpoint.request(g.peer, get, end('later'));
    assert.equal(ends.length, 2);
    await g.clock.settle();
    assert.deepEqual(ends, ['first closed', 'second closed', 'from within closed', 'later closed']);
    g.receive('0.01', '/a');
    g.clock.advance(1_000_000);
    assert.deepEqual(g.codes(), []);
    assert.equal(g.clock.next(), Infinity);
    assert.deepEqual(g.errors, []);
  });

  it('[COAP-144] draws tokens and message ids from the system by default', () => {
    const g = new Ground();
    for (let index = 0; index < 50; index++) {
      g.endpoint.request(g.another(`p${index}`), get, () => undefined);
    }
    assert.equal(new Set(g.sent.map(({ token }) => token.toString('hex'))).size, 50);
    assert.ok(new Set(g.sent.map(({ mid }) => mid)).size > 40);
  });
});
