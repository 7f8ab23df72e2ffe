import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { COAPS, deviceTable } from '../../support/scheme';
import { eventsOf, type Ground } from '../../support/ground';
import { answered, cancel, closeAll, createWorld, DEVICE, ELSEWHERE, failed, LIST, observe, perform, ScriptedPeer, story } from './fixture';

const { Observe, Accept, Block2 } = coap.OptionNumber;

function world(options: Parameters<typeof createWorld>[0] = {}, list = LIST): { ground: Ground; peer: ScriptedPeer; id: string } {
  const ground = createWorld(options);
  const peer = new ScriptedPeer(ground);
  const id = peer.register({ payload: list, query: ['lt=0'] });
  ground.events.length = 0;
  return { ground, peer, id };
}

/** Observes /3/0/9 with the answer 20 in text, and gives back the token. */
async function observing(options: Parameters<typeof createWorld>[0] = {}, list = LIST) {
  const all = world(options, list);
  const { request, result } = await perform(all.ground, all.peer, {
    operation: observe(3, 0, 9),
    answer: { payload: '20', contentFormat: 0, observe: 10 },
  });
  const { observation } = answered(result);
  assert.ok(observation);
  return { ...all, request, token: request.token, observation, result };
}

const values = (ground: Ground) => eventsOf(ground.events, 'notification').map(({ nodes }) => nodes[0]?.value);

