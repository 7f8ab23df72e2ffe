import assert from 'node:assert/strict';
import { DecodeError, EncodeError, codecFor, decodePayload } from '../../../lib/codec';
import { parsePath } from '../../../lib/lwm2m/path';
import { omaModel } from '../../../lib/model/oma';
import { badVectors, textFormats, vectors } from '../../vectors/codecs';
import { badHierarchyVectors, hierarchyVectors } from '../../vectors/hierarchy';
import { recordedVectors } from '../../vectors/recorded';
import { at, bytes, hex, testModel, utf8 } from './support';
import type { CodecContext } from '../../../lib/codec';
import type { DataNode } from '../../../lib/lwm2m/types';
import type { Model } from '../../../lib/model/types';
import type { Vector } from '../../vectors/codecs';

function payloadOf({ format, payload }: { format: number; payload: string }): Uint8Array {
  return textFormats.includes(format) ? utf8(payload) : bytes(payload);
}

const oma = omaModel();
/** The two test objects, and those of the registry. */
const model: Model = {
  object: (id, version) => testModel.object(id) ?? oma.object(id, version),
  resource: (objectId, resourceId, version) => testModel.resource(objectId, resourceId) ?? oma.resource(objectId, resourceId, version),
};

function contextOf({ path, now, rootPath, prefix }: Partial<Vector> & { path: string }): CodecContext {
  const ids = path === '' ? [] : parsePath(path).ids;
  return at(ids, {
    model,
    ...(now === undefined ? {} : { now }),
    ...(rootPath === undefined ? {} : { rootPath }),
    ...(prefix === undefined ? {} : { prefix }),
  });
}

function nodesOf({ nodes, removes }: Pick<Vector, 'nodes' | 'removes'>): DataNode[] {
  return nodes.map(([path, type, value, time]) => {
    const decoded = typeof value === 'object' && value !== null ? bytes(value.hex) : value;
    const node: DataNode = { path: parsePath(path).ids, type, value: decoded, ...(time === undefined ? {} : { time }) };
    return removes ? { ...node, remove: true } : node;
  });
}

const good: readonly Vector[] = [
  ...vectors,
  ...hierarchyVectors,
  ...recordedVectors.map((vector) => ({ ...vector, what: vector.source, source: `recorded: ${vector.source}` })),
];
const bad = [...badVectors, ...badHierarchyVectors];

/** What cannot be written at all is not written so, either. */
function orNothing(write: () => string): string | undefined {
  try {
    return write();
  } catch (error) {
    assert.ok(error instanceof EncodeError, String(error));
    return undefined;
  }
}

describe('codec vectors', () => {
  // Plain: [LANG-100] [LANG-101] [LANG-105] [LANG-110] [LANG-111]
  // TLV: [LANG-120] [LANG-121] [LANG-122] [LANG-123] [LANG-124]
  // SenML: [LANG-130] [LANG-131] [LANG-132] [LANG-133] [LANG-134] [LANG-135] [LANG-136] [LANG-140]
  // LwM2M JSON, SenML-ETCH, LwM2M CBOR: [LANG-141] [LANG-142] [LANG-145] [LANG-150] [LANG-151] [LANG-152]
  for (const vector of good) {
    it(`reads ${vector.format} ${vector.path || '/'}: ${vector.what}`, () => {
      assert.deepEqual(decodePayload(vector.format, payloadOf(vector), contextOf(vector)), nodesOf(vector));
    });
    it(`writes ${vector.format} ${vector.path || '/'}: ${vector.what}`, () => {
      const written = (): string => hex(codecFor(vector.format)!.encode(nodesOf(vector), contextOf(vector)));
      if (vector.decodeOnly) assert.notEqual(orNothing(written), hex(payloadOf(vector)), 'it is written so, and not for reading only');
      else assert.equal(written(), hex(payloadOf(vector)), Buffer.from(written(), 'hex').toString());
    });
  }

  it('are 300 at least, each with its source', () => {
    assert.ok(good.length + bad.length >= 300, `${good.length} good, ${bad.length} bad`);
    for (const { what, source } of [...good, ...bad])
      assert.match(source, /^(Core|Transport|Gateway|LwM2M|RFC|recorded:|leniency:) ?\S+/, what);
  });

  // [LANG-092]
  for (const vector of bad) {
    it(`refuses ${vector.path || '/'}: ${vector.what}`, () => {
      assert.throws(
        () => decodePayload(vector.format, payloadOf(vector), contextOf(vector)),
        (error: unknown) => {
          assert.ok(error instanceof DecodeError, String(error));
          assert.equal(error.code, 'BAD_RESPONSE');
          assert.equal(error.format, codecFor(vector.format)?.name);
          assert.ok(error.offset !== undefined && error.offset <= payloadOf(vector).length, `byte ${error.offset}`);
          assert.match(error.path, /^\/[\d/]*$/);
          assert.ok(error.message.length < 300);
          return true;
        },
      );
    });
  }
});
