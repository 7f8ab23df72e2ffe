import assert from 'node:assert/strict';
import { parse } from 'coap-packet';
import fc from 'fast-check';
import { inspectDatagram, type DropReason } from '../../../lib/device/datagram';

describe('[DEV-002] the check of a datagram', () => {
  const good: [string, string][] = [
    ['GET /3/0/9', '42 01 1234 aabb b1 33 01 30 01 39'],
    ['GET without token and options', '40 01 1234'],
    ['NON request', '50 01 1234'],
    ['method 0.31, for the device to refuse', '40 1f 1234'],
    ['piggybacked 2.05 with payload', '61 45 1234 aa ff 31'],
    ['separate 2.04', '41 44 1234 aa'],
    ['empty ACK', '60 00 1234'],
    ['Reset', '70 00 1234'],
    ['token of 8 bytes', '48 01 1234 0102030405060708'],
    ['delta of 13 and more', '40 01 1234 d1 0a 02'],
    ['delta of 269 and more', '40 01 1234 e1 0000 02'],
    ['option value of 13 bytes', '40 01 1234 bd 00 00000000000000000000000000'],
    ['Block1 of no bytes in a request', '40 03 1234 d0 0e'],
    ['Block1 of three bytes', '40 03 1234 d3 0e ffffe6'],
    ['Block2 0/0/6 in a response', '60 45 1234 d1 0a 06'],
    ['Block1 in a response', '60 44 1234 d1 0e 0e'],
  ];
  for (const [name, hex] of good) {
    it(`passes: ${name}`, () => assert.deepEqual(inspectDatagram(bytes(hex)), { kind: 'pass' }));
  }

  const hostile: [string, string, DropReason][] = [
    ['nothing', '', 'short'],
    ['three bytes', '40 01 12', 'short'],
    ['version 0', '00 01 1234', 'version'],
    ['version 2', '80 01 1234', 'version'],
    ['token length 9', '49 01 1234 010203040506070809', 'token'],
    ['token length 15', '4f 01 1234', 'token'],
    ['token longer than the datagram', '44 01 1234 aabb', 'token'],
    ['class 1', '40 21 1234', 'code'],
    ['class 3', '40 61 1234', 'code'],
    ['class 6', '40 c1 1234', 'code'],
    ['class 7', '40 e1 1234', 'code'],
    ['request in an ACK', '60 01 1234', 'type'],
    ['request in a Reset', '70 01 1234', 'type'],
    ['response in a Reset', '70 45 1234', 'type'],
    ['Empty with a token', '41 00 1234 aa', 'empty'],
    ['Empty with bytes after it', '60 00 1234 ff 01', 'empty'],
    ['Empty NON', '50 00 1234', 'empty'],
    ['option delta 15', '40 01 1234 f0', 'option'],
    ['option length 15', '40 01 1234 bf', 'option'],
    ['delta byte missing', '40 01 1234 d0', 'option'],
    ['one of two delta bytes missing', '40 01 1234 e0 00', 'option'],
    ['length byte missing', '40 01 1234 bd', 'option'],
    ['value cut off', '40 01 1234 b5 33 30', 'option'],
    ['option number beyond 65535', '40 01 1234 e0 ffff', 'option'],
    ['payload marker and nothing after it', '40 01 1234 ff', 'marker'],
    ['Block2 with the reserved size', '40 01 1234 d1 0a 07', 'block'],
    ['Block1 with the reserved size', '40 03 1234 d1 0e 0f', 'block'],
    ['Block1 of four bytes', '40 03 1234 d4 0e 00000006', 'block'],
    ['Block1 of no bytes in a response', '60 44 1234 d0 0e', 'block'],
    ['Block1 of four bytes in a response', '60 44 1234 d4 0e 00000006', 'block'],
    ['a response that has more blocks', '60 45 1234 d1 0a 0e', 'block'],
    ['a later block as response', '60 45 1234 d1 0a 16', 'block'],
    ['a later block as response, in two bytes', '60 45 1234 d2 0a 1006', 'block'],
  ];
  for (const [name, hex, reason] of hostile) {
    it(`drops: ${name}`, () => assert.deepEqual(inspectDatagram(bytes(hex)), { kind: 'drop', reason }));
  }

  it('[DEV-003] knows a ping', () => assert.deepEqual(inspectDatagram(bytes('40 00 beef')), { kind: 'ping', messageId: 0xbeef }));

  it('passes nothing that the packet parser of npm coap cannot read', () => {
    const header = fc.tuple(
      fc.constantFrom(0x40, 0x41, 0x42, 0x48, 0x50, 0x60, 0x61, 0x70),
      fc.constantFrom(0, 1, 2, 3, 5, 0x41, 0x45, 0x84),
    );
    const rest = fc.uint8Array({ maxLength: 40 });
    let passed = 0;
    fc.assert(
      fc.property(header, rest, ([first, code], tail) => {
        const data = Buffer.concat([Buffer.from([first, code, 0x12, 0x34]), tail]);
        if (inspectDatagram(data).kind !== 'pass') return;
        passed += 1;
        const packet = parse(data);
        assert.equal(packet.token.length, first & 15);
        for (const option of packet.options) assert.ok(Buffer.isBuffer(option.value));
      }),
      { seed: 7252, numRuns: 3000 },
    );
    assert.ok(passed > 100, `only ${passed} passed`);
  });

  it('says something about any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (data) => assert.ok(['pass', 'ping', 'drop'].includes(inspectDatagram(data).kind))),
      { seed: 7252, numRuns: 2000 },
    );
  });
});

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}
