import assert from 'node:assert/strict';
import { DecodeError, codecFor, decodePayload } from '../../../lib/codec';
import { parsePath } from '../../../lib/lwm2m/path';
import { badVectors, textFormats, vectors } from '../../vectors/codecs';
import { at, bytes, hex, utf8 } from './support';
import type { CodecContext } from '../../../lib/codec';
import type { DataNode } from '../../../lib/lwm2m/types';
import type { Vector, VectorNode } from '../../vectors/codecs';

function payloadOf({ format, payload }: { format: number; payload: string }): Uint8Array {
  return textFormats.includes(format) ? utf8(payload) : bytes(payload);
}

function contextOf({ path, now, rootPath }: Partial<Vector> & { path: string }): CodecContext {
  const ids = path === '' ? [] : parsePath(path).ids;
  return at(ids, { ...(now === undefined ? {} : { now }), ...(rootPath === undefined ? {} : { rootPath }) });
}

function nodeOf([path, type, value, time]: VectorNode): DataNode {
  const decoded = typeof value === 'object' && value !== null ? bytes(value.hex) : value;
  return { path: parsePath(path).ids, type, value: decoded, ...(time === undefined ? {} : { time }) };
}

describe('codec vectors', () => {
  // Plain: [LANG-100] [LANG-101] [LANG-105] [LANG-110] [LANG-111]
  // TLV: [LANG-120] [LANG-121] [LANG-122] [LANG-123] [LANG-124]
  // SenML: [LANG-130] [LANG-131] [LANG-132] [LANG-133] [LANG-134] [LANG-135] [LANG-136] [LANG-140]
  for (const vector of vectors) {
    it(`reads ${vector.format} ${vector.path || '/'}: ${vector.what}`, () => {
      assert.deepEqual(decodePayload(vector.format, payloadOf(vector), contextOf(vector)), vector.nodes.map(nodeOf));
    });
    if (vector.both) {
      it(`writes ${vector.format} ${vector.path || '/'}: ${vector.what}`, () => {
        const written = codecFor(vector.format)!.encode(vector.nodes.map(nodeOf), contextOf(vector));
        assert.equal(hex(written), hex(payloadOf(vector)), Buffer.from(written).toString());
      });
    }
  }

  // [LANG-092]
  for (const vector of badVectors) {
    it(`refuses ${vector.path || '/'}: ${vector.what}`, () => {
      assert.throws(
        () => decodePayload(vector.format, payloadOf(vector), contextOf(vector)),
        (error: unknown) => {
          assert.ok(error instanceof DecodeError, String(error));
          assert.equal(error.code, 'BAD_RESPONSE');
          assert.equal(error.format, codecFor(vector.format)?.name);
          assert.match(error.path, /^\/[\d/]*$/);
          assert.ok(error.message.length < 300);
          return true;
        },
      );
    });
  }
});
