import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Code } from '../../../lib/coap/codes';
import { CoapEndpoint } from '../../../lib/coap/endpoint';
import type { BodySink, BodySource, Failure, IncomingRequest, Outcome } from '../../../lib/coap/types';
import type { DtlsReport } from '../../../lib/dtls/types';
import { Driver } from '../../../lib/transport/driver';
import type { Peer } from '../../../lib/transport/types';
import { binomialBand } from '../../support/binomial';
import * as coap from '../../support/coap-message';
import { openLink, type Link } from '../../support/link';
import { LATE, LossyPeer } from '../../support/lossy-peer';
import { createRandom } from '../../support/random';
import { COAPS, KEY } from '../../support/scheme';
import { secureServer } from '../../support/secure-server';
import { VirtualClock } from '../../support/virtual-clock';
import { VirtualNetwork, type Address, type Conditions } from '../../support/virtual-network';

/** `LOSSY_COUNT` of the environment: exchanges of each test; 10000 is the full measure. */
const COUNT = Number(process.env['LOSSY_COUNT'] ?? 1_000);
const SEED = Number(process.env['LOSSY_SEED'] ?? 20_260_102);
const PEERS = 100;
const MIB = 1_048_576;
const server = { address: '192.0.2.1', port: 5683 };

const ROUGH: Conditions = { loss: 0.2, duplication: 0.1, reordering: 0.2, reorderBy: 300, delay: [1, 300] };
const FAIR: Conditions = { loss: 0.05, duplication: 0.02, reordering: 0.05, reorderBy: 50, delay: [5, 20] };

/*
 * What to expect. A datagram is lost with p; if it is not, it arrives twice with d. Round trips take under 1.2 s, less than the
 * shortest time-out of 2 s, so that each transmission is a trial of its own.
 *
 * Answered at once: a transmission fails when it is lost, or when the answer to each of its one or two copies is:
 *   f = p + (1 - p) ((1 - d) p + d p^2)
 * MAX_RETRANSMIT is 4, so five transmissions in all, and the exchange fails with f^5. It takes the k-th retransmission with f^k.
 *
 * Answered late: the acknowledgement does not matter, as the answer stands for it (RFC 7252 5.2.2). The exchange fails when the request is
 * lost five times, or, if it is not, the Confirmable answer is: 1 - (1 - p^5)^2. That the caller gives up while the answer is
 * still being repeated needs both to be nearly lost, and is less likely than one in 10^5.
 */
const { loss: p } = ROUGH;
// DTLS takes no record twice.
const d = COAPS ? 0 : ROUGH.duplication;
const f = p + (1 - p) * ((1 - d) * p + d * p ** 2);
const EXPECTED = { once: f ** 5, late: 1 - (1 - p ** 5) ** 2 } as const;
type Kind = keyof typeof EXPECTED;

interface Lossy {
  readonly clock: VirtualClock;
  readonly endpoint: CoapEndpoint;
  /** The server's route to a peer. */
  readonly routeTo: (index: number) => Peer;
  readonly peers: readonly LossyPeer[];
  readonly errors: unknown[];
}

function lossy(conditions: Conditions, peers: number): Lossy {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: SEED, up: conditions, down: conditions });
  const random = createRandom(SEED + 1);
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const driver = new Driver({ clock: clock.createAlarmOwner(), onError });
  const endpoint = new CoapEndpoint({
    driver,
    onError,
    random: { bytes: (count) => random.bytes(count), float: () => random.next() },
    // A body in blocks, as fast as it goes, is more than strangers may send.
    params: { sourceRate: 0, addressRate: 0 },
  });
  const sessions: Peer[] = [];
  const onReport = (report: DtlsReport): void => {
    if (report.kind === 'established') sessions[Number(report.peer.identity.name)] = report.peer;
  };
  const dtls = COAPS ? secureServer({ driver, sink: endpoint, random: random.fork(), key: () => KEY, onReport, onError }) : undefined;
  const transport = network.transport(server, () => dtls ?? endpoint);
  const address = (index: number): Address => ({ address: `198.51.100.${index + 1}`, port: 5683 });
  const host = (index: number): LossyPeer => {
    const link = (at: Address, receive: (message: Buffer) => void): Link => {
      const way = { network, clock, at, server, random: random.fork(), name: String(index), receive };
      const made = openLink({ ...way, admits: (name) => name === way.name, connected: () => undefined });
      made.open();
      return made;
    };
    return new LossyPeer({ network, clock, random: random.fork(), at: address(index), server, link });
  };
  const routeTo = (index: number): Peer => sessions[index] ?? transport.peerFor(address(index).address, address(index).port);
  return { clock, endpoint, routeTo, peers: Array.from({ length: peers }, (_, index) => host(index)), errors };
}

