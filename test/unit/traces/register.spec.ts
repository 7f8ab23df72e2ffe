import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { createGround, eventsOf, type Ground } from '../../support/ground';
import { exchangesOf, isRegister } from '../../support/recorded-exchanges';
import { judgeRegister } from '../../support/register-parser';
import { ReplayingPeer } from '../../support/replay';
import { loadTraces, type Trace } from '../../support/traces';

const CLIENT = { address: '192.0.2.2', port: 56_830 };

const registering = loadTraces().filter((trace) => exchangesOf(trace, 'client').some(({ request }) => isRegister(request.message)));

/** Recordings that had to be played faster: the only Update of this client comes 277 s after its lifetime of 60 s has run out. */
const FASTER: Readonly<Record<string, number>> = { 'npm-lwm2m-node-lib': 0.1 };

function replay(trace: Trace, timeScale = FASTER[trace.name] ?? 1): { ground: Ground; peer: ReplayingPeer } {
  const ground = createGround();
  const peer = new ReplayingPeer({ trace, network: ground.network, clock: ground.clock, host: CLIENT, server: ground.at, timeScale });
  peer.start();
  return { ground, peer };
}

/**
 * Recorded block-wise Updates that overlap each other: this client starts one before the other is through, to the same URI and
 * without a Request-Tag. RFC 7959 2.5 lets only one of them succeed.
 */
const OVERLAPPING: Readonly<Record<string, (index: number) => boolean>> = {
  'wakaama-small-block': (index) => index >= 598 && index <= 689,
};

/** What a request of a registered client must be answered with; undefined for those that are not of the registration interface. */
function expectedCode(message: coap.CoapMessage): string | undefined {
  if (coap.block(message, coap.OptionNumber.Block1)?.more === true) return '2.31';
  const path = coap.uriPath(message);
  if (path === '/dp') return '2.04';
  if (!path.startsWith('/rd')) return undefined;
  if (message.code === coap.code('0.04')) return '2.02';
  return path === '/rd' ? '2.01' : '2.04';
}

