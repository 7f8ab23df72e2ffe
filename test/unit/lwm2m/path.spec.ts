import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PathError, formatPath, isWithin, parsePath, samePath } from '../../../lib/lwm2m/path';

describe('LwM2M paths', () => {
  const good: [string, number[], string?][] = [
    ['/', []],
    ['/3', [3]],
    ['/3/', [3]],
    ['3/0', [3, 0]],
    ['/3/0/9', [3, 0, 9]],
    ['/3/0/6/1', [3, 0, 6, 1]],
    ['/65534/65534/65534/65534/', [65534, 65534, 65534, 65534]],
    ['/3_1.1/0/9', [3, 0, 9], '1.1'],
    ['5_1.0', [5], '1.0'],
    ['/0/0/0/0', [0, 0, 0, 0]],
  ];
  for (const [text, ids, version] of good) {
    it(`[LANG-001] [LANG-002] reads ${text}`, () => {
      assert.deepEqual(parsePath(text), version === undefined ? { ids } : { ids, version });
    });
  }

  const bad: [unknown, RegExp][] = [
    ['', /empty/],
    ['//', /no object id/],
    ['/3//', /no object instance id/],
    ['/3//9', /no object instance id/],
    ['/a', /"a" where the object id/],
    ['/3/0/x', /"x" where the resource id/],
    ['/3/0/9/y', /"y" where the resource instance id/],
    ['/65535', /65535, the highest is 65534/],
    ['/3/65535/1', /object instance id 65535/],
    ['/999999', /999999/],
    ['/1/2/3/4/5', /5 ids/],
    ['/03', /"03"/],
    ['/-1', /"-1"/],
    ['/3.5', /"3.5"/],
    ['/1e3', /"1e3"/],
    [' /3', /" 3"|" "/],
    ['/3/0/9?x=1', /"9\?x=1"/],
    ['/3_/0', /object version/],
    ['/3_1/0', /object version/],
    ['/3_1.1.1', /object version/],
    ['/3/0_1.1', /object instance id/],
    ['/_1.1', /no object id/],
    ['/'.repeat(100), /too long/],
    [`/3/${'0'.repeat(1_000_000)}`, /too long/],
    [undefined, /not undefined/],
    [null, /not null/],
    [{ id: '/3' }, /not object/],
  ];
  for (const [text, message] of bad) {
    it(`[LANG-003] refuses ${JSON.stringify(text ?? null).slice(0, 30)} and shows a right one`, () => {
      assert.throws(
        () => parsePath(text as string),
        (error: unknown) => {
          assert.ok(error instanceof PathError);
          assert.equal(error.code, 'BAD_REQUEST');
          assert.match(error.message, message);
          assert.match(error.message, /"\/3\/0\/9"/);
          assert.ok(error.message.length < 300, 'a hostile text does not make a huge message');
          return true;
        },
      );
    });
  }

  const ids = fc.array(fc.integer({ min: 0, max: 65534 }), { maxLength: 4 });

  it('[LANG-001] writes what it reads', () => {
    fc.assert(
      fc.property(ids, fc.option(fc.constantFrom('1.0', '1.1', '2.13'), { nil: undefined }), (path, version) => {
        const read = parsePath(formatPath(path, version));
        assert.deepEqual(read.ids, path);
        assert.equal(read.version, path.length > 0 ? version : undefined);
      }),
      { seed: 1 },
    );
  });

  it('[LANG-003] throws nothing but PathError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[/0-9_.]{0,45}$/)), (text) => {
        try {
          for (const id of parsePath(text).ids) assert.ok(Number.isInteger(id) && id >= 0 && id <= 65534);
        } catch (error) {
          assert.ok(error instanceof PathError, String(error));
        }
      }),
      { seed: 2, numRuns: 2000 },
    );
  });

  it('[LANG-004] compares paths', () => {
    assert.equal(samePath([3, 0, 9], [3, 0, 9]), true);
    assert.equal(samePath([3, 0, 9], [3, 0]), false);
    assert.equal(samePath([3, 0], [3, 0, 9]), false);
    assert.equal(samePath([3, 0, 9], [3, 1, 9]), false);
    assert.equal(isWithin([3, 0, 9], [3, 0]), true);
    assert.equal(isWithin([3, 0], [3, 0]), true);
    assert.equal(isWithin([3], [3, 0]), false);
    assert.equal(isWithin([33, 0], [3]), false);
    assert.equal(isWithin([3, 0], []), true);
  });
});
