import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { FSWatcher, watch } from 'node:fs';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { WatchedFolder } from '../../../lib/models/folder';
import type { FolderOptions } from '../../../lib/models/folder';
import { ModelRegistry } from '../../../lib/models/registry';
import type { ModelProblem } from '../../../lib/models/registry';
import { ddf, temporaryFolder } from './files';

/** No watching at all, as on some network drives. */
const blind = (() => {
  throw new Error('ENOSYS');
}) as unknown as typeof watch;
const never = 2 ** 30;

describe('a watched folder of definition files', () => {
  let dir = '';
  let dispose = (): void => undefined;
  let open: { close(): void }[] = [];
  beforeEach(() => ({ dir, dispose } = temporaryFolder()));
  afterEach(() => {
    for (const one of open) one.close();
    open = [];
    dispose();
  });
  const put = (name: string, text: string): void => writeFileSync(path.join(dir, name), text);

  /** `until(names)` resolves once the folder's objects have these names. */
  function folder(options: Partial<FolderOptions>): {
    folder: WatchedFolder;
    until(...names: string[]): Promise<void>;
    changes: () => number;
  } {
    let wake = (): void => undefined;
    let changes = 0;
    const watched = new WatchedFolder({
      dir,
      quiet: 5,
      rescan: never,
      ...options,
      onChange: () => {
        changes++;
        wake();
      },
    });
    open.push(watched);
    const until = async (...names: string[]): Promise<void> => {
      while (watched.definitions.map(({ name }) => name).join() !== names.join()) await new Promise<void>((resolve) => (wake = resolve));
    };
    return { folder: watched, until, changes: () => changes };
  }

  /** Added, changed, renamed, removed; each has to show by itself. */
  async function live(options: Partial<FolderOptions>): Promise<void> {
    put('a.xml', ddf(33333, 'Tank'));
    const { folder: watched, until } = folder(options);
    await watched.refresh();
    await until('Tank');
    put('b.xml', ddf(33334, 'Pump'));
    await until('Tank', 'Pump');
    put('a.xml', ddf(33333, 'Better tank'));
    await until('Better tank', 'Pump');
    put('a.xml', 'no xml');
    await until('Pump');
    assert.match(String(watched.files[0]?.error?.reason), /not well-formed/);
    renameSync(path.join(dir, 'b.xml'), path.join(dir, 'b.txt'));
    await until();
    rmSync(path.join(dir, 'a.xml'));
    put('c.xml', ddf(33335, 'Valve'));
    await until('Valve');
    assert.equal(watched.files.length, 1);
  }

  it('[MODEL-006] takes what is added, changed, renamed and removed, as the system reports it', () => live({}));

  it('[MODEL-007] takes it where the system reports nothing, by looking from time to time', () => live({ watch: blind, rescan: 5 }));

  it('[MODEL-007] goes on looking when watching fails later, and watches again', async () => {
    const watchers: EventEmitter[] = [];
    const failing = (() => {
      const watcher = Object.assign(new EventEmitter(), { close: () => undefined });
      watchers.push(watcher);
      return watcher as unknown as FSWatcher;
    }) as unknown as typeof watch;
    const { folder: watched, until } = folder({ watch: failing, rescan: 5 });
    await watched.refresh();
    assert.equal(watched.watching, true);
    watchers[0]?.emit('error', new Error('EMFILE'));
    assert.equal(watched.watching, false);
    put('a.xml', ddf(33333, 'Tank'));
    await until('Tank');
    assert.equal(watchers.length, 2);
    assert.equal(watched.watching, true);
  });

  it('[MODEL-008] may be missing and come later, go, and come again', async () => {
    const inner = path.join(dir, 'inner');
    const { folder: watched, until } = folder({ dir: inner, rescan: 5 });
    await watched.refresh();
    assert.deepEqual(watched.definitions, []);
    for (const name of ['Tank', 'Pump']) {
      mkdirSync(inner);
      writeFileSync(path.join(inner, 'a.xml'), ddf(33333, name));
      await until(name);
      rmSync(inner, { recursive: true });
      await until();
    }
  });

  it('[MODEL-009] reads many files that come together once, and none again that did not change', async () => {
    const { folder: watched, until, changes } = folder({ quiet: 60 });
    await watched.refresh();
    for (let at = 0; at < 50; at++) put(`${10 + at}.xml`, ddf(33_300 + at, `Object ${at}`));
    await until(...Array.from({ length: 50 }, (_, at) => `Object ${at}`));
    assert.ok(changes() <= 2, `${changes()} changes`);
    const [first] = watched.definitions;
    const before = changes();
    await watched.refresh();
    assert.equal(changes(), before);
    put('99.xml', ddf(33_399, 'Last'));
    await watched.refresh();
    assert.equal(watched.definitions[0], first);
  });

  it('[MODEL-009] takes everything that was there when a new look was asked for', async () => {
    const { folder: watched } = folder({ watch: blind });
    const first = watched.refresh();
    put('a.xml', ddf(33333, 'Tank'));
    await Promise.all([first, watched.refresh(), watched.refresh()]);
    assert.equal(watched.definitions.length, 1);
  });

  it('[MODEL-009] changes nothing once it is closed', async () => {
    put('a.xml', ddf(33333, 'Tank'));
    const { folder: watched, changes } = folder({ rescan: 1 });
    const reading = watched.refresh();
    watched.close();
    await reading;
    watched.poke();
    await watched.refresh();
    assert.equal(changes(), 0);
    assert.equal(watched.watching, false);
  });

  describe('of a server', () => {
    it('[MODEL-012] wins over that for all servers, which wins over the registry; files that go give way', async () => {
      const own = path.join(dir, 'server-1');
      const registry = new ModelRegistry({ modelsDir: dir, ownModelsDir: own, quiet: 5, rescan: never });
      open.push(registry);
      await registry.start();
      const { model } = registry;
      const name = (): string | undefined => model.object(3303, '1.0')?.name;
      assert.equal(name(), 'Temperature');
      put('t.xml', ddf(3303, 'For all'));
      await registry.refresh();
      assert.equal(name(), 'For all');
      mkdirSync(own);
      writeFileSync(path.join(own, 't.xml'), ddf(3303, 'Own'));
      await registry.refresh();
      assert.equal(name(), 'Own');
      assert.deepEqual([registry.files('all').length, registry.files('own').length], [1, 1]);
      rmSync(path.join(dir, 't.xml'));
      await registry.refresh();
      assert.equal(name(), 'Own');
      rmSync(own, { recursive: true });
      await registry.refresh();
      assert.equal(name(), 'Temperature');
    });

    it('[MODEL-012] that is made later is noticed through the folder around it', async () => {
      const own = path.join(dir, 'server-1');
      let seen = (): void => undefined;
      const noticed = new Promise<void>((resolve) => (seen = resolve));
      const registry = new ModelRegistry({ modelsDir: dir, ownModelsDir: own, quiet: 50, rescan: never, onProblem: seen });
      open.push(registry);
      await registry.start();
      mkdirSync(own);
      writeFileSync(path.join(own, 'bad.xml'), '<html/>');
      await noticed;
    });

    it('[MODEL-013] tells of each file that cannot be used once, with scope, name, line and reason', async () => {
      const problems: ModelProblem[] = [];
      put('a.xml', '<html/>');
      put('b.xml', ddf(33333, 'Tank'));
      const registry = new ModelRegistry({ modelsDir: dir, quiet: 5, rescan: never, onProblem: (problem) => problems.push(problem) });
      open.push(registry);
      await registry.start();
      await registry.refresh();
      assert.deepEqual(
        problems.map(({ scope, file, line }) => [scope, file, line]),
        [['all', 'a.xml', 1]],
      );
      assert.equal(registry.model.object(33333)?.name, 'Tank');
    });

    it('[MODEL-013] without folders has the registry', async () => {
      const registry = new ModelRegistry({});
      await registry.start();
      assert.equal(registry.model.object(3)?.name, 'Device');
      assert.deepEqual(registry.files('own'), []);
    });
  });

  it('[MODEL-014] takes all files of the OMA registry at once', async function () {
    const data = process.env['LWM2M_SHARED_DATA'];
    const files = data === undefined ? undefined : path.join(data, 'lwm2m-registry');
    if (files === undefined || !existsSync(files)) {
      console.warn('      SKIPPED: the registry is not here; set LWM2M_SHARED_DATA to the folder that has lwm2m-registry/');
      this.skip();
      return;
    }
    const { folder: watched } = folder({});
    await watched.refresh();
    const names = readdirSync(files).filter((name) => name.endsWith('.xml'));
    for (const name of names) put(name, readFileSync(path.join(files, name), 'utf8'));
    await watched.refresh();
    assert.equal(watched.files.length, names.length);
    assert.deepEqual(
      watched.files.filter(({ error }) => error).map(({ file }) => file),
      ['DDF.xml', 'LWM2M_senml_units.xml'],
    );
    assert.equal(watched.definitions.length, names.length - 3);
  });
});