/** Lets time pass until it is done, and then until all late messages have come and all is forgotten. */
function finish({ clock, endpoint, errors }: Lossy, done: () => boolean): void {
  for (let minutes = 0; !done(); minutes += 1) {
    assert.ok(minutes < 100_000, 'it ends');
    clock.advance(60_000);
  }
  clock.advance(600_000);
  assert.deepEqual(errors, []);
  assert.deepEqual(endpoint.sizes().peers, 0);
  assert.deepEqual([endpoint.sizes().exchanges, endpoint.sizes().bodyBytes, endpoint.sizes().timers], [0, 0, 0]);
}

/** What became of every exchange: how often it was executed, and what its caller was told, as often as it was told. */
class Ledger {
  readonly executed = new Map<string, number>();
  readonly told = new Map<string, string[]>();

  execute(name: string): void {
    this.executed.set(name, (this.executed.get(name) ?? 0) + 1);
  }

  tell(name: string, what: string): void {
    this.told.set(name, [...(this.told.get(name) ?? []), what]);
  }

  check(kind: Kind): void {
    assert.equal(this.told.size, COUNT);
    let failed = 0;
    for (const [name, told] of this.told) {
      assert.equal(told.length, 1, `${name} ended as ${told.join(' and ')}`);
      const answered = told[0] === name;
      if (!answered) {
        failed += 1;
        assert.match(told[0] ?? '', /^no-(ack|response)$/);
      }
      const executed = this.executed.get(name) ?? 0;
      assert.ok(executed === 1 || (executed === 0 && !answered), `${name} was executed ${executed} times and ended as ${told[0]}`);
    }
    const [low, high] = binomialBand(COUNT, EXPECTED[kind]);
    assert.ok(failed >= low && failed <= high, `${failed} of ${COUNT} failed; expected ${low} to ${high}`);
  }
}

/** Of exchanges answered at once: f + f^2 + f^3 + f^4 each, within five standard deviations of the sum. */
function checkRetransmissions(count: number): void {
  // By tails: E[k] is the sum of P(k >= i), E[k^2] that of (2i - 1) P(k >= i).
  const mean = f + f ** 2 + f ** 3 + f ** 4;
  const square = f + 3 * f ** 2 + 5 * f ** 3 + 7 * f ** 4;
  const band = 5 * Math.sqrt(COUNT * (square - mean ** 2));
  assert.ok(Math.abs(count - COUNT * mean) <= band, `${count} retransmissions; expected ${COUNT * mean} +- ${band}`);
}

describe(`CoAP through 20 % loss each way, duplicates, reordering and jitter: ${COUNT} exchanges with ${PEERS} peers, seed ${SEED}`, function () {
  this.timeout(Math.max(10_000, 2 * COUNT));

  for (const kind of ['once', 'late'] as const) {
    it(`requests of ours, answered ${kind === 'once' ? 'at once' : 'late'}`, () => {
      const scene = lossy(ROUGH, PEERS);
      const ledger = new Ledger();
      let ended = 0;
      const ask = (index: number): void => {
        if (index >= COUNT) return;
        const name = `exchange ${index}`;
        const peer = scene.routeTo(index % PEERS);
        const done = (outcome: Outcome): void => {
          ledger.tell(name, outcome.kind === 'failed' ? outcome.reason : Buffer.from(outcome.response.payload).toString());
          ended += 1;
          ask(index + PEERS);
        };
        scene.endpoint.request(peer, { code: Code.POST, path: [kind], payload: Buffer.from(name) }, done);
      };
      for (let index = 0; index < PEERS; index += 1) ask(index);
      finish(scene, () => ended >= COUNT);
      for (const { executed } of scene.peers) for (const name of executed) ledger.execute(name);
      ledger.check(kind);
      if (kind === 'once') checkRetransmissions(scene.endpoint.counters.retransmissions);
    });

    it(`requests to us, answered ${kind === 'once' ? 'at once' : 'late'}`, () => {
      const scene = lossy(ROUGH, PEERS);
      const { clock, endpoint } = scene;
      const ledger = new Ledger();
      const handle = ({ id, payload }: { id: number; payload: Uint8Array }): void => {
        ledger.execute(Buffer.from(payload).toString());
        const answer = (): void => endpoint.respond(id, { code: Code.CHANGED, payload });
        if (kind === 'once') answer();
        else clock.after(LATE, answer);
      };
      endpoint.route(kind, { methods: [Code.POST], handle }, 'test');
      let ended = 0;
      const ask = (index: number): void => {
        if (index >= COUNT) return;
        const name = `exchange ${index}`;
        const request = { code: coap.code('0.02'), options: coap.pathOptions(`/${kind}`), payload: Buffer.from(name) };
        scene.peers[index % PEERS]?.ask(request, (answer) => {
          ledger.tell(name, answer === undefined ? 'no-response' : answer.payload.toString());
          ended += 1;
          ask(index + PEERS);
        });
      };
      for (let index = 0; index < PEERS; index += 1) ask(index);
      finish(scene, () => ended >= COUNT);
      ledger.check(kind);
      if (kind === 'once') checkRetransmissions(scene.peers.reduce((sum, { retransmissions }) => sum + retransmissions, 0));
    });
  }
});

