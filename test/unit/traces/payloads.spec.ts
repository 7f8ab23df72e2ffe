import assert from 'node:assert/strict';
import { DecodeError, decodePayload } from '../../../lib/codec/index';
import { omaModel } from '../../../lib/model/oma';
import { bodiesOf, type RecordedBody } from '../../support/recorded-exchanges';
import { loadTrace, loadTraces, traceNames } from '../../support/traces';

/** Content formats the server reads; undefined is text/plain (Core TS 1.1.1 7.4). */
const FORMATS = new Set([undefined, 0, 42, 60, 110, 112, 1542, 11542]);

/** Recorded payloads that are not what their Content-Format says, by trace and record. */
const NOT_READABLE: Readonly<Record<string, string>> = {
  'npm-coap-node 156': 'text/plain for an instance, with the text "[object Object]"',
  'npm-coap-node 186': 'text/plain for an object, with the text "[object Object]"',
};

function ids(path: string): number[] {
  return path
    .split('/')
    .filter((segment) => segment !== '')
    .map(Number);
}

/** What clients sent as values: not the links of a Discover, not answers to Write and Execute. */
function values(): RecordedBody[] {
  return loadTraces()
    .flatMap(bodiesOf)
    .filter(({ contentFormat }) => FORMATS.has(contentFormat))
    .filter(({ path }) => /^(\/\d+)*\/?$/.test(path))
    .filter(({ accept }) => accept !== 40)
    .filter(({ contentFormat, payload }) => contentFormat !== undefined || payload.length > 0);
}

describe('payloads of recorded clients', () => {
  const all = values();

  for (const trace of traceNames()) {
    const own = all.filter((body) => body.trace === trace);
    if (own.length === 0) continue;
    it(`${trace}: ${own.length} are read, and lie below the path that was asked`, () => {
      for (const body of own) {
        const name = `${trace} ${body.index}`;
        const path = ids(body.path);
        const decode = () => decodePayload(body.contentFormat, body.payload, { path, model: omaModel() });
        if (name in NOT_READABLE) {
          assert.throws(decode, DecodeError, name);
          continue;
        }
        let nodes: ReturnType<typeof decode>;
        try {
          nodes = decode();
        } catch (error) {
          assert.fail(
            `${name} ${body.source} of ${body.path}, format ${body.contentFormat ?? 'none'}, ${body.payload.toString('hex')}: ${String(error)}`,
          );
        }
        for (const node of nodes) {
          assert.ok(node.path.length >= Math.min(path.length, 3) && node.path.length <= 4, name);
          assert.deepEqual(node.path.slice(0, path.length), path.slice(0, node.path.length), name);
        }
        if (path.length >= 3 && body.payload.length > 0) assert.ok(nodes.length > 0, name);
      }
    });
  }

  it('cover every format in answers, and notifications and Send as well', () => {
    const seen = new Set(all.map(({ contentFormat, source }) => `${contentFormat} ${source}`));
    for (const expected of [
      'undefined answer',
      '0 answer',
      '42 answer',
      '60 answer',
      '110 answer',
      '112 answer',
      '1542 answer',
      '11542 answer',
    ])
      assert.ok(seen.has(expected), expected);
    for (const expected of ['undefined notification', '0 notification', '11542 notification', '110 send', '112 send'])
      assert.ok(seen.has(expected), expected);
    assert.ok(all.length > 800, String(all.length));
  });

  it('say the same in every format', () => {
    for (const trace of ['wakaama-udp', 'anjay-11', 'wakaama-lightclient']) {
      const readings = new Map<string, Map<string, string[]>>();
      for (const body of all.filter((candidate) => candidate.trace === trace && candidate.source === 'answer')) {
        if (!/^READ \/3\/0\/[0-9]+ /.test(body.step)) continue;
        // The battery level and the clock change between two reads.
        if (['/3/0/9', '/3/0/13', '/3/0/10', '/3/0/7', '/3/0/8'].includes(body.path)) continue;
        const nodes = decodePayload(body.contentFormat, body.payload, { path: ids(body.path), model: omaModel() });
        const text = nodes.map(({ path, value }) => `/${path.join('/')}=${String(value)}`).join(' ');
        const byText = readings.get(body.path) ?? new Map<string, string[]>();
        byText.set(text, [...(byText.get(text) ?? []), `${body.contentFormat} #${body.index}`]);
        readings.set(body.path, byText);
      }
      assert.ok(readings.size > 0, trace);
      for (const [path, byText] of readings) assert.equal(byText.size, 1, `${trace} ${path} ${JSON.stringify([...byText])}`);
    }
  });

  it('keep the two notifications of one instance apart: the first whole, the later only what changed', () => {
    const bodies = bodiesOf(loadTrace('observe-wakaama-instance-partial')).filter(({ path }) => path === '/3/0');
    const decoded = bodies.map((body) => decodePayload(body.contentFormat, body.payload, { path: [3, 0], model: omaModel() }));
    assert.ok((decoded[0]?.length ?? 0) > 10);
    assert.deepEqual(
      decoded.slice(1).map((nodes) => nodes.map(({ path, value }) => [path.join('/'), value])),
      [[['3/0/9', 42]], [['3/0/9', 42]], [['3/0/9', 28]], [['3/0/9', 7]]],
    );
  });
});
