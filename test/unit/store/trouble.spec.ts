import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { openStore, pagesOf } from '../../../lib/store/index';
import type { OpenedStore, StoreOperation } from '../../../lib/store/index';
import { createRandom } from '../../support/random';
import { storeFolder } from '../../support/store-folder';
import { runStoreChild, startStoreChild } from '../../support/store-process';

/** A user without rights, on every system that has numbers for them. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const COUNT = 3_000;
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

const open = (directory: string): Promise<OpenedStore> => openStore({ directory, sync: false, lockWait: 0, wall: () => NOW });

async function keysOf({ store }: OpenedStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of pagesOf(store, '')) keys.push(...page.map(({ key }) => key));
  return keys;
}

/** A store with some thousand entries, in tables and in a log. */
async function fillStore(directory: string): Promise<void> {
  const random = createRandom(7);
  const opened = await open(directory);
  const entry = (at: number, size: number): StoreOperation => ({
    kind: 'put',
    key: `k${at}`,
    value: random.bytes(size),
    expiresAt: 1_000 + at,
  });
  for (let at = 0; at < COUNT; at += 1_000) {
    await opened.store.batch(Array.from({ length: 1_000 }, (_, index) => entry(at + index, 600)));
  }
  await opened.store.close();
  // The log becomes a table when it is opened again.
  const again = await open(directory);
  await again.store.batch(Array.from({ length: 200 }, (_, index) => entry(COUNT + index, 100)));
  await again.store.close();
}

const dataFiles = (directory: string, kind: RegExp): string[] =>
  readdirSync(path.join(directory, 'data'))
    .filter((name) => kind.test(name))
    .map((name) => path.join(directory, 'data', name));

function spoil(file: string, at: number): void {
  const content = readFileSync(file);
  content[at]! ^= 0x55;
  writeFileSync(file, content);
}

