import assert from 'node:assert/strict';
import * as packet from 'coap-packet';
import fc from 'fast-check';
import * as coap from '../../support/coap-message';
import { decodeTrace } from '../../support/recorded-exchanges';
import { loadTraces } from '../../support/traces';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

describe('test CoAP reader and writer', () => {
  it('reads the examples of RFC 7252 appendix A', () => {
    // Figure 16: a Confirmable GET of /temperature, piggybacked 2.05 "22.3 C".
    const request = coap.decodeMessage(hex('40 01 7d 34 bb 74 65 6d 70 65 72 61 74 75 72 65'));
    assert.equal(request.type, coap.CON);
    assert.equal(coap.codeText(request.code), '0.01');
    assert.equal(request.mid, 0x7d34);
    assert.equal(coap.uriPath(request), '/temperature');
    const response = coap.decodeMessage(hex('60 45 7d 34 ff 32 32 2e 33 20 43'));
    assert.equal(response.type, coap.ACK);
    assert.equal(coap.codeText(response.code), '2.05');
    assert.equal(response.payload.toString(), '22.3 C');
    // Figure 17: with a token.
    assert.equal(coap.decodeMessage(hex('41 01 7d 35 20 bb 74 65 6d 70 65 72 61 74 75 72 65')).token.toString('hex'), '20');
  });

  for (const [bytes, why] of [
    ['', 'nothing'],
    ['40 01 7d', 'three bytes'],
    ['80 01 7d 34', 'version 2'],
    ['49 01 7d 34 01 02 03 04 05 06 07 08 09', 'token length 9'],
    ['44 01 7d 34 01 02', 'token cut off'],
    ['41 00 7d 34 01', 'empty with a token'],
    ['40 00 7d 34 ff 01', 'empty with a payload'],
    ['40 01 7d 34 ff', 'marker without payload'],
    ['40 01 7d 34 b5 61', 'option cut off'],
    ['40 01 7d 34 d0', 'extended delta cut off'],
    ['40 01 7d 34 f0', 'delta 15'],
    ['40 01 7d 34 0f', 'length 15'],
  ] as const) {
    it(`refuses ${why}`, () => assert.throws(() => coap.decodeMessage(hex(bytes)), coap.MalformedMessage));
  }

  it('writes every recorded datagram back to the same bytes', () => {
    let count = 0;
    for (const trace of loadTraces()) {
      for (const { message, record } of decodeTrace(trace)) {
        assert.equal(coap.encodeMessage(message).toString('hex'), record.bytes.toString('hex'), `${trace.name} ${record.index}`);
        count += 1;
      }
    }
    assert.ok(count > 5_000, `${count} datagrams`);
  });

  it('agrees with coap-packet on well-formed messages', () => {
    const option = fc.record(
      {
        number: fc.integer({ min: 1, max: 2_000 }),
        value: fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value)),
      },
      { noNullPrototype: true },
    );
    const message = fc.record(
      {
        type: fc.constantFrom(coap.CON, coap.NON, coap.ACK, coap.RST),
        code: fc.constantFrom(0x01, 0x02, 0x05, 0x41, 0x45, 0x84, 0xa0),
        mid: fc.integer({ min: 0, max: 0xffff }),
        token: fc.uint8Array({ maxLength: 8 }).map((token) => Buffer.from(token)),
        options: fc.array(option, { maxLength: 8 }).map((options) => options.sort((left, right) => left.number - right.number)),
        payload: fc.uint8Array({ maxLength: 64 }).map((payload) => Buffer.from(payload)),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(message, (sample) => {
        const data = coap.encodeMessage(sample);
        assert.deepEqual(coap.decodeMessage(data), sample);
        const theirs = packet.parse(data);
        assert.equal(theirs.code, coap.codeText(sample.code));
        assert.equal(theirs.messageId, sample.mid);
        assert.deepEqual(theirs.token, sample.token);
        assert.deepEqual(theirs.payload, sample.payload);
        assert.deepEqual(
          theirs.options.map(({ value }) => value),
          sample.options.map(({ value }) => value),
        );
      }),
      { seed: 7252, numRuns: 500 },
    );
  });

  it('never throws anything but MalformedMessage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          const message = coap.decodeMessage(bytes);
          assert.deepEqual(coap.decodeMessage(coap.encodeMessage(message)), message);
        } catch (error) {
          assert.ok(error instanceof coap.MalformedMessage, String(error));
        }
      }),
      { seed: 7252, numRuns: 5_000 },
    );
  });

  it('reads and writes Block options', () => {
    for (const [bytes, expected] of [
      ['', { num: 0, more: false, size: 16 }],
      ['09', { num: 0, more: true, size: 32 }],
      ['61', { num: 6, more: false, size: 32 }],
      ['07de', { num: 125, more: true, size: 1024 }],
    ] as const) {
      const option = { number: coap.OptionNumber.Block1, value: hex(bytes) };
      const message = coap.decodeMessage(coap.encodeMessage({ type: coap.CON, code: 2, mid: 1, options: [option] }));
      assert.deepEqual(coap.block(message, coap.OptionNumber.Block1), expected);
      assert.deepEqual(coap.blockOption(coap.OptionNumber.Block1, expected), option);
    }
  });
});