describe('recorded clients', () => {
  it('include every peer that registers', () => assert.equal(registering.length, 24));

  for (const trace of registering) {
    it(`${trace.name}: registers, updates, sends and de-registers as it did when it was recorded`, async () => {
      const { ground, peer } = replay(trace);
      assert.equal(await ground.clock.runUntil(() => peer.finished, 600_000), true, 'all requests answered');
      for (const { recorded, reply } of peer.registers) {
        assert.equal(reply && coap.codeText(reply.code), '2.01', `record ${recorded.record.index}`);
        const location = coap.texts(reply as coap.CoapMessage, coap.OptionNumber.LocationPath);
        assert.deepEqual(location[0], 'rd');
        assert.match(location[1] ?? '', /^[A-Za-z0-9_-]{4,10}$/);
      }
      const registered = eventsOf(ground.events, 'registered');
      assert.equal(registered.length, peer.registers.length);
      assert.deepEqual(registered[0]?.registration.address, CLIENT.address);
      for (const { recorded, reply } of peer.requests) {
        const { message, record } = recorded;
        const what = `record ${record.index} ${coap.codeText(message.code)} ${coap.uriPath(message)}`;
        assert.notEqual(reply, undefined, what);
        const code = expectedCode(message);
        if (code !== undefined && !OVERLAPPING[trace.name]?.(record.index))
          assert.equal(coap.codeText((reply as coap.CoapMessage).code), code, what);
      }
      const left = peer.requests.filter(({ recorded }) => recorded.message.code === coap.code('0.04')).length > 0 ? 0 : 1;
      assert.equal(ground.server.registrations().length, left);
      assert.deepEqual(ground.errors, []);
      assert.equal(ground.server.counters().undecodable, 0);
      if (!(trace.name in OVERLAPPING)) assert.deepEqual(eventsOf(ground.events, 'refused'), []);
      peer.close();
      ground.close();
    });
  }

  it('npm-lwm2m-node-lib: an Update after the lifetime is not found, as the registration has expired', async () => {
    const { ground, peer } = replay(registering.find(({ name }) => name === 'npm-lwm2m-node-lib') as Trace, 1);
    await ground.clock.runUntil(() => peer.finished, 600_000);
    const update = peer.requests.find(({ recorded: { message } }) => coap.uriPath(message) === '/rd/r1');
    assert.equal(coap.codeText((update?.reply as coap.CoapMessage).code), '4.04');
    const expired = eventsOf(ground.events, 'expired');
    assert.equal(expired.length, 1);
    assert.equal((expired[0]?.at ?? 0) - (eventsOf(ground.events, 'registered')[0]?.at ?? 0), 60_000);
    peer.close();
    ground.close();
  });

  it('are read as an independent reader reads them', async () => {
    for (const trace of registering) {
      const { ground, peer } = replay(trace);
      await ground.clock.runUntil(() => peer.registers.some(({ reply }) => reply !== undefined), 60_000);
      const first = peer.registers[0];
      if (first === undefined || coap.block(first.recorded.message, coap.OptionNumber.Block1) !== undefined) continue;
      const verdict = judgeRegister(first.sent);
      const registration = eventsOf(ground.events, 'registered')[0]?.registration;
      if (verdict.kind !== 'register' || registration === undefined) assert.fail(trace.name);
      assert.deepEqual(
        {
          endpoint: registration.endpoint,
          lifetime: registration.lifetime,
          version: registration.lwm2mVersion as string,
          binding: registration.binding,
          queueMode: registration.queueMode,
          objects: registration.objects.map(({ objectId, instanceId }) =>
            instanceId === undefined ? `/${objectId}` : `/${objectId}/${instanceId}`,
          ),
        },
        {
          endpoint: verdict.endpoint,
          lifetime: verdict.lifetime,
          version: verdict.version,
          binding: verdict.binding,
          queueMode: verdict.queueMode,
          objects: [...verdict.objects],
        },
        trace.name,
      );
      peer.close();
      ground.close();
    }
  });

  it('put a Register in blocks together, also when the token changes with each block', async () => {
    for (const name of ['block1-register-anjay', 'wakaama-small-block']) {
      const trace = registering.find((candidate) => candidate.name === name) as Trace;
      const { ground, peer } = replay(trace);
      await ground.clock.runUntil(() => eventsOf(ground.events, 'registered').length > 0, 60_000);
      const blocks = peer.requests.map(({ recorded }) => recorded.message).filter(isRegister);
      assert.ok(blocks.length > 2);
      const body = Buffer.concat(blocks.map(({ payload }) => payload)).toString();
      const registration = eventsOf(ground.events, 'registered')[0]?.registration;
      assert.equal(registration?.objects.length, body.match(/<\/\d+/g)?.length, name);
      peer.close();
      ground.close();
    }
  });

  it('answer the live server as recorded: Read, Observe, notifications', async () => {
    const trace = registering.find(({ name }) => name === 'observe-wakaama-instance-partial') as Trace;
    const { ground, peer } = replay(trace);
    await ground.clock.runUntil(() => ground.server.registration('wkobs') !== undefined, 60_000);
    const observe = ground.server.perform('wkobs', { kind: 'Observe', path: { ids: [3, 0] } }, { contentFormat: 11542 });
    await ground.clock.elapse(20_000);
    const result = await observe;
    assert.ok(result.kind === 'answer' && result.ok && result.observation !== undefined, JSON.stringify(result));
    const battery = eventsOf(ground.events, 'notification').map(({ nodes }) =>
      nodes.map(({ path, value }) => `/${path.join('/')}=${String(value)}`),
    );
    assert.deepEqual(battery, [['/3/0/9=42'], ['/3/0/9=42'], ['/3/0/9=28'], ['/3/0/9=7']]);
    assert.deepEqual(peer.resets, []);
    peer.close();
    ground.close();
  });

  it('give a block-wise answer whole', async () => {
    const trace = registering.find(({ name }) => name === 'block1-register-anjay') as Trace;
    const ground = createGround();
    const peer = new ReplayingPeer({
      trace,
      network: ground.network,
      clock: ground.clock,
      host: CLIENT,
      server: ground.at,
      filter: isRegister,
    });
    peer.start();
    await ground.clock.runUntil(() => ground.server.registration('anjblk') !== undefined, 60_000);
    for (const contentFormat of [110, 112]) {
      const read = ground.server.perform('anjblk', { kind: 'Read', path: { ids: [3] } }, { contentFormat });
      await ground.clock.elapse(5_000);
      const result = await read;
      assert.ok(result.kind === 'answer' && result.ok, JSON.stringify(result));
      assert.equal(result.contentFormat, contentFormat);
      const zone = result.nodes?.find(({ path }) => path.join('/') === '3/0/15');
      assert.equal(zone?.value, 'Europe/Warsaw');
      assert.ok((result.nodes?.length ?? 0) >= 20);
    }
    peer.close();
    ground.close();
  });
});
