import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import { CoapEndpoint } from '../../../lib/coap/endpoint';
import type { IncomingRequest, Outcome } from '../../../lib/coap/types';
import { createJobs } from '../../../lib/dtls/jobs';
import { SessionKeeper } from '../../../lib/dtls/keeper';
import { ConnectError, DtlsTransport, isDtls, SplitSink, type DtlsTransportOptions } from '../../../lib/dtls/transport';
import type { DtlsReport, DtlsJobResult, KeyStore, SessionStore } from '../../../lib/dtls/types';
import { createRealClock } from '../../../lib/transport/clock';
import { Driver } from '../../../lib/transport/driver';
import type { Peer, TransportSink } from '../../../lib/transport/types';
import { UdpTransport } from '../../../lib/transport/udp';

const IDENTITY = Buffer.from('urn:dev:1');
const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
const keys: KeyStore = { psk: (identity) => (Buffer.from(identity).equals(IDENTITY) ? KEY : undefined) };

interface End {
  readonly secure: DtlsTransport;
  readonly udp: UdpTransport;
  readonly endpoint: CoapEndpoint;
  readonly reports: DtlsReport[];
  readonly requests: IncomingRequest[];
  readonly errors: unknown[];
  readonly close: () => Promise<void>;
}

const ends: End[] = [];

/** A CoAP endpoint over DTLS over UDP on loopback, which serves /hello. */
async function openEnd(options: Partial<DtlsTransportOptions> & { split?: boolean; rebinds?: boolean } = {}): Promise<End> {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const driver = new Driver({ clock: createRealClock(), onError });
  const endpoint = new CoapEndpoint({ driver, onError });
  const reports: DtlsReport[] = [];
  const { split = false, rebinds = true, ...others } = options;
  const secure = new DtlsTransport({
    driver,
    keys,
    sink: endpoint,
    onError,
    ...others,
    onReport: (report) => {
      reports.push(report);
      if (report.kind === 'rebind' && rebinds) endpoint.rebind(report.from, report.to);
      others.onReport?.(report);
    },
  });
  const sink: TransportSink = split ? new SplitSink({ secure, plain: endpoint }) : secure;
  const udp = new UdpTransport({ port: 0, host: '127.0.0.1' }, sink);
  await udp.open();
  const requests: IncomingRequest[] = [];
  const handle = (request: IncomingRequest): void => {
    requests.push(request);
    endpoint.respond(request.id, { code: Code.CONTENT, payload: Buffer.from(`hello ${request.peer.identity.name}`) });
  };
  endpoint.route('hello', { methods: [Code.GET], handle }, 'test');
  const close = async (): Promise<void> => {
    endpoint.close();
    secure.close();
    await udp.close();
  };
  const end = { secure, udp, endpoint, reports, requests, errors, close };
  ends.push(end);
  return end;
}

const ask = (end: End, peer: Peer, path = ['hello']): Promise<Outcome> =>
  new Promise((resolve) => end.endpoint.request(peer, { code: Code.GET, path }, resolve));

const textOf = (outcome: Outcome): string =>
  outcome.kind === 'response' ? Buffer.from(outcome.response.payload).toString() : outcome.reason;

