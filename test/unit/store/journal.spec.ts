import assert from 'node:assert/strict';
import { decodeValue, Journal, openStore, StoreError } from '../../../lib/store/index';
import type { JournalEntry, JournalOptions, JournalReport, Store, StoreOperation } from '../../../lib/store/index';
import { VirtualClock } from '../../support/virtual-clock';

/** A store that keeps what each batch asked for, and fails when told to. */
class Watched {
  readonly batches: string[][] = [];
  readonly store: Store;
  error: StoreError | undefined;
  /** Which batch fails, from 1. */
  failAt: number | undefined;
  gate: Promise<void> | undefined;

  constructor(readonly inner: Store) {
    this.store = {
      batch: async (operations: Iterable<StoreOperation>) => {
        const taken = [...operations];
        this.batches.push(taken.map((one) => (one.kind === 'put' ? `${one.key}=${Buffer.from(one.value).toString()}` : `-${one.key}`)));
        await this.gate;
        if (this.batches.length === this.failAt) throw new StoreError('DISK_FULL', 'There is no room on the disk.');
        if (this.error) throw this.error;
        await inner.batch(taken);
      },
    } as Partial<Store> as Store;
  }
}

describe('journal', () => {
  let clock: VirtualClock;
  let watched: Watched;
  let reports: JournalReport[];

  async function start(options: Partial<JournalOptions> = {}): Promise<Journal> {
    clock = new VirtualClock();
    watched = new Watched((await openStore()).store);
    reports = [];
    return new Journal({ store: watched.store, clock, report: (report) => reports.push(report), ...options });
  }
  const full = (): StoreError => new StoreError('DISK_FULL', 'There is no room on the disk.');

  it('[STORE-030] writes what was set in one batch, half a second later, each key once as it was last', async () => {
    const journal = await start();
    journal.set('a', Buffer.from('1'), 5_000);
    journal.set('b', Buffer.from('2'));
    journal.set('a', Buffer.from('3'), 6_000);
    journal.remove('b');
    journal.remove('c');
    await clock.elapse(499);
    assert.deepEqual(watched.batches, []);
    await clock.elapse(1);
    assert.deepEqual(watched.batches, [['a=3', '-b', '-c']]);
    assert.equal((await watched.inner.get('a'))?.expiresAt, 6_000);
    await clock.elapse(10_000);
    assert.equal(watched.batches.length, 1, 'nothing to do, nothing done');
    assert.equal(clock.pending, 0);
  });

  it('[STORE-030] begins at most one write an interval, however much is set', async () => {
    const journal = await start({ interval: 1_000 });
    for (let ms = 0; ms < 10_000; ms += 1) {
      journal.set(`k${ms % 5}`, Buffer.from(String(ms)));
      await clock.elapse(1);
    }
    await clock.elapse(1_000);
    assert.equal(watched.batches.length, 10);
    assert.deepEqual(watched.batches.at(-1), ['k0=9995', 'k1=9996', 'k2=9997', 'k3=9998', 'k4=9999']);
    assert.deepEqual(journal.stats, {
      pending: 0,
      pendingBytes: 0,
      written: 50,
      flushes: 10,
      failures: 0,
      failing: 0,
      refused: 0,
      unwritable: 0,
    });
  });

  it('[STORE-030] writes much in several batches, and all of it again when one of them fails', async () => {
    const journal = await start({ maxBatchBytes: 1_000 });
    for (let at = 0; at < 10; at += 1) journal.set(`k${at}`, () => Buffer.alloc(300, String(at)));
    assert.deepEqual(await journal.flush(), {});
    assert.deepEqual(
      watched.batches.map((batch) => batch.map((one) => one.slice(0, 2 + 2))),
      [['k0=0', 'k1=1', 'k2=2'], ['k3=3', 'k4=4', 'k5=5'], ['k6=6', 'k7=7', 'k8=8'], ['k9=9']],
    );
    watched.batches.length = 0;
    for (let at = 0; at < 4; at += 1) journal.set(`k${at}`, Buffer.alloc(900));
    watched.failAt = 2;
    assert.equal((await journal.flush()).error?.code, 'DISK_FULL');
    assert.deepEqual([watched.batches.length, journal.stats.pending], [2, 4]);
    watched.failAt = undefined;
    assert.deepEqual(await journal.flush(), {});
    assert.deepEqual([watched.batches.length, journal.stats.pending], [7, 0]);
  });

  it('[STORE-031] takes values when they are written: a function, or an object as it is by then', async () => {
    const journal = await start();
    const state = { lifetime: 60, token: Buffer.from([0, 255]) };
    let calls = 0;
    journal.set('object', state);
    journal.set('bytes', () => Buffer.from(`called ${(calls += 1)}`));
    journal.set('data', () => ({ calls }));
    for (let more = 0; more < 9; more += 1) journal.set('bytes', () => Buffer.from(`called ${(calls += 1)}`));
    state.lifetime = 90;
    assert.equal(calls, 0);
    await journal.flush();
    assert.deepEqual(decodeValue((await watched.inner.get('object'))!.value), { lifetime: 90, token: Buffer.from([0, 255]) });
    assert.equal((await watched.inner.get('bytes'))!.value.toString(), 'called 1');
    assert.deepEqual(decodeValue((await watched.inner.get('data'))!.value), { calls: 1 });
  });

  it('[STORE-031] leaves out what can never be written, says so, and writes the rest', async () => {
    const journal = await start();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    journal.set('good', Buffer.from('1'));
    journal.set('circle', circle);
    journal.set('throws', () => {
      throw new Error('not now');
    });
    journal.set('half \ud800', Buffer.from('1'));
    journal.set('', Buffer.from('1'));
    journal.set('time', Buffer.from('1'), -1);
    journal.set('function', () => () => 1);
    journal.set('last', Buffer.from('2'));
    assert.deepEqual(await journal.flush(), {});
    assert.deepEqual(watched.batches, [['good=1', 'last=2']]);
    assert.equal(journal.stats.unwritable, 6);
    assert.deepEqual(
      reports.map((report) => report.kind === 'unwritable' && [report.key, report.error.code]),
      [['circle', 'BAD_VALUE']],
    );
    await clock.elapse(100_000);
    assert.equal(watched.batches.length, 1, 'it is not tried again');
  });

  it('[STORE-032] keeps what could not be written, tries again later and later, and loses nothing newer', async () => {
    const journal = await start({ interval: 1_000, maxBackoff: 5_000 });
    watched.error = full();
    journal.set('a', Buffer.from('old'));
    journal.set('b', Buffer.from('kept'));
    await clock.elapse(1_000);
    journal.set('a', Buffer.from('new'));
    const tries: number[] = [];
    for (let second = 2; second <= 20; second += 1) {
      const before = watched.batches.length;
      await clock.elapse(1_000);
      if (watched.batches.length > before) tries.push(second);
    }
    assert.deepEqual(tries, [3, 7, 12, 17]);
    assert.deepEqual([journal.stats.failing, journal.stats.failures, journal.stats.pending, journal.stats.written], [5, 5, 2, 0]);
    watched.error = undefined;
    await clock.elapse(5_000);
    assert.deepEqual(watched.batches.at(-1), ['a=new', 'b=kept']);
    assert.deepEqual(
      reports.map((report) => (report.kind === 'write-failed' ? [report.error.code, report.pending, report.retryIn] : report)),
      [
        ['DISK_FULL', 2, 2_000],
        ['DISK_FULL', 2, 4_000],
        ['DISK_FULL', 2, 5_000],
        ['DISK_FULL', 2, 5_000],
        ['DISK_FULL', 2, 5_000],
        { kind: 'recovered', failures: 5 },
      ],
    );
    assert.deepEqual([journal.stats.failing, journal.stats.pending, journal.stats.pendingBytes], [0, 0, 0]);
    assert.equal((await watched.inner.get('a'))!.value.toString(), 'new');
  });

  it('[STORE-032] has one write under way at most; what comes meanwhile waits for the next', async () => {
    const journal = await start({ interval: 1_000 });
    let free = (): void => undefined;
    watched.gate = new Promise((resolve) => (free = resolve));
    journal.set('a', Buffer.from('1'));
    await clock.elapse(1_000);
    journal.set('a', Buffer.from('2'));
    journal.set('b', Buffer.from('2'));
    await clock.elapse(5_000);
    assert.deepEqual(watched.batches, [['a=1']]);
    assert.equal(journal.stats.pending, 3);
    watched.gate = undefined;
    free();
    await clock.elapse(0);
    assert.deepEqual(watched.batches, [['a=1'], ['a=2', 'b=2']]);
  });

  it('[STORE-033] flush resolves when all that was set before is in the store', async () => {
    const journal = await start();
    let free = (): void => undefined;
    watched.gate = new Promise((resolve) => (free = resolve));
    journal.set('a', Buffer.from('1'));
    const first = journal.flush();
    journal.set('b', Buffer.from('2'));
    const done: number[] = [];
    const second = Promise.all([1, 2].map((number) => journal.flush().then(() => done.push(number))));
    void first.then(() => done.push(0));
    await clock.settle();
    assert.deepEqual([done, watched.batches], [[], [['a=1']]]);
    free();
    await second;
    assert.deepEqual(
      [[...done].sort(), watched.batches],
      [
        [0, 1, 2],
        [['a=1'], ['b=2']],
      ],
    );
    assert.deepEqual(await journal.flush(), {});
    assert.equal(watched.batches.length, 2);
  });

  it('[STORE-033] flush does not wait for the back-off, tells what went wrong, and never rejects', async () => {
    const journal = await start();
    watched.error = full();
    journal.set('a', Buffer.from('1'));
    assert.equal((await journal.flush()).error?.code, 'DISK_FULL');
    assert.equal((await journal.flush()).error?.code, 'DISK_FULL');
    watched.error = undefined;
    assert.deepEqual(await journal.flush(), {});
    assert.deepEqual(watched.batches, [['a=1'], ['a=1'], ['a=1']]);
    await watched.inner.close();
    journal.set('a', Buffer.from('2'));
    assert.equal((await journal.flush()).error?.code, 'CLOSED');
  });

  it('[STORE-033] close writes once what waits, and takes nothing more', async () => {
    const journal = await start();
    journal.set('a', Buffer.from('1'));
    assert.deepEqual(await journal.close(), {});
    assert.deepEqual([journal.set('b', Buffer.from('1')), journal.remove('a')], [false, false]);
    await clock.elapse(10_000);
    assert.deepEqual([watched.batches, clock.pending], [[['a=1']], 0]);

    const failing = await start();
    watched.error = full();
    failing.set('a', Buffer.from('1'));
    assert.equal((await failing.close()).error?.code, 'DISK_FULL');
    await clock.elapse(1_000_000);
    assert.deepEqual([watched.batches.length, clock.pending], [1, 0]);
  });

  it('[STORE-034] holds a bounded number of bytes: refuses more, says so once, and takes again when there is room', async () => {
    const journal = await start({ maxPendingBytes: 10_000 });
    watched.error = full();
    let taken = 0;
    for (let at = 0; at < 100; at += 1) taken += journal.set(`k${at}`, Buffer.alloc(500)) ? 1 : 0;
    assert.ok(taken > 10 && taken < 20, `${taken} taken`);
    assert.ok(journal.stats.pendingBytes <= 10_000);
    assert.equal(journal.stats.refused, 100 - taken);
    assert.deepEqual(
      reports.map(({ kind }) => kind),
      ['refused'],
    );
    assert.equal(journal.set('k0', Buffer.alloc(100)), true, 'less than before');
    assert.equal(journal.remove('k1'), true);
    await journal.flush();
    assert.ok(journal.stats.pendingBytes <= 10_000);
    assert.equal(journal.set('k200', Buffer.alloc(5_000)), false);
    watched.error = undefined;
    await journal.flush();
    assert.equal(journal.stats.pendingBytes, 0);
    assert.equal(journal.set('k200', Buffer.alloc(5_000)), true);
  });

  it('[STORE-034] does not wait for the interval when half of the bytes are there', async () => {
    const journal = await start({ maxPendingBytes: 10_000 });
    for (let at = 0; at < 10; at += 1) journal.set(`k${at}`, Buffer.alloc(500));
    await clock.elapse(0);
    assert.equal(watched.batches.length, 1);
  });

  describe('entries that mark themselves', () => {
    class Counter implements JournalEntry {
      noted = false;
      count: number | undefined = 0;
      asked = 0;

      constructor(readonly name: string) {}

      recordKey(): string {
        return this.name;
      }

      record(): unknown {
        this.asked += 1;
        return this.count;
      }
    }

    it('[STORE-036] are asked once a write for their newest record, behind all that was set, under the prefix', async () => {
      const journal = await start({ prefix: 'one/', source: (key) => (key === 'kept' ? { value: key } : undefined) });
      const [a, b] = [new Counter('a'), new Counter('b')];
      for (a.count = 1; a.count < 5; a.count += 1) journal.note(a);
      journal.note(b);
      b.count = undefined;
      journal.touch('kept');
      // It was removed, and something else is there in its place.
      journal.touch('a');
      assert.deepEqual([a.asked, journal.stats.pending], [0, 4]);
      await clock.elapse(500);
      assert.deepEqual(watched.batches, [['one/kept="kept"', '-one/a', 'one/a=5']]);
      assert.deepEqual([a.asked, b.asked, journal.stats.pending, journal.stats.pendingBytes], [1, 1, 0, 0]);
      await clock.elapse(10_000);
      assert.equal(watched.batches.length, 1, 'nothing to do, nothing done');
    });

    it('[STORE-036] that change while they are being written are written again', async () => {
      const journal = await start();
      const entry = new Counter('a');
      let free = (): void => undefined;
      watched.gate = new Promise((resolve) => (free = resolve));
      journal.note(entry);
      await clock.elapse(500);
      entry.count = 1;
      journal.note(entry);
      watched.gate = undefined;
      free();
      await journal.flush();
      assert.deepEqual(watched.batches, [['a=0'], ['a=1']]);
    });

    it('[STORE-036] are all asked again when a write fails in the middle, each once', async () => {
      const journal = await start({ maxBatchBytes: 300 });
      const entries = Array.from({ length: 6 }, (_, at) => new Counter(`k${at}`));
      for (const entry of entries) journal.note(entry);
      watched.failAt = 1;
      assert.equal((await journal.flush()).error?.code, 'DISK_FULL');
      watched.failAt = undefined;
      watched.batches.length = 0;
      // One that was asked, and one that was not.
      for (const entry of [entries[0]!, entries[5]!, new Counter('new')]) {
        entry.count = 7;
        journal.note(entry);
      }
      assert.equal(journal.stats.pending, 7);
      assert.deepEqual(await journal.flush(), {});
      assert.deepEqual(watched.batches.flat(), ['k0=7', 'k1=0', 'k2=0', 'k3=0', 'k4=0', 'k5=7', 'new=7']);
      assert.ok(entries.every(({ noted }) => !noted));
    });

    it('[STORE-036] that wait are among the unwritten, those of a write under way too', async () => {
      const journal = await start();
      const [a, b] = [new Counter('a'), new Counter('b')];
      watched.gate = new Promise(() => undefined);
      journal.note(a);
      await clock.elapse(500);
      journal.note(b);
      a.count = 9;
      const texts = journal.unwritten().map((one) => (one.kind === 'put' ? `${one.key}=${Buffer.from(one.value).toString()}` : one.key));
      assert.deepEqual(texts, ['a=9', 'b=0']);
    });

    it('[STORE-036] cannot keep others from being written, nor be noted when the journal is closed', async () => {
      const journal = await start();
      const [bad, good] = [new Counter('bad'), new Counter('good')];
      bad.record = () => {
        throw new Error('not now');
      };
      journal.note(bad);
      journal.note(good);
      assert.deepEqual(await journal.close(), {});
      assert.deepEqual(watched.batches, [['good=0']]);
      assert.equal(journal.stats.unwritable, 1);
      assert.equal(journal.note(good), false);
      assert.equal(good.noted, false);
    });
  });

  it('[STORE-032] goes on when the listener throws', async () => {
    const journal = await start({
      report: () => {
        throw new Error('not listening');
      },
    });
    watched.error = full();
    journal.set('a', Buffer.from('1'));
    await clock.elapse(500);
    watched.error = undefined;
    await clock.elapse(10_000);
    assert.equal(journal.stats.written, 1);
  });
});
