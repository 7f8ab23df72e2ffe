import assert from 'node:assert/strict';
import { encodeMessage, isFormatError, parseMessage } from '../../lib/coap/message';
import type { Message } from '../../lib/coap/types';
import type { Registration } from '../../lib/server/types';
import * as coap from '../support/coap-message';
import { corpus, countEscapes, FUZZ, liveHeap, StrangersTransport } from '../support/fuzz';
import { createGround, eventsOf, type Ground } from '../support/ground';
import { mutate } from '../support/mutate';
import { createRandom } from '../support/random';
import { judgeRegister, type Verdict } from '../support/register-parser';

/** EXCHANGE_LIFETIME (RFC 7252 4.8.2) and a little. */
const FORGOTTEN_AFTER = 260_000;
const BATCH = 200;
/** The engine takes no message with more (lib/coap/message.ts). */
const MAX_OPTIONS = 128;
const samples = corpus();

interface Shot {
  readonly data: Buffer;
  readonly how: readonly string[];
}

/** Feeds `FUZZ.count` spoiled datagrams, each from a stranger, and shows each with its replies to `look`. */
async function bombard(
  ground: Ground,
  transport: StrangersTransport,
  share: number,
  look: (shot: Shot, key: string, replies: readonly Buffer[]) => void,
  batch: () => void = () => undefined,
): Promise<void> {
  const random = createRandom(FUZZ.seed);
  for (let index = 0; index < FUZZ.count; index += 1) {
    const base = random.pick(random.chance(share) ? samples.registers : samples.all);
    const shot = mutate(base, samples.all, random);
    const peer = transport.stranger();
    ground.endpoint.receive(Buffer.from(shot.data), peer);
    const replies = transport.replies.splice(0);
    for (const { key } of replies) assert.equal(key, peer.key, `answer to somebody else: ${named(shot)}`);
    look(
      shot,
      peer.key,
      replies.map(({ data }) => data),
    );
    ground.clock.advance(5);
    if (index % BATCH === BATCH - 1) {
      await ground.clock.settle();
      batch();
    }
  }
  await ground.clock.settle();
  batch();
}

function named({ data, how }: Shot): string {
  return `${data.toString('hex')} (${how.join(', ')})`;
}

/** What may be answered to a datagram: RFC 7252 4.2, 4.3, and no amplification of what cannot be read. */
function checkReplies(shot: Shot, replies: readonly Buffer[]): void {
  const { data } = shot;
  let message: coap.CoapMessage | undefined;
  let mid: number | undefined;
  let type: number | undefined;
  try {
    message = coap.decodeMessage(data);
    ({ mid, type } = message);
  } catch (error) {
    ({ mid, type } = error as coap.MalformedMessage);
  }
  const bytes = replies.reduce((sum, reply) => sum + reply.length, 0);
  if (type === undefined || type === coap.ACK || type === coap.RST) {
    assert.equal(bytes, 0, named(shot));
    return;
  }
  if (message === undefined) {
    assert.ok(bytes <= data.length, named(shot));
    const expected = type === coap.CON ? [coap.encodeMessage({ type: coap.RST, code: 0, mid: mid as number }).toString('hex')] : [];
    assert.deepEqual(
      replies.map((reply) => reply.toString('hex')),
      expected,
      named(shot),
    );
    return;
  }
  assert.ok(replies.length <= 1, named(shot));
  for (const reply of replies) {
    const answer = coap.decodeMessage(reply);
    assert.ok(reply.length <= 1_152, named(shot));
    if (message.type === coap.CON) assert.ok(answer.type === coap.ACK || answer.type === coap.RST, named(shot));
    if (answer.type === coap.ACK || answer.type === coap.RST) assert.equal(answer.mid, message.mid, named(shot));
    if (answer.code !== 0) assert.deepEqual(answer.token, message.token, named(shot));
    if (!coap.isRequest(message)) assert.equal(answer.type, coap.RST, named(shot));
  }
  if (message.type === coap.CON) assert.equal(replies.length, 1, named(shot));
}

function plain(message: Message | coap.CoapMessage): unknown {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const { type, code, mid, token, options, payload } = message;
  return { type, code, mid, token: hex(token), options: options.map(({ number, value }) => [number, hex(value)]), payload: hex(payload) };
}

function sizes({ endpoint, server }: Ground): Record<string, number> {
  const { registrations, observations, pendingOperations } = server.counters();
  return { ...endpoint.sizes(), registrations, observations, pendingOperations };
}

function factsOf(registration: Registration): Omit<Extract<Verdict, { kind: 'register' }>, 'kind'> {
  return {
    endpoint: registration.endpoint,
    lifetime: registration.lifetime,
    version: registration.lwm2mVersion,
    binding: registration.binding,
    queueMode: registration.queueMode,
    objects: registration.objects.map(({ objectId, instanceId }) =>
      instanceId === undefined ? `/${objectId}` : `/${objectId}/${instanceId}`,
    ),
  };
}

