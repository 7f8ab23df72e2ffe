import assert from 'node:assert/strict';
import fc from 'fast-check';
import { openStore, pagesOf, StoreError } from '../../../lib/store/index';
import type { Store, StoreEntry, StoreOperation } from '../../../lib/store/index';
import { storeFolder } from '../../support/store-folder';

const bytes = (text: string): Buffer => Buffer.from(text);
const plain = (entries: readonly (StoreEntry | undefined)[]): unknown[] =>
  entries.map((entry) => entry && { ...entry, value: entry.value.toString() });

async function all(store: Store, prefix: string, limit?: number): Promise<StoreEntry[]> {
  const entries: StoreEntry[] = [];
  for await (const page of pagesOf(store, prefix, limit)) entries.push(...page);
  return entries;
}

function refused(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}

for (const kind of ['memory', 'disk'] as const) {
  describe(`a store: ${kind}`, () => {
    const place = storeFolder();
    let directory: string;
    let store: Store;

    const open = async (): Promise<Store> => {
      const opened = await openStore(kind === 'disk' ? { directory, sync: false } : {});
      assert.deepEqual(opened.notices, []);
      assert.equal(opened.store.kind, kind);
      return opened.store;
    };
    beforeEach(async () => {
      directory = place();
      store = await open();
    });
    afterEach(() => store.close());

    it('[STORE-001] gives back what was put, and nothing for what was not', async () => {
      await store.put('a', bytes('one'), 1_700_000_000_000);
      await store.put('b', bytes(''));
      assert.deepEqual(plain([await store.get('a')]), [{ key: 'a', value: 'one', expiresAt: 1_700_000_000_000 }]);
      assert.deepEqual(plain([await store.get('b')]), [{ key: 'b', value: '' }]);
      assert.equal(await store.get('c'), undefined);
      await store.put('a', bytes('two'));
      assert.deepEqual(plain([await store.get('a')]), [{ key: 'a', value: 'two' }]);
      await store.delete('a');
      await store.delete('never');
      assert.equal(await store.get('a'), undefined);
    });

    it('[STORE-001] keeps every byte, up to 1 MiB and more, and does not share them', async () => {
      const value = Buffer.alloc(3_000_000, 'abc');
      await store.put('large', value);
      value.fill(0);
      const read = (await store.get('large'))!.value;
      assert.ok(read.equals(Buffer.alloc(3_000_000, 'abc')));
      read.fill(1);
      assert.ok((await store.get('large'))!.value.equals(Buffer.alloc(3_000_000, 'abc')));
    });

    it('[STORE-002] makes the changes of a batch in order, and all or none', async () => {
      await store.batch([
        { kind: 'put', key: 'a', value: bytes('1'), expiresAt: 5 },
        { kind: 'put', key: 'b', value: bytes('2') },
        { kind: 'put', key: 'a', value: bytes('3'), expiresAt: 7 },
        { kind: 'delete', key: 'b' },
        { kind: 'put', key: 'c', value: bytes('4') },
      ]);
      assert.deepEqual(plain(await all(store, '')), [
        { key: 'a', value: '3', expiresAt: 7 },
        { key: 'c', value: '4' },
      ]);
      assert.deepEqual(plain(await store.expiring(100)), [{ key: 'a', value: '3', expiresAt: 7 }]);
      function* broken(): Generator<StoreOperation> {
        for (let at = 0; at < 500; at += 1) yield { kind: 'put', key: `x${at}`, value: bytes('x') };
        throw new Error('no more');
      }
      await assert.rejects(store.batch(broken()), refused('FAILED'));
      await assert.rejects(
        store.batch([
          { kind: 'delete', key: 'a' },
          { kind: 'put', key: '', value: bytes('x') },
        ]),
        refused('BAD_KEY'),
      );
      assert.deepEqual(
        (await all(store, '')).map(({ key }) => key),
        ['a', 'c'],
      );
    });

    it('[STORE-003] lists a prefix in pages, in the order of UTF-8 bytes', async () => {
      // U+FF5E comes before U+1F600 in UTF-8, and behind it in UTF-16.
      const keys = ['r/', 'r/a', 'r/a/b', 'r/ab', 'r/\u00e9', 'r/\uff5e', 'r/\u{1f600}', 'r/\u{10ffff}', 'r/\u{10ffff}x'];
      const others = ['q', 'r', 'r.', 'r0', 's'];
      await store.batch([...others, ...keys].reverse().map((key) => ({ kind: 'put', key, value: bytes(key) })));
      for (const limit of [1, 2, 3, 1000]) {
        assert.deepEqual(
          (await all(store, 'r/', limit)).map(({ key, value }) => [key, value.toString()]),
          keys.map((key) => [key, key]),
        );
      }
      assert.equal((await store.range('r/', { limit: 4 })).length, 4);
      assert.deepEqual(
        (await store.range('r/', { after: 'r/ab', limit: 1 })).map(({ key }) => key),
        ['r/\u00e9'],
      );
      assert.equal((await store.range('r/', { after: 'a' })).length, keys.length);
      assert.deepEqual(await store.range('r/', { after: 's' }), []);
      assert.equal((await all(store, '')).length, keys.length + others.length);
      assert.deepEqual(await store.range('nothing'), []);
    });

    it('[STORE-003] gives pages of 1000 at most', async () => {
      const many: StoreOperation[] = Array.from({ length: 2_345 }, (_, at) => ({
        kind: 'put',
        key: `k${at}`,
        value: bytes('v'),
        expiresAt: at,
      }));
      await store.batch(many);
      assert.equal((await store.range('k', { limit: 5_000 })).length, 1000);
      assert.equal((await store.expiring(5_000, 5_000)).length, 1000);
      assert.equal((await all(store, 'k')).length, 2_345);
    });

    it('[STORE-004] lists what is due before a time, the first to expire first, and does not remove it', async () => {
      await store.put('late', bytes('4'), 4_000);
      await store.put('never', bytes('0'));
      await store.put('b', bytes('2'), 2_000);
      await store.put('a', bytes('2'), 2_000);
      await store.put('moved', bytes('x'), 1_000);
      await store.put('moved', bytes('y'), 9_999_999_999_999);
      await store.put('gone', bytes('x'), 500);
      await store.delete('gone');
      await store.put('freed', bytes('x'), 600);
      await store.put('freed', bytes('x'));
      await store.put('zero', bytes('x'), 0);
      await store.put('endless', bytes('x'), Infinity);
      const due = async (before: number, limit?: number): Promise<string[]> => (await store.expiring(before, limit)).map(({ key }) => key);
      assert.deepEqual(await due(4_000), ['zero', 'a', 'b']);
      assert.deepEqual(await due(4_001), ['zero', 'a', 'b', 'late']);
      assert.deepEqual(await due(4_001, 2), ['zero', 'a']);
      assert.deepEqual(await due(Infinity), ['zero', 'a', 'b', 'late', 'moved']);
      assert.deepEqual(await due(0), []);
      assert.equal((await store.get('a'))?.expiresAt, 2_000);
      assert.equal((await store.get('endless'))?.expiresAt, undefined);
    });

    it('[STORE-005] refuses keys and values it cannot keep, and goes on', async () => {
      const longest = '\u00e9'.repeat(512);
      await store.put(longest, bytes('x'));
      for (const key of ['', `${longest}a`, 'a'.repeat(1025), 'half \ud800', '\udc00']) {
        await assert.rejects(store.put(key, bytes('x')), refused('BAD_KEY'), key);
        await assert.rejects(store.get(key), refused('BAD_KEY'), key);
        await assert.rejects(store.delete(key), refused('BAD_KEY'), key);
      }
      for (const expiresAt of [-1, 0.5, NaN, 8.64e15 + 1, -Infinity]) {
        await assert.rejects(store.put('a', bytes('x'), expiresAt), refused('BAD_VALUE'), String(expiresAt));
      }
      await assert.rejects(store.put('a', 'text' as any), refused('BAD_VALUE'));
      await assert.rejects(store.put('a', Buffer.alloc(16 * 1024 * 1024 + 1)), refused('BAD_VALUE'));
      assert.deepEqual(
        (await all(store, '')).map(({ key }) => key),
        [longest],
      );
    });

    it('[STORE-006] a read sees what was called for before it', async () => {
      const writes = [store.put('a', bytes('1')), store.put('a', bytes('2')), store.delete('b'), store.put('b', bytes('3'))];
      const [a, b, range] = await Promise.all([store.get('a'), store.get('b'), store.range('')]);
      assert.deepEqual(plain([a, b]), plain(range));
      assert.deepEqual(plain(range), [
        { key: 'a', value: '2' },
        { key: 'b', value: '3' },
      ]);
      await Promise.all(writes);
    });

    it('[STORE-006] lets the loop turn while a large batch is made', async () => {
      let turns = 0;
      let over = false;
      const turn = (): void => {
        turns += 1;
        if (!over) setImmediate(turn);
      };
      setImmediate(turn);
      const many = Array.from({ length: 20_000 }, (_, at): StoreOperation => ({ kind: 'put', key: `k${at}`, value: Buffer.alloc(600) }));
      await store.batch(many);
      over = true;
      // A batch that was made in one go would have given two or three turns.
      assert.ok(turns > 5, `${turns} turns`);
    });

    it('[STORE-007] a closed store refuses everything but marks', async () => {
      const last = store.put('a', bytes('1'));
      const closing = store.close();
      await Promise.all([last, closing, store.close()]);
      for (const attempt of [() => store.get('a'), () => store.put('a', bytes('x')), () => store.range(''), () => store.expiring(1)]) {
        await assert.rejects(attempt(), refused('CLOSED'));
      }
      assert.equal(store.mark('end', bytes('x')), true);
      assert.deepEqual(store.readMark('end'), bytes('x'));
    });

    it('[STORE-008] keeps marks by name, synchronously, and none under a bad name', () => {
      assert.equal(store.readMark('counters'), undefined);
      assert.equal(store.mark('counters', bytes('one')), true);
      assert.equal(store.mark('counters', bytes('two')), true);
      assert.equal(store.mark('empty', bytes('')), true);
      assert.deepEqual([store.readMark('counters'), store.readMark('empty')], [bytes('two'), bytes('')]);
      assert.equal(store.mark('counters', undefined), true);
      assert.equal(store.mark('counters', undefined), true);
      assert.equal(store.readMark('counters'), undefined);
      for (const name of ['', '../x', 'A', 'a b', 'a'.repeat(65)]) {
        assert.equal(store.mark(name, bytes('x')), false, name);
        assert.equal(store.readMark(name), undefined, name);
      }
    });

    it('[STORE-001] [STORE-004] does what a map does, under random batches', async () => {
      const key = fc.constantFrom('a', 'b', 'c', 'r/1', 'r/2', 'r/\u{1f600}', 'r/\uff5e', 'r/\u00e9');
      const operation: fc.Arbitrary<StoreOperation> = fc.oneof(
        fc.record({
          kind: fc.constant('put' as const),
          key,
          value: fc.uint8Array({ maxLength: 40 }),
          expiresAt: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
        }),
        fc.record({ kind: fc.constant('delete' as const), key }),
      );
      const step = fc.oneof(
        { weight: 5, arbitrary: fc.array(operation, { maxLength: 12 }) },
        { weight: 1, arbitrary: fc.constant('reopen' as const) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.integer({ min: 0, max: 7 }), async (steps, before) => {
          await store.batch((await all(store, '')).map(({ key }) => ({ kind: 'delete', key })));
          const model = new Map<string, { value: Uint8Array; expiresAt: number | undefined }>();
          for (const current of steps) {
            if (current === 'reopen') {
              if (kind === 'memory') continue;
              await store.close();
              store = await open();
              continue;
            }
            await store.batch(current);
            for (const change of current) {
              if (change.kind === 'delete') model.delete(change.key);
              else model.set(change.key, { value: change.value, expiresAt: change.expiresAt });
            }
          }
          const expected = [...model]
            .map(([key, { value, expiresAt }]) => ({ key, value: Buffer.from(value), ...(expiresAt !== undefined && { expiresAt }) }))
            .sort((a, b) => Buffer.compare(bytes(a.key), bytes(b.key)));
          assert.deepEqual(await all(store, '', 3), expected);
          assert.deepEqual(
            await store.range('r/'),
            expected.filter((entry) => entry.key.startsWith('r/')),
          );
          const due = expected.filter(({ expiresAt }) => expiresAt !== undefined && expiresAt < before);
          assert.deepEqual(
            await store.expiring(before),
            due.sort((a, b) => a.expiresAt! - b.expiresAt!),
          );
        }),
        { numRuns: 60 },
      );
    }).timeout(60_000);
  });
}

describe('a store on disk', () => {
  const place = storeFolder();

  it('[STORE-010] has everything again after it was closed', async () => {
    const directory = place();
    const first = (await openStore({ directory })).store;
    await first.batch([
      { kind: 'put', key: 'r/1', value: bytes('one'), expiresAt: 5_000 },
      { kind: 'put', key: 'r/2', value: bytes('two') },
    ]);
    first.mark('counters', bytes('42'));
    await first.close();
    const { store, notices } = await openStore({ directory });
    assert.deepEqual(notices, []);
    assert.deepEqual(plain(await store.range('r/')), [
      { key: 'r/1', value: 'one', expiresAt: 5_000 },
      { key: 'r/2', value: 'two' },
    ]);
    assert.deepEqual(
      (await store.expiring(6_000)).map(({ key }) => key),
      ['r/1'],
    );
    assert.deepEqual(store.readMark('counters'), bytes('42'));
    await store.close();
  });
});