describe('a store in trouble', () => {
  const place = storeFolder();
  let filled: string;
  before(async function () {
    this.timeout(30_000);
    filled = place('filled');
    await fillStore(filled);
  });

  /** A copy of the filled store, with something done to it. */
  function spoiled(spoiling: (directory: string) => void): string {
    const directory = place();
    cpSync(filled, directory, { recursive: true });
    spoiling(directory);
    return directory;
  }

  describe('[STORE-020] damaged', () => {
    const ways: [string, (directory: string) => void, { kept: (kept: number) => boolean; problem: RegExp }][] = [
      [
        'a byte of a table',
        (directory) => spoil(dataFiles(directory, /\.ldb$/)[0]!, 1_000),
        { kept: (kept) => kept < COUNT + 200, problem: /The table 0+\d+\.ldb is damaged/ },
      ],
      [
        'a table cut off',
        (directory) => truncateSync(dataFiles(directory, /\.ldb$/)[0]!, 50_000),
        { kept: (kept) => kept < COUNT + 200, problem: /The table 0+\d+\.ldb is damaged/ },
      ],
      [
        'a table missing',
        (directory) => rmSync(dataFiles(directory, /\.ldb$/)[0]!),
        { kept: (kept) => kept < COUNT + 200, problem: /The table \d+ is missing/ },
      ],
      [
        'a byte in the middle of the log',
        (directory) => spoil(dataFiles(directory, /\.log$/)[0]!, 12_000),
        { kept: (kept) => kept >= COUNT && kept < COUNT + 200, problem: /The log 0+\d+\.log is damaged/ },
      ],
      [
        'the log missing',
        (directory) => rmSync(dataFiles(directory, /\.log$/)[0]!),
        { kept: (kept) => kept === COUNT, problem: /The log of the last changes is missing/ },
      ],
      [
        'a byte of the table of contents',
        (directory) => spoil(dataFiles(directory, /^MANIFEST/)[0]!, 20),
        { kept: (kept) => kept === COUNT + 200, problem: /The table of contents MANIFEST-0+\d+ is missing or damaged/ },
      ],
      [
        'the table of contents missing',
        (directory) => rmSync(dataFiles(directory, /^MANIFEST/)[0]!),
        { kept: (kept) => kept === COUNT + 200, problem: /The table of contents MANIFEST-0+\d+ is missing or damaged/ },
      ],
      [
        'CURRENT overwritten',
        (directory) => writeFileSync(path.join(directory, 'data/CURRENT'), 'nonsense'),
        { kept: (kept) => kept === COUNT + 200, problem: /The file CURRENT is missing or damaged/ },
      ],
      [
        'all files emptied',
        (directory) => dataFiles(directory, /./).forEach((file) => truncateSync(file, 0)),
        { kept: (kept) => kept === 0, problem: /damaged/ },
      ],
      [
        'all files full of noise',
        (directory) => dataFiles(directory, /./).forEach((file) => writeFileSync(file, createRandom(3).bytes(statSync(file).size + 1))),
        { kept: (kept) => kept === 0, problem: /damaged/ },
      ],
    ];
    for (const [name, spoiling, expected] of ways) {
      it(`${name}: set aside as it is, what can be read is saved, and said`, async () => {
        const directory = spoiled(spoiling);
        const before = dataFiles(directory, /./).map((file) => [path.basename(file), readFileSync(file)]);
        const opened = await open(directory);
        assert.equal(opened.store.kind, 'disk');
        assert.deepEqual(
          opened.notices.map(({ code }) => code),
          ['DAMAGED'],
        );
        const [notice] = opened.notices;
        assert.match(notice!.text, expected.problem);
        assert.match(notice!.text, /in .*damaged-2026-01-02T03-04-05Z; delete them/);
        assert.equal(notice!.path, path.join(directory, 'damaged-2026-01-02T03-04-05Z'));
        assert.deepEqual(
          readdirSync(notice!.path).map((file) => [file, readFileSync(path.join(notice!.path!, file))]),
          before,
          'the damaged files are as they were',
        );
        const keys = await keysOf(opened);
        assert.equal(keys.length, notice!.kept);
        assert.ok(expected.kept(keys.length), `${keys.length} kept`);
        const due: string[] = [];
        for (
          let found = await opened.store.expiring(Infinity, 1_000);
          found.length > 0;
          found = await opened.store.expiring(Infinity, 1_000)
        ) {
          due.push(...found.map(({ key }) => key));
          await opened.store.batch(found.map(({ key }) => ({ kind: 'delete', key })));
        }
        assert.deepEqual(due.sort(), keys.sort(), 'all that was saved expires');
        await opened.store.put('new', Buffer.from('x'));
        await opened.store.close();
        const again = await open(directory);
        assert.deepEqual([again.notices, await keysOf(again)], [[], ['new']]);
        await again.store.close();
      });
    }

    it('[STORE-021] the torn end of a log is no damage: the batch that was being written is not there', async () => {
      const directory = spoiled((copy) => {
        const [log] = dataFiles(copy, /\.log$/);
        truncateSync(log!, statSync(log!).size - 5);
      });
      const opened = await open(directory);
      assert.deepEqual(opened.notices, []);
      assert.equal((await keysOf(opened)).length, COUNT);
      await opened.store.close();
    });

    it('[STORE-021] tables nobody refers to are no damage', async () => {
      const directory = spoiled((copy) => writeFileSync(path.join(copy, 'data/000099.ldb'), 'half a tab'));
      const opened = await open(directory);
      assert.deepEqual(opened.notices, []);
      assert.equal((await keysOf(opened)).length, COUNT + 200);
      await opened.store.close();
    });

    it('a damaged lock or format file loses nothing', async () => {
      const directory = spoiled((copy) => {
        for (const name of readdirSync(path.join(copy, 'lock'))) writeFileSync(path.join(copy, 'lock', name), 'noise');
        writeFileSync(path.join(copy, 'format.json'), '{"format":9,"again":"1"}');
      });
      const opened = await open(directory);
      assert.deepEqual(opened.notices, []);
      assert.equal((await keysOf(opened)).length, COUNT + 200);
      await opened.store.close();
    });

    it('[STORE-008] a damaged mark reads as none', async () => {
      const directory = place();
      const opened = await open(directory);
      opened.store.mark('counters', Buffer.from('12345678'));
      spoil(path.join(directory, 'mark-counters'), 6);
      assert.equal(opened.store.readMark('counters'), undefined);
      writeFileSync(path.join(directory, 'mark-counters'), '');
      assert.equal(opened.store.readMark('counters'), undefined);
      await opened.store.close();
    });
  });

  it('[STORE-022] from a newer version: set aside untouched, and an empty store takes its place', async () => {
    const directory = spoiled((copy) => writeFileSync(path.join(copy, 'format.json'), '{"format":2,"again":"2"}'));
    writeFileSync(path.join(directory, 'mark-counters'), 'theirs');
    const before = dataFiles(directory, /./).map((file) => [path.basename(file), readFileSync(file)]);
    const opened = await open(directory);
    assert.deepEqual([opened.store.kind, opened.notices.map(({ code }) => code)], ['disk', ['NEWER_FORMAT']]);
    const aside = path.join(directory, 'newer-2026-01-02T03-04-05Z');
    assert.equal(opened.notices[0]!.path, aside);
    assert.match(opened.notices[0]!.text, /newer version.*To get it back, stop Node-RED/);
    assert.deepEqual(
      readdirSync(path.join(aside, 'data')).map((file) => [file, readFileSync(path.join(aside, 'data', file))]),
      before,
    );
    assert.deepEqual(readdirSync(aside).sort(), ['data', 'format.json', 'mark-counters']);
    assert.deepEqual(await keysOf(opened), []);
    await opened.store.put('new', Buffer.from('x'));
    await opened.store.close();
    const again = await open(directory);
    assert.deepEqual([again.notices, await keysOf(again)], [[], ['new']]);
    await again.store.close();
  });

  it('[STORE-023] in use by this process: in memory, and the other goes on', async () => {
    const directory = place();
    const first = await open(directory);
    const second = await open(path.join(directory, '.'));
    assert.deepEqual([second.store.kind, second.notices.map(({ code }) => code)], ['memory', ['LOCKED']]);
    assert.match(second.notices[0]!.text, /in use by another .* memory only/);
    await first.store.put('a', Buffer.from('x'));
    await first.store.close();
    const third = await open(directory);
    assert.deepEqual([third.notices, await keysOf(third)], [[], ['a']]);
    await third.store.close();
  });

  it('[STORE-023] in use by this process for a moment: waits', async () => {
    const directory = place();
    const first = await open(directory);
    const second = openStore({ directory, lockWait: 60_000 });
    await first.store.close();
    const { store, notices } = await second;
    assert.deepEqual([store.kind, notices], ['disk', []]);
    await store.close();
  });

  it('[STORE-023] in use by another process: in memory, also when the files look damaged', async () => {
    const directory = place();
    const child = startStoreChild('hold', directory);
    try {
      await new Promise((resolve) => child.stdout!.once('data', resolve));
      rmSync(path.join(directory, 'data/CURRENT'));
      const opened = await open(directory);
      assert.deepEqual([opened.store.kind, opened.notices.map(({ code }) => code)], ['memory', ['LOCKED']]);
      assert.deepEqual(readdirSync(directory).sort(), ['data', 'format.json', 'lock']);
    } finally {
      child.kill('SIGKILL');
    }
  }).timeout(20_000);

  it('[STORE-024] a folder that cannot be written: in memory, and nothing in it is touched', () => {
    const directory = place();
    cpSync(filled, directory, { recursive: true });
    const own = isRoot ? { uid: NOBODY } : {};
    chmodSync(path.dirname(directory), 0o755);
    for (const each of [
      ...readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => path.join(directory, name)),
      directory,
    ]) {
      chmodSync(each, statSync(each).isDirectory() ? 0o555 : 0o444);
    }
    const [opened, { keys }] = runStoreChild('open', directory, own) as [
      OpenedStore['notices'][0] & Record<string, any>,
      { keys: string[] },
    ];
    assert.equal(opened['kind'], 'memory');
    assert.deepEqual(
      opened['notices'].map(({ code }: { code: string }) => code),
      ['READ_ONLY'],
    );
    assert.match(opened['notices'][0].text, /cannot be used for the store.*ermission denied.*memory only/);
    assert.deepEqual(keys, ['written']);
    assert.deepEqual(readdirSync(directory).sort(), ['data', 'format.json', 'lock']);
    for (const each of readdirSync(directory, { recursive: true, encoding: 'utf8' })) chmodSync(path.join(directory, each), 0o755);
    chmodSync(directory, 0o755);
  }).timeout(20_000);

  it('[STORE-024] a folder that cannot be made: in memory', () => {
    const parent = place();
    mkdirSync(parent, { mode: 0o555 });
    chmodSync(path.dirname(parent), 0o755);
    const [opened] = runStoreChild('open', path.join(parent, 'store'), isRoot ? { uid: NOBODY } : {});
    assert.deepEqual([opened!['kind'], opened!['notices'][0].code], ['memory', 'READ_ONLY']);
    assert.equal(existsSync(path.join(parent, 'store')), false);
  }).timeout(20_000);

  it('[STORE-024] a file in the place of the folder: in memory', async () => {
    const directory = place();
    writeFileSync(directory, 'I was here first');
    const opened = await open(directory);
    assert.deepEqual([opened.store.kind, opened.notices.map(({ code }) => code)], ['memory', ['UNUSABLE']]);
    assert.equal(readFileSync(directory, 'utf8'), 'I was here first');
  });

  it('[STORE-025] a binary that cannot be loaded: in memory', () => {
    const directory = place();
    const env = { CLASSIC_LEVEL_PREBUILD: place(), PREBUILDS_ONLY: '1' };
    const [opened, { keys }] = runStoreChild('open', directory, { env }) as [Record<string, any>, { keys: string[] }];
    assert.deepEqual([opened['kind'], opened['notices'][0].code], ['memory', 'NOT_LOADABLE']);
    assert.match(opened['notices'][0].text, /cannot be loaded on .*memory only.*classic-level/);
    assert.deepEqual(keys, ['written']);
    assert.equal(existsSync(directory), false);
  }).timeout(20_000);

  describe('[STORE-026] a full disk', () => {
    /** Fills it, then opens again with the room back. */
    async function fillsUp(directory: string, before: string | undefined, free: () => void): Promise<void> {
      const [opened, result] = runStoreChild('fill', directory, before === undefined ? {} : { before });
      assert.equal(opened!['kind'], 'disk');
      assert.deepEqual(result!['reports'], ['write-failed']);
      assert.deepEqual(result!['codes'], ['DISK_FULL']);
      assert.equal(result!['again'], 'DISK_FULL');
      assert.ok(result!['kept'] >= 100, `${result!['kept']} kept`);
      assert.equal(result!['pending'], 100, 'what could not be written still waits');
      // While the disk is full the database cannot be opened again: reads say so, they do not invent anything.
      for (const missing of result!['missing']) assert.equal(missing, 'DISK_FULL');
      free();
      const again = await open(directory);
      assert.deepEqual(again.notices, []);
      const keys = new Set(await keysOf(again));
      for (let at = 0; at < result!['kept']; at += 1) assert.ok(keys.has(`k${at}`), `k${at} is missing`);
      await again.store.put('more', Buffer.alloc(1_000));
      await again.store.close();
    }

    it('a limit on the size of files: writes fail and wait, nothing crashes, nothing is lost', async function () {
      if (process.platform === 'win32') this.skip();
      // LevelDB ends a log at 8 MiB, so 2,000 kB (in the 512 bytes of sh) are reached in one.
      await fillsUp(place(), 'ulimit -f 4000;', () => undefined);
    }).timeout(30_000);

    it('a small file system: writes fail and wait, nothing crashes, nothing is lost', async function () {
      const mountPoint = place();
      mkdirSync(mountPoint);
      const mounted =
        isRoot && process.platform === 'linux' && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mountPoint]).status === 0;
      if (!mounted) return this.skip();
      try {
        const remount = (): void => void spawnSync('mount', ['-o', 'remount,size=30m', mountPoint]);
        await fillsUp(path.join(mountPoint, 'store'), undefined, remount);
      } finally {
        spawnSync('umount', [mountPoint]);
      }
    }).timeout(30_000);

    it('and a damaged store: left as it is until there is room', async function () {
      const mountPoint = place();
      mkdirSync(mountPoint);
      const mounted =
        isRoot && process.platform === 'linux' && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mountPoint]).status === 0;
      if (!mounted) return this.skip();
      try {
        const directory = path.join(mountPoint, 'store');
        cpSync(filled, directory, { recursive: true });
        rmSync(path.join(directory, 'data/CURRENT'));
        const before = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.startsWith('data'));
        // Room for the lock, and not for what is saved.
        spawnSync('sh', ['-c', 'head -c 100000000 /dev/zero >"$0/ballast"; truncate -s -60K "$0/ballast"', mountPoint]);
        const opened = await open(directory);
        assert.deepEqual([opened.store.kind, opened.notices.map(({ code }) => code)], ['memory', ['DISK_FULL']]);
        assert.deepEqual(
          readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => /^(data|damaged)/.test(name)),
          before,
        );
        rmSync(path.join(mountPoint, 'ballast'));
        const again = await open(directory);
        assert.deepEqual(
          again.notices.map(({ code, kept }) => [code, kept]),
          [['DAMAGED', COUNT + 200]],
        );
        await again.store.close();
      } finally {
        spawnSync('umount', [mountPoint]);
      }
    }).timeout(30_000);

    it('already when it is opened: in memory', function () {
      const mountPoint = place();
      mkdirSync(mountPoint);
      const mounted =
        isRoot && process.platform === 'linux' && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mountPoint]).status === 0;
      if (!mounted) return this.skip();
      try {
        spawnSync('sh', ['-c', 'head -c 100000 /dev/zero >"$0/ballast"', mountPoint]);
        const [opened, { keys }] = runStoreChild('open', path.join(mountPoint, 'store')) as [Record<string, any>, { keys: string[] }];
        assert.deepEqual([opened['kind'], opened['notices'][0].code, keys], ['memory', 'DISK_FULL', ['written']]);
      } finally {
        spawnSync('umount', [mountPoint]);
      }
    }).timeout(30_000);
  });
});