describe('Observe', () => {
  afterEach(closeAll);

  it('[SRV-100] gives the first value and an observation as plain data', async () => {
    const { ground, result, observation, token, id, request } = await observing();
    assert.equal(coap.number(request, Observe), 0);
    assert.deepEqual(observation, {
      id: token.toString('hex'),
      registrationId: id,
      endpoint: 'dev',
      path: { ids: [3, 0, 9] },
      contentFormat: 0,
      accept: 110,
      startedAt: ground.clock.wall() - 1,
    });
    assert.deepEqual(structuredClone(observation), observation);
    const answer = answered(result);
    assert.deepEqual(answer.nodes, [{ path: [3, 0, 9], type: 'integer', value: 20 }]);
    assert.equal('warnings' in answer, false);
    assert.deepEqual(ground.server.observations('dev'), [observation]);
    assert.deepEqual(ground.server.observations('nobody'), []);
    assert.equal(ground.server.counters().observations, 1);
    assert.deepEqual(ground.events, []);
  });

  it('[SRV-100] uses a token of eight random bytes', async () => {
    const tokens = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const { token } = await observing();
      assert.equal(token.length, 8);
      tokens.add(token.toString('hex'));
    }
    assert.equal(tokens.size, 5);
  });

  for (const type of [coap.NON, coap.CON] as const) {
    it(`[SRV-101] makes an event of a ${type === coap.CON ? 'Confirmable' : 'Non-confirmable'} notification`, async () => {
      const { ground, peer, token, observation } = await observing();
      const mid = peer.push(token, '2.05', { type, payload: '[{"n":"/3/0/9","v":21}]', contentFormat: 110, observe: 11 });
      if (type === coap.CON) {
        const acknowledgement = peer.take();
        assert.deepEqual([acknowledgement.type, acknowledgement.mid], [coap.ACK, mid]);
      }
      peer.quiet();
      assert.deepEqual(ground.events, [
        {
          kind: 'notification',
          at: ground.clock.wall() - 1,
          registration: ground.server.registration('dev'),
          observation,
          nodes: [{ path: [3, 0, 9], type: 'integer', value: 21 }],
          contentFormat: 110,
          code: '2.05',
          sequence: 11,
        },
      ]);
      assert.equal(ground.server.counters().notifications, 1);
    });
  }

  it('[SRV-101] takes 2.04 for a notification too, as LwM2M 1.0 clients send it', async () => {
    const { ground, peer, token } = await observing();
    peer.push(token, '2.04', { payload: '21', contentFormat: 0, observe: 11 });
    assert.deepEqual(values(ground), [21]);
    assert.equal(ground.server.observations('dev').length, 1);
  });

  it('[SRV-102] reads a notification without Content-Format in the format of the first answer', async () => {
    const { ground, peer } = world();
    const tlv = Buffer.from('c10964', 'hex');
    const { request } = await perform(ground, peer, {
      operation: observe(3, 0),
      answer: { payload: tlv, contentFormat: 11_542, observe: 1 },
    });
    peer.push(request.token, '2.05', { payload: Buffer.from('c10963', 'hex'), observe: 2 });
    assert.deepEqual(values(ground), [99]);
    assert.equal(eventsOf(ground.events, 'notification')[0]?.contentFormat, undefined);
  });

  it('[SRV-103] counts a notification that cannot be read, tells of it, and goes on observing', async () => {
    const { ground, peer, token } = await observing();
    peer.push(token, '2.05', { payload: 'warm', contentFormat: 0, observe: 11 });
    assert.deepEqual(
      ground.events.map((event) => event.kind),
      ['log'],
    );
    const [log] = ground.events;
    assert.match(log?.kind === 'log' ? log.text : '', /notification of \/3\/0\/9 is lost.*integer/);
    assert.equal(ground.server.counters().undecodable, 1);
    peer.push(token, '2.05', { payload: '22', contentFormat: 0, observe: 12 });
    assert.deepEqual(values(ground), [22]);
  });

  it('[SRV-104] of an observed path takes the same token, so that there is one observation', async () => {
    const { ground, peer, token } = await observing();
    const { request, result } = await perform(ground, peer, {
      operation: observe(3, 0, 9),
      answer: { payload: '21', contentFormat: 0, observe: 12 },
    });
    assert.deepEqual(request.token, token);
    assert.equal(coap.number(request, Observe), 0);
    assert.equal(answered(result).observation?.id, token.toString('hex'));
    assert.equal(ground.server.observations('dev').length, 1);
    peer.push(token, '2.05', { payload: '22', contentFormat: 0, observe: 13 });
    assert.deepEqual(values(ground), [22]);
  });

  it('[SRV-104] of two paths takes two tokens, and tells their values apart', async () => {
    const { ground, peer, token } = await observing();
    const other = await perform(ground, peer, { operation: observe(3, 0), answer: { payload: '[]', contentFormat: 110, observe: 1 } });
    assert.notDeepEqual(other.request.token, token);
    peer.push(other.request.token, '2.05', { payload: '[{"n":"/3/0/9","v":1}]', contentFormat: 110, observe: 2 });
    peer.push(token, '2.05', { payload: '2', contentFormat: 0, observe: 11 });
    assert.deepEqual(
      eventsOf(ground.events, 'notification').map(({ observation }) => observation.path.ids),
      [
        [3, 0],
        [3, 0, 9],
      ],
    );
  });

  it('[SRV-104] asked twice at the same time leaves one observation, the later one', async () => {
    const { ground, peer } = world();
    const promises = [ground.server.perform('dev', observe(3, 0, 9)), ground.server.perform('dev', observe(3, 0, 9))];
    peer.tick();
    const first = peer.takeRequest();
    peer.answer(first, '2.05', { payload: '1', contentFormat: 0, observe: 1 });
    const second = peer.takeRequest();
    peer.answer(second, '2.05', { payload: '1', contentFormat: 0, observe: 2 });
    const [, later] = (await Promise.all(promises)).map((result) => answered(result).observation);
    assert.deepEqual(ground.server.observations('dev'), [later]);
    assert.deepEqual(story(ground.events), ['observation-ended dev observed anew']);
    peer.push(first.token, '2.05', { payload: '2', contentFormat: 0, observe: 3 });
    assert.equal(peer.take().type, coap.RST);
    peer.push(second.token, '2.05', { payload: '2', contentFormat: 0, observe: 4 });
    assert.deepEqual(values(ground), [2]);
  });

  it('[SRV-105] without the Observe option in the answer gives the value with a warning, and observes nothing', async () => {
    const { ground, peer } = world();
    const { request, result } = await perform(ground, peer, { operation: observe(3, 0, 9), answer: { payload: '20' } });
    const answer = answered(result);
    assert.equal(answer.nodes?.[0]?.value, 20);
    assert.equal(answer.observation, undefined);
    assert.match(answer.warnings?.[0] ?? '', /does not observe/);
    assert.deepEqual(ground.server.observations('dev'), []);
    peer.push(request.token, '2.05', { payload: '21', observe: 2 });
    assert.equal(peer.take().type, coap.RST);
    assert.deepEqual(ground.events, []);
  });

  it('[SRV-105] that is refused observes nothing', async () => {
    const { ground, peer } = world();
    const { request, result } = await perform(ground, peer, { operation: observe(3, 0, 99), code: '4.04', answer: { payload: 'no' } });
    assert.equal(answered(result).ok, false);
    assert.deepEqual(ground.server.observations('dev'), []);
    peer.push(request.token, '2.05', { payload: '21', observe: 2 });
    assert.equal(peer.take().type, coap.RST);
  });

  it('[SRV-105] whose answer cannot be read fails and leaves nothing behind', async () => {
    const { ground, peer } = world();
    const { request, result } = await perform(ground, peer, { operation: observe(3, 0, 9), answer: { payload: 'warm', observe: 1 } });
    assert.equal(failed(result).code, 'BAD_RESPONSE');
    assert.deepEqual(ground.server.observations('dev'), []);
    peer.push(request.token, '2.05', { payload: '21', observe: 2 });
    assert.equal(peer.take().type, coap.RST, 'the device is told');
    assert.deepEqual(ground.events, []);
  });

  it('[SRV-105] whose answer stays incomplete fails and leaves nothing behind', async () => {
    const { ground, peer } = world({ timeout: 10_000 });
    const promise = ground.server.perform('dev', observe(3, 0, 0));
    peer.tick();
    const request = peer.takeRequest();
    const options = [coap.blockOption(Block2, { num: 0, more: true, size: 16 })];
    peer.answer(request, '2.05', { payload: 'sixteen bytes ok', contentFormat: 0, observe: 1, options });
    peer.inbox.length = 0;
    ground.clock.advance(10_000);
    assert.equal(failed(await promise).code, 'TIMEOUT_NO_ACK');
    peer.inbox.length = 0;
    peer.push(request.token, '2.05', { payload: 'later', contentFormat: 0, observe: 2 });
    assert.equal(peer.take().type, coap.RST);
    assert.deepEqual(ground.events, []);
  });

  describe('again', () => {
    it('[SRV-106] unanswered leaves the observation running', async () => {
      const { ground, peer, token } = await observing({ timeout: 1_000 });
      const promise = ground.server.perform('dev', observe(3, 0, 9));
      ground.clock.advance(1_000);
      assert.equal(failed(await promise).code, 'TIMEOUT_NO_ACK');
      assert.equal(ground.server.observations('dev').length, 1);
      peer.inbox.length = 0;
      peer.push(token, '2.05', { payload: '21', contentFormat: 0, observe: 11 });
      assert.deepEqual(values(ground), [21]);
    });

    it('[SRV-106] refused ends the observation, and says so', async () => {
      const { ground, peer, observation } = await observing();
      await perform(ground, peer, { operation: observe(3, 0, 9), code: '4.04' });
      assert.deepEqual(ground.server.observations('dev'), []);
      const registration = ground.server.registration('dev');
      const at = ground.clock.wall() - 1;
      assert.deepEqual(ground.events, [
        { kind: 'observation-ended', at, registration, observation, reason: 'the device answered NOT_FOUND', code: '4.04' },
      ]);
    });

    it('[SRV-106] answered without the Observe option ends the observation, and says so', async () => {
      const { ground, peer } = await observing();
      const { result } = await perform(ground, peer, { operation: observe(3, 0, 9), answer: { payload: '5' } });
      assert.equal(answered(result).warnings?.length, 1);
      assert.deepEqual(story(ground.events), ['observation-ended dev the device does not observe it any more']);
      assert.deepEqual(ground.server.observations('dev'), []);
    });
  });

  describe('ended by the device', () => {
    it('[SRV-107] with an error, which is the reason', async () => {
      const { ground, peer, token, observation } = await observing();
      peer.push(token, '4.04', { payload: 'gone', type: coap.CON });
      assert.equal(peer.take().type, coap.ACK);
      assert.deepEqual(ground.events, [
        {
          kind: 'observation-ended',
          at: ground.clock.wall() - 1,
          registration: ground.server.registration('dev'),
          observation,
          reason: 'the device answered NOT_FOUND',
          code: '4.04',
        },
      ]);
      assert.deepEqual(ground.server.observations('dev'), []);
      peer.push(token, '2.05', { payload: '1', observe: 12 });
      assert.equal(peer.take().type, coap.RST);
    });

    it('[SRV-107] with a last value, which counts', async () => {
      const { ground, peer, token } = await observing();
      peer.push(token, '2.05', { payload: '7', contentFormat: 0 });
      assert.deepEqual(story(ground.events), ['notification dev', 'observation-ended dev the device ended it']);
      assert.deepEqual(values(ground), [7]);
      assert.deepEqual(ground.server.observations('dev'), []);
    });
  });

  describe('and its first notification', () => {
    it('[SRV-108] may overtake the answer, and is taken for it', async () => {
      const { ground, peer } = world();
      const promise = ground.server.perform('dev', observe(3, 0, 9));
      peer.tick();
      const request = peer.takeRequest();
      peer.push(request.token, '2.05', { payload: '21', contentFormat: 0, observe: 2 });
      peer.answer(request, '2.05', { payload: '20', contentFormat: 0, observe: 1 });
      peer.quiet();
      const answer = answered(await promise);
      assert.equal(answer.nodes?.[0]?.value, 21);
      assert.equal(ground.server.observations('dev').length, 1);
      peer.push(request.token, '2.05', { payload: '22', contentFormat: 0, observe: 3 });
      assert.deepEqual(values(ground), [22]);
    });

    it('[SRV-108] may come in the same breath as the answer', async () => {
      const { ground, peer } = world();
      const promise = ground.server.perform('dev', observe(3, 0, 9));
      peer.tick();
      const request = peer.takeRequest();
      const { mid, token } = request;
      for (const [type, number, sequence, payload] of [
        [coap.ACK, mid, 1, '20'],
        [coap.NON, 9_000, 2, '21'],
      ] as const) {
        peer.send({
          type,
          code: coap.code('2.05'),
          mid: number,
          token,
          options: [coap.uintOption(Observe, sequence)],
          payload: Buffer.from(payload),
        });
      }
      peer.tick();
      assert.equal(answered(await promise).nodes?.[0]?.value, 20);
      assert.deepEqual(values(ground), [21]);
    });

    it('[SRV-108] may come while the answer is still on its way in blocks', async () => {
      const { ground, peer } = world();
      const promise = ground.server.perform('dev', observe(3, 0, 0));
      peer.tick();
      const request = peer.takeRequest();
      const block = (num: number, more: boolean) => [coap.blockOption(Block2, { num, more, size: 16 })];
      peer.answer(request, '2.05', { payload: 'sixteen bytes ok', contentFormat: 0, observe: 1, options: block(0, true) });
      const second = peer.takeRequest();
      peer.push(request.token, '2.05', { payload: 'news', contentFormat: 0, observe: 2 });
      peer.quiet();
      assert.deepEqual(ground.events, [], 'nobody knows the observation yet');
      peer.answer(second, '2.05', { payload: '!', contentFormat: 0, options: block(1, false) });
      const answer = answered(await promise);
      assert.equal(answer.nodes?.[0]?.value, 'sixteen bytes ok!');
      assert.deepEqual(values(ground), ['news']);
      assert.deepEqual(eventsOf(ground.events, 'notification')[0]?.observation, answer.observation);
    });
  });

  for (const [where, address] of [
    ['the same address', DEVICE],
    ['another address', ELSEWHERE],
  ] as const) {
    it(`[SRV-109] under way while the device registers anew from ${where} does not become an observation of the new registration`, async () => {
      const { ground, peer } = world();
      const promise = ground.server.perform('dev', observe(3, 0, 9));
      peer.tick();
      const request = peer.takeRequest();
      const later = address === DEVICE ? peer : new ScriptedPeer(ground, address);
      later.register();
      const result = await promise;
      assert.equal(result.kind === 'failed' && result.code, 'CANCELLED');
      // Over DTLS the session it had is no more: what it still has to say comes in the new one.
      const late = COAPS ? later : peer;
      late.answer(request, '2.05', { payload: '20', contentFormat: 0, observe: 1 });
      assert.deepEqual(ground.server.observations('dev'), []);
      assert.equal(ground.server.counters().observations, 0);
      late.push(request.token, '2.05', { payload: '21', contentFormat: 0, observe: 2 });
      assert.equal(late.take().type, coap.RST);
      assert.deepEqual(values(ground), []);
    });
  }

  it('[SRV-110] keeps its values from a device that has lost its right', async () => {
    const { ground, peer, token } = await observing();
    ground.server.configure({ devices: deviceTable({}), timeout: 1_000 });
    peer.push(token, '2.05', { payload: '21', contentFormat: 0, observe: 11 });
    peer.push(token, '2.05', { payload: '22', contentFormat: 0, observe: 12 });
    assert.deepEqual(
      ground.events.map((event) => (event.kind === 'log' ? event.text.includes('not known') : event.kind)),
      [true],
      'told once, not for every value',
    );
    ground.events.length = 0;
    peer.push(token, '4.04');
    assert.deepEqual(story(ground.events), ['observation-ended dev the device answered NOT_FOUND']);
    assert.deepEqual(ground.server.observations('dev'), []);
  });

  it('[SRV-110] never takes the values of one device for those of another', async () => {
    const { ground, token } = await observing();
    const other = new ScriptedPeer(ground, ELSEWHERE);
    other.register({ endpoint: 'other' });
    ground.events.length = 0;
    other.push(token, '2.05', { payload: '66', contentFormat: 0, observe: 11 });
    assert.equal(other.take().type, coap.RST);
    assert.deepEqual(ground.events, []);
  });

  it('[SRV-111] goes on for the other listeners when one throws', async () => {
    const { ground, peer, token } = await observing();
    const heard: string[] = [];
    const boom = new Error('boom');
    ground.server.subscribe(() => {
      throw boom;
    });
    const end = ground.server.subscribe((event) => heard.push(event.kind));
    peer.push(token, '2.05', { payload: '21', contentFormat: 0, observe: 11 });
    assert.deepEqual(heard, ['notification']);
    assert.deepEqual(ground.errors.splice(0), [boom]);
    assert.equal(ground.server.counters().internalErrors, 1);
    end();
    peer.push(token, '2.05', { payload: '22', contentFormat: 0, observe: 12 });
    assert.deepEqual(heard, ['notification']);
    assert.deepEqual(ground.errors.splice(0), [boom]);
  });
});