describe(`CoAP through 5 % loss each way: a body of 1 MiB arrives intact, seed ${SEED}`, () => {
  const body = createRandom(SEED + 2).bytes(MIB);
  // Each of the hundred lost datagrams costs 2 to 3 s.
  const patient = { path: ['body'], timeout: 3_600_000 };

  it('sent and fetched by us', () => {
    const scene = lossy(FAIR, 1);
    const peer = scene.routeTo(0);
    const outcomes: Outcome[] = [];
    scene.endpoint.request(peer, { ...patient, code: Code.PUT, payload: body }, (outcome) => outcomes.push(outcome));
    finish(scene, () => outcomes.length > 0);
    assert.ok(outcomes[0]?.kind === 'response' && outcomes[0].response.code === Code.CHANGED, JSON.stringify(outcomes[0]));
    assert.ok(scene.peers[0]?.body.equals(body));
    scene.endpoint.request(peer, { ...patient, code: Code.GET }, (outcome) => outcomes.push(outcome));
    finish(scene, () => outcomes.length > 1);
    assert.ok(outcomes[1]?.kind === 'response', JSON.stringify(outcomes[1]));
    assert.ok(body.equals(outcomes[1].response.payload));
    assert.equal(outcomes.length, 2);
    assert.ok(scene.endpoint.counters.retransmissions > 100, 'datagrams were lost');
  });

  it('sent to us and fetched from us', () => {
    const scene = lossy(FAIR, 1);
    const { endpoint } = scene;
    const [peer] = scene.peers;
    const kept: Uint8Array[] = [];
    const handle = ({ id, code, payload }: { id: number; code: number; payload: Uint8Array }): void => {
      if (code === Code.PUT) kept.push(payload);
      endpoint.respond(id, code === Code.PUT ? { code: Code.CHANGED } : { code: Code.CONTENT, payload: kept[0] ?? Buffer.alloc(0) });
    };
    endpoint.route('body', { methods: [Code.PUT, Code.GET], handle }, 'test');
    const answers: (string | undefined)[] = [];
    peer?.upload(body, 1024, (answer) => answers.push(answer && coap.codeText(answer.code)));
    finish(scene, () => answers.length > 0);
    assert.deepEqual(answers, ['2.04']);
    assert.deepEqual(
      kept.map((whole) => body.equals(whole)),
      [true],
    );
    const fetched: (Buffer | undefined)[] = [];
    peer?.download(1024, (whole) => fetched.push(whole));
    finish(scene, () => fetched.length > 0);
    assert.deepEqual(
      fetched.map((whole) => whole && body.equals(whole)),
      [true],
    );
    assert.ok((peer?.retransmissions ?? 0) > 100, 'datagrams were lost');
  });
});

/** Bytes made up where they are read, as those of a file on a disk: nobody holds the whole. */
class Image implements BodySource, BodySink {
  readonly size: number;
  readonly ends: (Failure | undefined)[] = [];
  readonly #held: () => number;
  #hash = createHash('sha256');
  #length = 0;
  /** Most that the endpoint held of bodies at any block. */
  mostHeld = 0;