describe('DTLS as a transport of CoAP', () => {
  afterEach(async () => {
    for (const end of ends.splice(0)) {
      await end.close();
      assert.deepEqual(end.errors, []);
    }
  });

  for (const suite of ['TLS_PSK_WITH_AES_128_CCM_8', 'TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256']) {
    it(`[DTLS-130] ${suite}: requests both ways over one session; the identity is handed up`, async () => {
      const server = await openEnd();
      const device = await openEnd({ suites: [suite] });
      const peer = await device.secure.connect(device.udp.peer('127.0.0.1', server.udp.port), { identity: IDENTITY, key: KEY });
      assert.equal(textOf(await ask(device, peer)), 'hello urn:dev:1');
      const [request] = server.requests;
      assert.deepEqual(request?.peer.identity, { scheme: 'coaps', mode: 'psk', name: 'urn:dev:1' });
      assert.equal(request.peer.transport, server.secure);
      assert.equal(textOf(await ask(server, request.peer)), 'hello urn:dev:1');
      assert.equal(server.secure.sizes().sessions, 1);
    });
  }

  it('[DTLS-131] without a right key there is no peer, and the reason is said', async () => {
    const server = await openEnd({ limits: { wrongKeyGrace: 50 } });
    const device = await openEnd({ limits: { wrongKeyGrace: 50 } });
    const route = device.udp.peer('127.0.0.1', server.udp.port);
    await assert.rejects(device.secure.connect(route, { identity: IDENTITY, key: Buffer.alloc(16) }), ConnectError);
    await assert.rejects(
      device.secure.connect(route, { identity: Buffer.from('x'), key: KEY }),
      (error: ConnectError) => error.reason === 'refused-by-peer',
    );
    const reasons = server.reports.flatMap((report) => (report.kind === 'failed' ? [report.reason] : []));
    assert.deepEqual(reasons, ['wrong-key', 'unknown-identity']);
  });

  it('[DTLS-132] one port for both: a DTLS device and a plain one, told apart by the first byte', async () => {
    const server = await openEnd({ split: true });
    const device = await openEnd({ split: true });
    const route = device.udp.peer('127.0.0.1', server.udp.port);
    const peer = await device.secure.connect(route, { identity: IDENTITY, key: KEY });
    assert.equal(textOf(await ask(device, peer)), 'hello urn:dev:1');
    assert.equal(textOf(await ask(device, route)), 'hello ');
    assert.deepEqual(
      server.requests.map((request) => request.peer.identity.mode),
      ['psk', 'none'],
    );
    assert.deepEqual(
      [
        Buffer.from([20]),
        Buffer.from([25]),
        Buffer.from([63]),
        Buffer.from([64]),
        Buffer.from([127]),
        Buffer.alloc(0),
        Buffer.from([19]),
      ].map(isDtls),
      [true, true, true, false, false, false, false],
    );
  });

  it('[DTLS-133] what runs on a session goes on over the new one of the same device', async () => {
    const server = await openEnd();
    const device = await openEnd();
    const route = device.udp.peer('127.0.0.1', server.udp.port);
    await device.secure.connect(route, { identity: IDENTITY, key: KEY });
    const [old] = server.secure.peers();
    const again = await device.secure.connect(route, { identity: IDENTITY, key: KEY });
    assert.equal(textOf(await ask(device, again)), 'hello urn:dev:1');
    const rebind = server.reports.find((report) => report.kind === 'rebind');
    assert.ok(rebind?.kind === 'rebind' && rebind.from === old && rebind.to === server.requests[0]?.peer);
  });

  it('[DTLS-136] a session that gave way is let go: its requests end at once, those that wait go over the new one, and nothing holds its keys', async () => {
    for (const follows of [true, false]) {
      const server = await openEnd({ rebinds: follows });
      const device = await openEnd();
      const route = device.udp.peer('127.0.0.1', server.udp.port);
      const first = await device.secure.connect(route, { identity: IDENTITY, key: KEY });
      await ask(device, first);
      const [old] = server.secure.peers();
      assert.ok(old);
      // The device has no answer to this, and so says nothing but that it got it.
      device.endpoint.route('slow', { methods: [Code.GET], handle: () => undefined }, 'test');
      const underWay = ask(server, old, ['slow']);
      const waiting = ask(server, old);
      await device.secure.connect(route, { identity: IDENTITY, key: KEY });
      assert.equal(textOf(await underWay), 'unreachable');
      assert.equal(textOf(await waiting), follows ? 'hello urn:dev:1' : 'unreachable');
      assert.equal(server.endpoint.sizes().peers, follows ? 1 : 0);
    }
  });

  it('[DTLS-137] a request to a session that has ended fails at once, and nothing is sent for it', async () => {
    const server = await openEnd();
    const device = await openEnd();
    const peer = await device.secure.connect(device.udp.peer('127.0.0.1', server.udp.port), { identity: IDENTITY, key: KEY });
    await ask(device, peer);
    const [there] = server.secure.peers();
    assert.ok(there);
    server.secure.closePeer(there);
    assert.equal(there.ended, true);
    const { sent } = server.endpoint.counters;
    const ends: string[] = [];
    const body = {
      size: 5_000,
      read: () => assert.fail('nobody wants it'),
      end: (why?: { reason: string }) => void ends.push(why?.reason ?? ''),
    };
    const failed: Promise<Outcome> = new Promise((resolve) =>
      server.endpoint.request(there, { code: Code.PUT, path: ['hello'], body }, resolve),
    );
    assert.equal(textOf(await failed), 'unreachable');
    assert.equal(textOf(await ask(server, there)), 'unreachable');
    assert.deepEqual([ends, server.endpoint.counters.sent, server.secure.counters.sendsRefused], [['unreachable'], sent, 0]);
    assert.equal(server.endpoint.sizes().exchanges, 0);
  });

  it('[DTLS-134] the end of a session, and news that its address is not there, reach the sink', async () => {
    const server = await openEnd();
    const device = await openEnd();
    const peer = await device.secure.connect(device.udp.peer('127.0.0.1', server.udp.port), { identity: IDENTITY, key: KEY });
    await ask(device, peer);
    const [there] = server.secure.peers();
    assert.ok(there);
    // Asked for what is not served: the answer is on its way while the route is said to be gone.
    const waiting = new Promise<Outcome>((resolve) => server.endpoint.request(there, { code: Code.GET, path: ['hello'] }, resolve));
    server.secure.gone(server.udp.peer('127.0.0.1', device.udp.port), 'unreachable');
    assert.equal(textOf(await waiting), 'unreachable');
    assert.equal(server.secure.sizes().sessions, 1, 'anybody can forge such news');
    const ended = ask(server, there);
    server.secure.closePrincipal(there.identity);
    assert.equal(textOf(await ended), 'unreachable');
    assert.equal(server.secure.sizes().sessions, 0);
  });

  it('[DTLS-135] a look-up that takes its time, or fails, is one that does not find', async () => {
    const errors: unknown[] = [];
    const run = (store: KeyStore): Promise<DtlsJobResult> =>
      new Promise((resolve) =>
        createJobs({ keys: store, onError: (error) => void errors.push(error) }).run({ kind: 'psk', identity: IDENTITY }, resolve),
      );
    assert.deepEqual(await run({ psk: () => Promise.resolve(KEY) }), { kind: 'psk', key: KEY });
    assert.deepEqual(await run({ psk: () => Promise.reject(new Error('down')) }), { kind: 'psk', key: undefined });
    assert.deepEqual(
      await run({
        psk: () => {
          throw new Error('broken');
        },
      }),
      { kind: 'psk', key: undefined },
    );
    assert.equal(errors.length, 2);
  });

  it('[DTLS-116] sessions are kept by a store, taken over once, and go on in the next life without a handshake', async () => {
    const store = memoryStore();
    const first = new SessionKeeper({ store, onError: assert.ifError });
    const server = await openEnd({ persist: first.persist });
    await first.begin(server.secure, () => assert.fail('nothing is kept yet'));
    const device = await openEnd();
    const peer = await device.secure.connect(device.udp.peer('127.0.0.1', server.udp.port), { identity: IDENTITY, key: KEY });
    await ask(device, peer);
    const { port } = server.udp;
    first.finish();
    await server.udp.close();
    assert.equal(store.finished, true);
    const second = new SessionKeeper({ store, onError: assert.ifError });
    const next = await openEnd({ persist: second.persist });
    await next.udp.close();
    const udp = new UdpTransport({ port, host: '127.0.0.1' }, next.secure);
    await udp.open();
    try {
      const [restored] = await second.begin(next.secure, (address, at) => udp.peer(address, at));
      assert.equal(restored?.identity.name, 'urn:dev:1');
      assert.equal(textOf(await ask(device, peer)), 'hello urn:dev:1');
      assert.equal(textOf(await ask(next, restored)), 'hello urn:dev:1');
      assert.equal(next.reports.length, 0);
      assert.deepEqual(await store.takeAll(), [], 'nothing is handed out without the mark of a clean stop');
    } finally {
      await udp.close();
    }
  });
});

/** As a store on disk would behave: what it hands out it has forgotten; without the mark it hands out nothing. */
function memoryStore(): SessionStore & { finished: boolean } {
  const kept = new Map<string, Buffer>();
  return {
    finished: false,
    takeAll() {
      const states = this.finished ? [...kept.values()] : [];
      kept.clear();
      this.finished = false;
      return Promise.resolve(states);
    },
    save: (key, state) => Promise.resolve(void kept.set(key, state)),
    remove: (key) => void kept.delete(key),
    finish(states) {
      for (const [key, state] of states) kept.set(key, state);
      this.finished = true;
    },
  };
}
