import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { deviceTable, plainOnly } from '../../support/scheme';
import { eventsOf, type GroundOptions } from '../../support/ground';
import { answered, closeAll, createWorld, DEVICE, LIST, perform, read, ScriptedPeer, story } from './fixture';

function knocking(options: GroundOptions, endpoint = 'dev') {
  const ground = createWorld(options);
  const peer = new ScriptedPeer(ground);
  const answer = peer.ask({ query: [`ep=${endpoint}`, 'lwm2m=1.1'], contentFormat: 40, payload: LIST });
  return { ground, peer, answer, code: coap.codeText(answer.code) };
}

const stranger = plainOnly('over DTLS a device that has no key gets no session, and never as far as a Register');

describe('who may register', () => {
  afterEach(closeAll);

  stranger('[SRV-050] refuses an unknown device by 4.03, and tells people what to do', () => {
    const { ground, code, answer } = knocking({ unknownDevices: 'refuse' });
    assert.equal(code, '4.03');
    assert.equal(answer.payload.toString(), 'this device is not known');
    assert.deepEqual(eventsOf(ground.events, 'refused'), [
      {
        kind: 'refused',
        at: ground.clock.wall() - 1,
        endpoint: 'dev',
        ...DEVICE,
        code: '4.03',
        reason: 'this device is not known',
        hint: 'Add "dev" to the device table of the server, or set "Unknown devices" to "accept without security".',
      },
    ]);
    assert.deepEqual(ground.server.registrations(), []);
  });

  it('[SRV-050] takes an unknown device in when told to accept without security', () => {
    assert.equal(knocking({ unknownDevices: 'accept-without-security' }).code, '2.01');
  });

  it('[SRV-051] takes a device of its table in, by its exact name', () => {
    const devices = [{ endpoint: 'dev', mode: 'none' }] as const;
    assert.equal(knocking({ unknownDevices: 'refuse', devices }).code, '2.01');
    for (const name of ['Dev', 'dev ', 'de', '__proto__']) assert.equal(knocking({ unknownDevices: 'refuse', devices }, name).code, '4.03');
  });

  stranger('[SRV-052] refuses a disabled device by 4.03, even where unknown ones are accepted', () => {
    const { ground, code } = knocking({ devices: [{ endpoint: 'dev', mode: 'none', disabled: true }] });
    assert.equal(code, '4.03');
    const [event] = eventsOf(ground.events, 'refused');
    assert.deepEqual([event?.reason, event?.hint], ['this device is disabled', 'Enable "dev" in the device table of the server.']);
  });

  it('[SRV-053] says what is wrong with the message before who may send it', () => {
    const ground = createWorld({ unknownDevices: 'refuse', devices: [{ endpoint: 'other', mode: 'none' }] });
    const peer = new ScriptedPeer(ground, DEVICE, 0x1000, 'other');
    assert.equal(peer.code({ query: ['ep=dev', 'lt=x'], contentFormat: 40, payload: LIST }), '4.00');
    assert.equal(peer.code({ query: ['ep=dev', 'lwm2m=9.9'], contentFormat: 40, payload: LIST }), '4.12');
  });

  it('[SRV-054] binds a device to a new table at its next message, not before', async () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    const id = peer.register();
    ground.server.configure({ devices: deviceTable({}), timeout: 1_000 });
    assert.equal(ground.server.registration('dev')?.id, id);
    const { result } = await perform(ground, peer, { operation: read(3, 0, 9), answer: { payload: '1' } });
    assert.equal(answered(result).ok, true);
    assert.equal(peer.code({ query: ['ep=dev'], contentFormat: 40, payload: LIST }), '4.03');
    assert.equal(ground.server.registration('dev')?.id, id, 'a refused Register replaces nothing');
    ground.server.configure({ devices: deviceTable({ devices: [{ endpoint: 'dev', mode: 'none' }] }), timeout: 1_000 });
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    assert.deepEqual(story(ground.events), ['registered dev', 'refused dev 4.03', 'updated dev']);
  });
});
