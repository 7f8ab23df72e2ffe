import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { bodiesOf, exchangesOf } from '../../support/recorded-exchanges';
import { decodeRecord, loadTrace, loadTraces, parseTrace, traceNames } from '../../support/traces';

describe('traces', () => {
  it('reads records, times and steps', () => {
    const trace = parseTrace('x', '# peer: x\n0001 0.026 C->S 40010001\n# -- READ /3\n0002 1.5 S->C 60450001ff31\n');
    assert.deepEqual(trace.records, [
      { index: 1, time: 26, direction: 'C->S', bytes: Buffer.from('40010001', 'hex'), step: '' },
      { index: 2, time: 1_500, direction: 'S->C', bytes: Buffer.from('60450001ff31', 'hex'), step: 'READ /3' },
    ]);
  });

  for (const line of ['0001 0.026 C->C 4001', '0001 C->S 4001', '0001 0.026 C->S 401', 'hello']) {
    it(`refuses "${line}"`, () => assert.throws(() => parseTrace('x', line), /not a record/));
  }

  it('are all CoAP, in order of time, from both sides', () => {
    const traces = loadTraces();
    assert.equal(traces.length, 24);
    for (const { name, records } of traces) {
      assert.ok(records.length >= 4, name);
      assert.deepEqual(new Set(records.map(({ direction }) => direction)), new Set(['C->S', 'S->C']), name);
      for (const [at, record] of records.entries()) {
        assert.ok(decodeRecord(record) !== undefined, `${name} ${record.index}`);
        assert.ok(at === 0 || record.time >= (records[at - 1]?.time ?? 0), `${name} ${record.index}`);
      }
    }
  });

  it('name no place on a disk', () => {
    for (const { name, records } of loadTraces()) {
      for (const { bytes, index } of records)
        assert.doesNotMatch(bytes.toString('latin1'), /\/(home|root|tmp|work|Users)\//, `${name} ${index}`);
    }
  });

  it('pair requests with what came back for them', () => {
    const asked = exchangesOf(loadTrace('observe-wakaama-instance-partial'), 'server');
    const observed = asked.find(({ request }) => request.record.index === 7);
    assert.deepEqual(
      observed?.answers.map(({ record }) => record.index),
      [8, 9, 10, 11, 12],
    );
    const registers = exchangesOf(loadTrace('block1-register-anjay'), 'client');
    assert.equal(registers.length, 8);
    assert.equal(coap.texts(registers[6]?.answers[0]?.message as coap.CoapMessage, coap.OptionNumber.LocationPath)[1], 'r1');
  });

  it('put blocks together', () => {
    const bodies = bodiesOf(loadTrace('block1-register-anjay'));
    assert.deepEqual(
      bodies.map(({ index, path, contentFormat, payload }) => [index, path, contentFormat, payload.length]),
      [
        [16, '/3', 112, 4 * 64 + 16],
        [26, '/3', 110, 7 * 64 + 58],
      ],
    );
    assert.equal((JSON.parse(String(bodies[1]?.payload)) as unknown[]).length > 10, true);
    assert.ok(bodies[0]?.registerLinks.endsWith('</33629>'));
  });

  it('have bodies in every format a server must read', () => {
    const formats = new Set(traceNames().flatMap((name) => bodiesOf(loadTrace(name)).map(({ contentFormat }) => contentFormat)));
    for (const format of [0, 42, 60, 110, 112, 1542, 11542]) assert.ok(formats.has(format), String(format));
  });
});