describe(`${FUZZ.count} spoiled datagrams, seed ${FUZZ.seed}`, () => {
  it('are read alike by the engine and by an independent reader', () => {
    const random = createRandom(FUZZ.seed + 2);
    let readable = 0;
    for (let index = 0; index < FUZZ.count; index += 1) {
      const shot = mutate(random.pick(samples.all), samples.all, random);
      const ours = parseMessage(shot.data);
      let theirs: coap.CoapMessage | undefined;
      try {
        theirs = coap.decodeMessage(shot.data);
      } catch (error) {
        assert.ok(error instanceof coap.MalformedMessage, named(shot));
        if (!isFormatError(ours)) assert.fail(`the engine reads ${named(shot)}, although: ${error.message}`);
        assert.equal(ours.resetMid, error.type === coap.CON ? error.mid : undefined, named(shot));
        continue;
      }
      if (theirs.options.length > MAX_OPTIONS) {
        assert.ok(isFormatError(ours), named(shot));
        continue;
      }
      if (isFormatError(ours)) assert.fail(`the engine refuses ${named(shot)}: ${ours.error}`);
      readable += 1;
      assert.deepEqual(plain(ours), plain(theirs), named(shot));
      assert.equal(encodeMessage(ours).toString('hex'), coap.encodeMessage(theirs).toString('hex'), named(shot));
    }
    assert.ok(readable > FUZZ.count / 3, `${readable} readable`);
  });

  it('leave nothing behind where unknown devices are refused', async () => {
    const ground = createGround({ unknownDevices: 'refuse', seed: FUZZ.seed });
    const base = sizes(ground);
    assert.deepEqual(
      Object.values(base).every((size) => size === 0),
      true,
    );
    const transport = new StrangersTransport();
    let heap = 0;
    const escaped = await countEscapes(async () => {
      heap = liveHeap();
      await bombard(
        ground,
        transport,
        0.5,
        (shot, _key, replies) => checkReplies(shot, replies),
        () => ground.events.splice(0),
      );
      ground.clock.advance(FORGOTTEN_AFTER);
      await ground.clock.settle();
    });
    assert.deepEqual(escaped, []);
    assert.deepEqual(ground.errors, []);
    assert.deepEqual(transport.replies, [], 'nothing is sent later');
    assert.deepEqual(sizes(ground), base);
    const { registers, refused, internalErrors } = ground.server.counters();
    assert.equal(registers, 0);
    assert.equal(internalErrors, 0);
    assert.ok(refused > FUZZ.count / 100, `only ${refused} reached the registration interface`);
    const grown = liveHeap() - heap;
    assert.ok(grown < 4_000_000, `the heap grew by ${grown} bytes`);
    ground.close();
  });

  it('register exactly what an independent reader takes for a Register', async () => {
    const ground = createGround({ unknownDevices: 'accept-without-security', seed: FUZZ.seed });
    const transport = new StrangersTransport();
    const shots = new Map<string, { readonly shot: Shot; readonly verdict: Verdict; readonly replies: readonly Buffer[] }>();
    const disagreements: string[] = [];
    let taken = 0;
    const disagree = (shot: Shot, what: string): void => void disagreements.push(`${what}: ${named(shot)}`);
    const escaped = await countEscapes(() =>
      bombard(
        ground,
        transport,
        0.8,
        (shot, key, replies) => {
          checkReplies(shot, replies);
          shots.set(key, { shot, verdict: judgeRegister(shot.data), replies });
        },
        () => {
          const registered = new Map<string, Registration>();
          for (const { registration } of eventsOf(ground.events, 'registered'))
            registered.set(`udp|${registration.address}|${registration.port}`, registration);
          ground.events.length = 0;
          for (const [key, { shot, verdict, replies }] of shots) {
            const registration = registered.get(key);
            if (verdict.kind === 'other') {
              if (registration !== undefined) disagree(shot, `registered ${registration.endpoint}, although: ${verdict.reason}`);
              continue;
            }
            if (registration === undefined) {
              const answer = replies[0] && coap.decodeMessage(replies[0]);
              disagree(
                shot,
                `not registered (${answer ? `${coap.codeText(answer.code)} ${answer.payload.toString()}` : 'no answer'}): ${JSON.stringify(verdict)}`,
              );
              continue;
            }
            taken += 1;
            const { kind: _kind, ...expected } = verdict;
            const facts = factsOf(registration);
            if (JSON.stringify(facts, Object.keys(expected).sort()) !== JSON.stringify(expected, Object.keys(expected).sort()))
              disagree(shot, `registered ${JSON.stringify(facts)}, read as ${JSON.stringify(expected)}`);
          }
          shots.clear();
        },
      ),
    );
    assert.deepEqual(escaped, []);
    assert.deepEqual(ground.errors, []);
    assert.equal(disagreements.length, 0, `${disagreements.length} disagreements, e.g.\n${disagreements.slice(0, 20).join('\n')}`);
    assert.ok(taken > FUZZ.count / 20, `only ${taken} were valid`);
    ground.close();
  });
});
