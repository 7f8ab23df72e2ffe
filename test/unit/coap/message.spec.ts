import assert from 'node:assert/strict';
import { generate, parse } from 'coap-packet';
import fc from 'fast-check';
import { codeText } from '../../../lib/coap/codes';
import { encodeEmpty, encodeMessage, isFormatError, parseMessage } from '../../../lib/coap/message';
import { Type, type Message } from '../../../lib/coap/types';
import * as coap from '../../support/coap-message';

const { CON, NON, ACK, RST } = Type;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

type Vector = readonly [
  what: string,
  bytes: string,
  type: Type,
  code: string,
  mid: number,
  token: string,
  options: readonly (readonly [number, string])[],
  payload: string,
];

const vectors: readonly Vector[] = [
  [
    'GET /temperature of RFC 7252 appendix A',
    '40017d34bb74656d7065726174757265',
    CON,
    '0.01',
    0x7d34,
    '',
    [[11, hex(Buffer.from('temperature'))]],
    '',
  ],
  ['its piggybacked answer', '60457d34ff32322e332043', ACK, '2.05', 0x7d34, '', [], hex(Buffer.from('22.3 C'))],
  ['with a token', '41017d3520bb74656d7065726174757265', CON, '0.01', 0x7d35, '20', [[11, hex(Buffer.from('temperature'))]], ''],
  ['an Empty acknowledgement', '60007d36', ACK, '0.00', 0x7d36, '', [], ''],
  ['a Reset', '7000ffff', RST, '0.00', 0xffff, '', [], ''],
  ['a ping', '40000000', CON, '0.00', 0, '', [], ''],
  ['a token of 8 bytes', '5845abcd0102030405060708', NON, '2.05', 0xabcd, '0102030405060708', [], ''],
  [
    'Observe 0 and an empty segment',
    '5001123460' + '50',
    NON,
    '0.01',
    0x1234,
    '',
    [
      [6, ''],
      [11, ''],
    ],
    '',
  ],
  [
    'two options of one number',
    '40020001b161' + '0162',
    CON,
    '0.02',
    1,
    '',
    [
      [11, '61'],
      [11, '62'],
    ],
    '',
  ],
  ['an option of 13 bytes', '40020001bd00' + '61'.repeat(13), CON, '0.02', 1, '', [[11, '61'.repeat(13)]], ''],
  ['an option of 268 bytes', '40020001bdff' + '61'.repeat(268), CON, '0.02', 1, '', [[11, '61'.repeat(268)]], ''],
  ['an option of 269 bytes', '40020001be0000' + '61'.repeat(269), CON, '0.02', 1, '', [[11, '61'.repeat(269)]], ''],
  ['option number 13', '40020001d000', CON, '0.02', 1, '', [[13, '']], ''],
  ['option number 268', '40020001d0ff', CON, '0.02', 1, '', [[268, '']], ''],
  ['option number 269', '40020001e00000', CON, '0.02', 1, '', [[269, '']], ''],
  ['option number 65535', '40020001e0fef2', CON, '0.02', 1, '', [[65535, '']], ''],
  ['delta and length extended', '40020001dd0100' + '62'.repeat(13), CON, '0.02', 1, '', [[14, '62'.repeat(13)]], ''],
  ['a payload of one marker byte', '40020001ffff', CON, '0.02', 1, '', [], 'ff'],
  ['a reserved code class', '40200001', CON, '1.00', 1, '', [], ''],
];

/** Bytes, and whether they can be answered with a Reset. */
const errors: readonly (readonly [what: string, bytes: string, error: RegExp, resetMid?: number])[] = [
  ['nothing', '', /shorter than a header/],
  ['three bytes', '400100', /shorter than a header/],
  ['version 0', '00010001', /version/],
  ['version 2', '80010001', /version/],
  ['version 3', 'c0010001', /version/],
  ['a token length of 9', '490100020102030405060708090a', /token longer/, 2],
  ['a token length of 15', '4f010002' + '00'.repeat(15), /token longer/, 2],
  ['the same, Non-confirmable', '5f010002' + '00'.repeat(15), /token longer/],
  ['a cut-off token', '4401000301', /token runs past/, 3],
  ['Empty with a token', '4100000455', /empty message/, 4],
  ['Empty with a token length and no token', '42000004', /empty message/, 4],
  ['Empty with bytes', '40000004ff', /empty message/, 4],
  ['an Empty acknowledgement with bytes', '60000004ff00', /empty message/],
  ['a Reset with bytes', '7000000400', /empty message/],
  ['a payload marker without payload', '40010005ff', /payload marker/, 5],
  ['the same after an option', '40010005b161ff', /payload marker/, 5],
  ['option delta 15', '40010006f0', /reserved option/, 6],
  ['option length 15', '400100060f', /reserved option/, 6],
  ['option delta 15 and length 15 are the marker only together', '40010006f100', /reserved option/, 6],
  ['an option past the end', '40010007b561', /option runs past/, 7],
  ['an option past the end by its extended length', '400100070d0061', /option runs past/, 7],
  ['a cut-off delta of one byte', '40010008d0', /option header/, 8],
  ['a cut-off delta of two bytes', '40010008e000', /option header/, 8],
  ['a cut-off length of one byte', '400100080d', /option header/, 8],
  ['a cut-off length of two bytes', '400100080eff', /option header/, 8],
  ['an option number above 65535', '40010009e0fef3', /option number/, 9],
  ['an option number above 65535 in sum', '40010009e0fef210', /option number/, 9],
  ['129 options', '4001000a' + '00'.repeat(129), /too many options/, 10],
];

