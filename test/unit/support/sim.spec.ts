import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { ScriptedServer } from '../../support/scripted-server';
import type { SimDevice } from '../../support/sim/device';
import { createPopulation } from '../../support/sim/population';
import { readTlv, tlvFloat, tlvInstance, tlvInteger, tlvResource } from '../../support/sim/tlv';
import { VirtualClock } from '../../support/virtual-clock';
import { VirtualNetwork } from '../../support/virtual-network';

const SERVER = { address: '192.0.2.1', port: 5683 };

function ground(count: number, conditions = {}) {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: 5, up: conditions, down: conditions });
  const server = new ScriptedServer({ network, clock, at: SERVER });
  const population = createPopulation({
    count,
    network,
    clock,
    seed: 5,
    server: SERVER,
    lifetime: 60,
    measureEvery: 1_000,
    measurements: 5,
  });
  return { clock, network, server, population };
}

describe('scripted devices', () => {
  it('encode TLV as the examples of Core TS 1.1.1 7.4.4 do', () => {
    const hex = (data: Buffer): string => data.toString('hex');
    assert.equal(hex(tlvResource(0, Buffer.from('Open Mobile Alliance'))), 'c800144f70656e204d6f62696c6520416c6c69616e6365');
    assert.equal(hex(tlvResource(9, tlvInteger(100))), 'c10964');
    assert.equal(hex(tlvResource(5700, tlvFloat(21.5))), 'e4164441ac0000');
    assert.equal(hex(tlvInstance(0, [tlvResource(0, tlvInteger(1)), tlvResource(1, tlvInteger(86_400))])), '080009c10001c40100015180');
    assert.deepEqual(readTlv(Buffer.from('e4164441ac0000', 'hex')), [{ kind: 3, id: 5700, value: Buffer.from('41ac0000', 'hex') }]);
    assert.throws(() => readTlv(Buffer.from('c80014', 'hex')));
    for (const [value, bytes] of [
      [0, '00'],
      [127, '7f'],
      [128, '0080'],
      [-128, '80'],
      [-129, 'ff7f'],
      [32_768, '00008000'],
      [2 ** 40, '0000010000000000'],
    ] as const)
      assert.equal(hex(tlvInteger(value)), bytes);
  });

  it('register, keep their registration alive and de-register', () => {
    const { clock, server, population } = ground(6);
    population.start(1_000);
    clock.advance(2_000);
    assert.equal(
      population.count((device) => device.state === 'registered'),
      6,
    );
    assert.deepEqual(
      server.registered.map(({ endpoint }) => endpoint).sort(),
      population.devices.map(({ endpoint }) => endpoint),
    );
    clock.advance(100_000);
    for (const device of population.devices) assert.equal(device.counters.updates, 3);
    for (const device of population.devices) device.deregister();
    clock.advance(10);
    assert.equal(server.paths.filter((path) => path.startsWith('0.04')).length, 6);
    assert.equal(
      population.count((device) => device.state === 'gone'),
      6,
    );
  });

  it('register again and again through a lossy network', () => {
    const { clock, population } = ground(50, { loss: 0.4 });
    population.start(1_000);
    clock.advance(600_000);
    assert.equal(
      population.count((device) => device.registrationId !== ''),
      50,
    );
    assert.ok(population.devices.some((device) => device.messenger.counters.retransmissions > 0));
  });

  it('answer Read, Write, Execute, Discover and Write-Attributes', () => {
    const { clock, server, population } = ground(1);
    population.start(1);
    clock.advance(100);
    const device = population.device('sim-00000');
    const route = server.transport.peerFor(device.address.address, device.address.port);
    const ask = (code: string, path: string, options: readonly coap.CoapOption[] = [], payload = ''): coap.CoapMessage => {
      server.ask(route, { code, path, token: '01', options, payload: Buffer.from(payload) });
      clock.advance(10);
      return server.responses.at(-1)?.message as coap.CoapMessage;
    };
    const accept = (format: number) => [coap.uintOption(coap.OptionNumber.Accept, format)];
    assert.equal(ask('0.01', '/3/0/2').payload.toString(), 'SN000000');
    assert.equal(ask('0.01', '/3/0/2', accept(11542)).payload.toString('hex'), 'c80208534e303030303030');
    assert.equal(ask('0.01', '/3/0', accept(0)).code, coap.code('4.06'));
    assert.equal(ask('0.01', '/3/0/4').code, coap.code('4.05'));
    assert.equal(ask('0.01', '/9').code, coap.code('4.04'));
    assert.deepEqual(
      readTlv(ask('0.01', '/3303/0').payload).map(({ id }) => id),
      [5700, 5701],
    );
    assert.equal(ask('0.01', '/3303/0', accept(40)).payload.toString(), '</3303/0>,</3303/0/5605>,</3303/0/5700>,</3303/0/5701>');
    assert.equal(ask('0.03', '/3/0/14', [], '+01:00').code, coap.code('2.04'));
    assert.equal(ask('0.01', '/3/0/14').payload.toString(), '+01:00');
    assert.equal(ask('0.03', '/3/0/2', [], 'x').code, coap.code('4.05'));
    assert.equal(ask('0.03', '/1/0/1', [], 'x').code, coap.code('4.00'));
    assert.equal(ask('0.03', '/3/0/9', [coap.textOption(coap.OptionNumber.UriQuery, 'pmin=1')]).code, coap.code('2.04'));
    assert.equal(ask('0.02', '/3/0/4').code, coap.code('2.04'));
    assert.deepEqual(device.executed, ['/3/0/4']);
    assert.equal(ask('0.02', '/1/0/8').code, coap.code('2.04'));
    assert.equal(device.counters.updates, 1);
  });

  it('notify every watcher, newest value last, and stop on Reset', () => {
    const { clock, server, population } = ground(2);
    population.start(1);
    clock.advance(100);
    for (const [at, device] of population.devices.entries()) {
      const route = server.transport.peerFor(device.address.address, device.address.port);
      server.ask(route, { code: '0.01', path: '/3303/0/5700', token: `0${at}`, options: [coap.uintOption(coap.OptionNumber.Observe, 0)] });
    }
    clock.advance(3_500);
    const [first, second] = population.devices as [SimDevice, SimDevice];
    assert.deepEqual(first.acknowledged, [1, 2, 3]);
    assert.deepEqual(second.acknowledged, [65, 66, 67]);
    const last = server.responses.findLast(({ peer }) => peer.address === first.address.address);
    if (last === undefined) assert.fail('no notification');
    assert.equal(last.message.payload.toString(), '3');
    server.transport.send(coap.encodeMessage({ type: coap.RST, code: 0, mid: 0 }), last.peer);
    clock.advance(10);
    assert.equal(first.observed, 1, 'a Reset of something else changes nothing');
    clock.advance(10_000);
    assert.equal(first.quiet, true);
    assert.equal(first.value, 5);
  });
});