describe('ObserveCancel', () => {
  afterEach(closeAll);

  it('[SRV-115] asks the device with the same token, path and Accept', async () => {
    const { ground, peer } = world();
    const begun = await perform(ground, peer, {
      operation: observe(3, 0, 9),
      options: { contentFormat: 0 },
      answer: { payload: '20', contentFormat: 0, observe: 10 },
    });
    const { request, result } = await perform(ground, peer, { operation: cancel(3, 0, 9), answer: { payload: '20', contentFormat: 0 } });
    const others = (message: coap.CoapMessage) => message.options.filter(({ number }) => number !== Observe);
    assert.deepEqual(request.token, begun.request.token);
    assert.equal(request.code, coap.code('0.01'));
    assert.equal(coap.number(request, Observe), 1);
    assert.equal(coap.number(request, Accept), 0);
    assert.deepEqual(others(request), others(begun.request));
    const answer = answered(result);
    assert.deepEqual([answer.code, answer.result, answer.ok, answer.cancelled, answer.warnings], ['2.05', 'CONTENT', true, 1, undefined]);
    assert.deepEqual(story(ground.events), ['observation-ended dev cancelled']);
    assert.deepEqual(ground.server.observations('dev'), []);
  });

  it('[SRV-115] hears notifications until the device has answered', async () => {
    const { ground, peer, token } = await observing();
    const promise = ground.server.perform('dev', cancel(3, 0, 9));
    peer.tick();
    const request = peer.takeRequest();
    peer.push(token, '2.05', { payload: '21', contentFormat: 0, observe: 11 });
    assert.deepEqual(values(ground), [21]);
    peer.answer(request, '2.05', { payload: '21', contentFormat: 0 });
    assert.equal(answered(await promise).cancelled, 1);
    peer.push(token, '2.05', { payload: '22', contentFormat: 0, observe: 12 });
    assert.equal(peer.take().type, coap.RST);
    assert.deepEqual(values(ground), [21]);
  });

  it('[SRV-116] that the device does not confirm ends the observation here, with a warning', async () => {
    const { ground, peer, token } = await observing({ timeout: 1_000 });
    const promise = ground.server.perform('dev', cancel(3, 0, 9));
    ground.clock.advance(1_000);
    const answer = answered(await promise);
    assert.deepEqual([answer.ok, answer.cancelled], [true, 1]);
    assert.match(answer.warnings?.[0] ?? '', /ended here; the device did not confirm/);
    assert.deepEqual(ground.server.observations('dev'), []);
    peer.inbox.length = 0;
    peer.push(token, '2.05', { payload: '22', contentFormat: 0, observe: 12 });
    assert.equal(peer.take().type, coap.RST, 'its next notification ends it there');
    assert.deepEqual(story(ground.events), ['observation-ended dev cancelled']);
  });

  it('[SRV-116] that the device refuses ends the observation here, with a warning', async () => {
    const { ground, peer } = await observing();
    const { result } = await perform(ground, peer, { operation: cancel(3, 0, 9), code: '4.05' });
    assert.match(answered(result).warnings?.[0] ?? '', /METHOD_NOT_ALLOWED/);
    assert.equal(answered(result).cancelled, 1);
    assert.deepEqual(ground.server.observations('dev'), []);
  });

  it('[SRV-116] of an observation that ends meanwhile has cancelled none', async () => {
    const { ground, peer, id } = await observing();
    const promise = ground.server.perform('dev', cancel(3, 0, 9));
    peer.tick();
    const request = peer.takeRequest();
    assert.equal(peer.code({ code: '0.04', path: `/rd/${id}` }), '2.02');
    peer.answer(request, '2.05', { payload: '1' });
    assert.equal(answered(await promise).cancelled, 0);
    assert.deepEqual(story(ground.events), ['observation-ended dev deregistered', 'deregistered dev']);
  });

  it('[SRV-117] of what is not observed says what is', async () => {
    const { ground, peer } = await observing();
    for (const path of [[3, 0], [3, 0, 10], [3]]) {
      const result = failed(await ground.server.perform('dev', cancel(...path)));
      assert.equal(result.code, 'BAD_REQUEST');
      assert.equal(result.error, `/${path.join('/')} of "dev" is not observed. Observed are /3/0/9.`);
    }
    peer.tick();
    peer.quiet();
    assert.equal(ground.server.observations('dev').length, 1);
  });

  it('[SRV-117] says where nothing is observed', async () => {
    const { ground } = world();
    assert.match(failed(await ground.server.perform('dev', cancel(3))).error, /Nothing is observed there/);
    assert.equal(failed(await ground.server.perform('nobody', cancel(3))).code, 'UNKNOWN_ENDPOINT');
    assert.equal(ground.server.counters().pendingOperations, 0);
  });
});