const anyMessage: fc.Arbitrary<Message> = fc.record({
  type: fc.constantFrom<Type>(CON, NON, ACK, RST),
  code: fc.integer({ min: 1, max: 255 }),
  mid: fc.integer({ min: 0, max: 0xffff }),
  token: fc.uint8Array({ maxLength: 8 }),
  options: fc.array(
    fc.record({
      number: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 0xffff })),
      value: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 255, maxLength: 300 })),
    }),
    { maxLength: 10 },
  ),
  payload: fc.uint8Array({ maxLength: 100 }),
});

const plain = (message: Pick<Message, 'type' | 'code' | 'mid' | 'token' | 'options' | 'payload'>): object => ({
  type: message.type,
  code: message.code,
  mid: message.mid,
  token: hex(message.token),
  options: [...message.options].sort((a, b) => a.number - b.number).map(({ number, value }) => [number, hex(value)]),
  payload: hex(message.payload),
});

describe('CoAP messages', () => {
  for (const [what, bytes, type, code, mid, token, options, payload] of vectors) {
    it(`[COAP-001] [COAP-005] ${what}`, () => {
      const message = parseMessage(Buffer.from(bytes, 'hex'));
      assert.ok(!isFormatError(message), JSON.stringify(message));
      assert.equal(codeText(message.code), code);
      assert.deepEqual(plain(message), { type, code: message.code, mid, token, options: options.map((option) => [...option]), payload });
      assert.equal(hex(encodeMessage(message)), bytes);
    });
  }

  for (const [what, bytes, error, resetMid] of errors) {
    it(`[COAP-002] no message: ${what}`, () => {
      const result = parseMessage(Buffer.from(bytes, 'hex'));
      assert.ok(isFormatError(result), JSON.stringify(result));
      assert.match(result.error, error);
      assert.equal(result.resetMid, resetMid);
    });
  }

  it('[COAP-002] takes 128 options', () => {
    const message = parseMessage(Buffer.from('4001000a' + '00'.repeat(128), 'hex'));
    assert.ok(!isFormatError(message));
    assert.equal(message.options.length, 128);
  });

  it('[COAP-005] writes options sorted, those of one number in their order', () => {
    const option = (number: number, text: string) => ({ number, value: Buffer.from(text) });
    const options = [option(15, 'b'), option(11, 'x'), option(15, 'a'), option(11, 'y'), option(6, '')];
    const bytes = encodeMessage({ type: CON, code: 1, mid: 7, token: Buffer.alloc(0), options, payload: Buffer.alloc(0) });
    const read = coap.decodeMessage(bytes).options.map(({ number, value }) => `${number}${value.toString()}`);
    assert.deepEqual(read, ['6', '11x', '11y', '15b', '15a']);
    assert.deepEqual(options[0], option(15, 'b'), 'the caller keeps its order');
  });

  it('[COAP-001] reads as other implementations write, and the other way round', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const ours = encodeMessage(message);
        const second = coap.decodeMessage(ours);
        assert.deepEqual(plain(second), plain(message));
        assert.equal(hex(coap.encodeMessage(second)), hex(ours));
        const back = parseMessage(ours);
        assert.ok(!isFormatError(back));
        assert.deepEqual(plain(back), plain(message));
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it('[COAP-001] reads as coap-packet writes, and the other way round', () => {
    const confirmable: Record<Type, object> = {
      [CON]: { confirmable: true },
      [NON]: { confirmable: false },
      [ACK]: { ack: true },
      [RST]: { reset: true },
    };
    // coap-packet cannot write an option number of 0, nor more than 1280 bytes.
    const common = anyMessage.map((message) => ({ ...message, options: message.options.filter(({ number }) => number > 0).slice(0, 4) }));
    fc.assert(
      fc.property(common, (message) => {
        const theirs = generate(
          {
            ...confirmable[message.type],
            code: codeText(message.code),
            messageId: message.mid,
            token: Buffer.from(message.token),
            options: message.options.map(({ number, value }) => ({ name: String(number) as never, value: Buffer.from(value) })),
            payload: Buffer.from(message.payload),
          },
          4096,
        );
        const ours = parseMessage(theirs);
        assert.ok(!isFormatError(ours), hex(theirs));
        assert.deepEqual(plain(ours), plain(message));
        const read = parse(encodeMessage(message));
        assert.equal(read.code, codeText(message.code));
        assert.equal(read.messageId, message.mid);
        assert.equal(hex(read.token), hex(message.token));
        assert.equal(hex(read.payload), hex(message.payload));
        assert.equal(read.options.length, message.options.length);
        assert.deepEqual([read.confirmable, read.ack, read.reset], [message.type === CON, message.type === ACK, message.type === RST]);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('[COAP-002] agrees with a second reading about what is no message, whatever the bytes', () => {
    const strict = (bytes: Buffer): object | undefined => {
      try {
        return plain(coap.decodeMessage(bytes));
      } catch (error) {
        assert.ok(error instanceof coap.MalformedMessage);
        return undefined;
      }
    };
    const damaged = fc.tuple(anyMessage, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(3)).map(([message, at, byte, cut]) => {
      const bytes = encodeMessage(message);
      bytes[at % bytes.length] = byte;
      return bytes.subarray(0, bytes.length - cut);
    });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 40 })), (data) => {
        const bytes = Buffer.from(data);
        const ours = parseMessage(bytes);
        const theirs = strict(bytes);
        if (isFormatError(ours)) assert.equal(theirs, undefined, `${hex(bytes)}: ${ours.error}`);
        else assert.deepEqual(plain(ours), theirs);
      }),
      { seed: 4, numRuns: 2_000 },
    );
  });

  it('writes Empty messages', () => {
    assert.equal(hex(encodeEmpty(ACK, 0x1234)), '60001234');
    assert.equal(hex(encodeEmpty(RST, 0xffff)), '7000ffff');
  });
});