  constructor(size: number, held: () => number) {
    this.size = size;
    this.#held = held;
  }

  /** Every four bytes are a number that tells where they stand. */
  read(offset: number, length: number): Buffer {
    this.mostHeld = Math.max(this.mostHeld, this.#held());
    const data = Buffer.alloc(length);
    for (let at = 0; at < length; at += 4) data.writeUInt32BE(Math.imul(offset + at, 0x9e3779b1) >>> 0, at);
    return data;
  }

  write(data: Uint8Array, offset: number): void {
    this.mostHeld = Math.max(this.mostHeld, this.#held());
    assert.equal(offset, this.#length, 'blocks follow each other');
    this.#hash.update(data);
    this.#length += data.length;
  }

  end(failure?: Failure): void {
    this.ends.push(failure);
  }

  whole(): Buffer {
    return this.read(0, this.size);
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

// Of 20480 blocks through 5 % loss, one in six transfers would meet a block that is lost five times.
const IMAGES = [
  ['1 MiB', MIB, 0.05],
  ['20 MiB', 20 * MIB, 0.02],
] as const;
// The large one takes its time, and over DTLS there is no more to it than to the small one.
for (const [title, size, loss] of COAPS ? IMAGES.slice(0, 1) : IMAGES) {
  describe(`CoAP through ${loss * 100} % loss each way: ${title} from a source and into a sink, seed ${SEED}`, function () {
    this.timeout(180_000);
    const patient = { path: ['body'], timeout: 100_000_000 };
    const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

    it('[COAP-162] sent and fetched by us', () => {
      const scene = lossy({ ...FAIR, loss }, 1);
      const { endpoint } = scene;
      const held = (): number => endpoint.sizes().bodyBytes;
      const peer = scene.routeTo(0);
      const source = new Image(size, held);
      const sink = new Image(size, held);
      const outcomes: Outcome[] = [];
      endpoint.request(peer, { ...patient, code: Code.PUT, body: source }, (outcome) => outcomes.push(outcome));
      finish(scene, () => outcomes.length > 0);
      endpoint.request(peer, { ...patient, code: Code.GET, sink }, (outcome) => outcomes.push(outcome));
      finish(scene, () => outcomes.length > 1);
      assert.deepEqual(
        outcomes.map((outcome) => (outcome.kind === 'response' ? outcome.response.code : `${outcome.reason}: ${outcome.detail}`)),
        [Code.CHANGED, Code.CONTENT],
      );
      const whole = sha256(source.whole());
      assert.equal(sha256(scene.peers[0]!.body), whole);
      assert.equal(sink.digest(), whole);
      assert.deepEqual([source.ends, sink.ends, source.mostHeld, sink.mostHeld], [[undefined], [undefined], 0, 0]);
      assert.ok(endpoint.counters.retransmissions > 100, 'datagrams were lost');
    });

    it('[COAP-162] sent to us and fetched from us', () => {
      const scene = lossy({ ...FAIR, loss }, 1);
      const { endpoint } = scene;
      const held = (): number => endpoint.sizes().bodyBytes;
      const source = new Image(size, held);
      const sink = new Image(size, held);
      const handle = ({ id, code, body }: IncomingRequest): void => {
        if (code === Code.PUT) assert.equal(body, sink);
        endpoint.respond(id, code === Code.PUT ? { code: Code.CHANGED } : { code: Code.CONTENT, body: source });
      };
      endpoint.route('body', { methods: [Code.PUT, Code.GET], handle, accept: () => sink }, 'test');
      const [peer] = scene.peers;
      const answers: (string | undefined)[] = [];
      peer?.upload(source.whole(), 1024, (answer) => answers.push(answer && coap.codeText(answer.code)));
      finish(scene, () => answers.length > 0);
      assert.deepEqual(answers, ['2.04']);
      const fetched: (Buffer | undefined)[] = [];
      peer?.download(1024, (whole) => fetched.push(whole));
      finish(scene, () => fetched.length > 0);
      const whole = sha256(source.whole());
      assert.equal(sink.digest(), whole);
      assert.equal(fetched[0] && sha256(fetched[0]), whole);
      assert.deepEqual([source.ends, sink.ends, source.mostHeld, sink.mostHeld], [[undefined], [undefined], 0, 0]);
      assert.ok((peer?.retransmissions ?? 0) > 100, 'datagrams were lost');
    });
  });
}
