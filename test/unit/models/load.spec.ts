import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { layeredModel } from '../../../lib/model/layers';
import { MAX_MODEL_FILES, loadModels } from '../../../lib/models/load';
import { deleteModel, storeModel } from '../../../lib/models/store';
import { ddf, temporaryFolder } from './files';

describe('a folder of definition files', () => {
  let dir = '';
  let dispose = (): void => undefined;
  beforeEach(() => ({ dir, dispose } = temporaryFolder()));
  afterEach(() => dispose());
  const put = (name: string, text: string | Uint8Array): void => writeFileSync(path.join(dir, name), text);

  it('[MODEL-001] is read: every XML file in it, and nothing else', async () => {
    put('b.xml', ddf(33334, 'Pump'));
    put('a.XML', ddf(33333, 'Tank'));
    put('notes.txt', 'hello');
    put('.hidden.xml', 'half a file');
    mkdirSync(path.join(dir, 'server.xml'));
    writeFileSync(path.join(dir, 'server.xml', 'c.xml'), ddf(33335, 'Other'));
    symlinkSync(path.join(dir, 'b.xml'), path.join(dir, 'c.xml'));
    const { files, definitions } = await loadModels(dir);
    assert.deepEqual(
      files.map(({ file, objects, error }) => [file, objects.map(({ name }) => name).join(), error]),
      [
        ['a.XML', 'Tank', undefined],
        ['b.xml', 'Pump', undefined],
        ['c.xml', 'Pump', undefined],
      ],
    );
    assert.equal(layeredModel(definitions).resource(33333, 0)?.name, 'Level');
  });

  it('[MODEL-002] with files that cannot be used: each has its line and reason, and the others work', async () => {
    put('1-good.xml', ddf(33333, 'Tank'));
    put('2-broken.xml', ddf(33334, 'Pump').replace('</Name>', ''));
    put('3-entities.xml', `<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "b">]>\n${ddf(1, 'x')}`);
    put('4-empty.xml', '');
    put('5-binary.xml', Buffer.from([0xff, 0xfe, 0x00, 0xd8, 0x00]));
    put('6-large.xml', '');
    truncateSync(path.join(dir, '6-large.xml'), 100 * 1024 * 1024);
    put('7-good.xml', ddf(33335, 'Valve'));
    const { files, definitions } = await loadModels(dir);
    assert.deepEqual(
      definitions.map(({ name }) => name),
      ['Tank', 'Valve'],
    );
    const errors = files.map(({ error }) => error && `${error.line}: ${error.reason}`);
    assert.match(String(errors[1]), /^5: this is not well-formed XML|^1\d: this is not well-formed XML/);
    assert.match(String(errors[2]), /^2: a document type/);
    assert.match(String(errors[3]), /^1: this is not well-formed XML: document must contain a root element/);
    assert.match(String(errors[4]), /^1: the file is not UTF-16LE text/);
    assert.match(String(errors[5]), /^1: the file has 104857600 bytes and is too large/);
    assert.deepEqual([errors[0], errors[6]], [undefined, undefined]);
  });

  it('[MODEL-002] with a pipe, or a link to nowhere, in it does not wait for them', async function () {
    if (process.platform === 'win32') return this.skip();
    execFileSync('mkfifo', [path.join(dir, 'pipe.xml')]);
    symlinkSync(path.join(dir, 'nowhere'), path.join(dir, 'link.xml'));
    put('good.xml', ddf(33333, 'Tank'));
    assert.deepEqual(
      (await loadModels(dir)).files.map(({ file }) => file),
      ['good.xml'],
    );
  });

  it('[MODEL-003] that is missing is an error of the system', async () => {
    await assert.rejects(loadModels(path.join(dir, 'missing')), { code: 'ENOENT' });
  });

  it('[MODEL-004] has a limit of files, and those beyond it say so', async () => {
    for (let at = 0; at <= MAX_MODEL_FILES; at++) put(`${String(at).padStart(5, '0')}.xml`, '<LWM2M/>');
    const { files } = await loadModels(dir);
    assert.match(String(files[MAX_MODEL_FILES]?.error?.reason), /more than 1000 files/);
    assert.match(String(files[MAX_MODEL_FILES - 1]?.error?.reason), /no <Object>/);
  });

  it('[MODEL-005] lets others run while it is read', async function () {
    const comment = `<!--${'x'.repeat(900)}-->`;
    for (let at = 0; at < 40; at++) put(`${at}.xml`, ddf(30_000 + at, 'Large').replace('<LWM2M>', `${comment.repeat(600)}<LWM2M>`));
    let turns = 0;
    let running = true;
    const count = (): void => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    const { definitions } = await loadModels(dir);
    running = false;
    assert.equal(definitions.length, 40);
    assert.ok(turns > 80, `${turns} turns`);
  });

  describe('changed by a dialog', () => {
    it('[MODEL-010] keeps a file under a name made from object id and version, in a folder that is made for it', async () => {
      const inner = path.join(dir, 'not', 'there', 'yet');
      assert.equal((await storeModel(inner, Buffer.from(ddf(33333, 'Tank', { version: '1.2' })))).file, '33333-1.2.xml');
      assert.equal((await storeModel(inner, Buffer.from(ddf(33333, 'Tank')))).file, '33333-1.0.xml');
      assert.equal((await storeModel(inner, Buffer.from(ddf(33333, 'Better tank')))).file, '33333-1.0.xml');
      const object = /<Object [\s\S]*<\/Object>/;
      const two = ddf(33333, 'One').replace(object, (one) => `${one}${one.replace('33333', '33334')}`);
      assert.equal((await storeModel(inner, Buffer.from(two))).file, '33333-1.0-and-1-more.xml');
      assert.deepEqual(readdirSync(inner).sort(), ['33333-1.0-and-1-more.xml', '33333-1.0.xml', '33333-1.2.xml']);
      assert.match(readFileSync(path.join(inner, '33333-1.0.xml'), 'utf8'), /Better tank/);
    });

    it('[MODEL-010] keeps nothing of what it refuses', async () => {
      await assert.rejects(storeModel(dir, Buffer.from('<html/>')), /line 1: the outermost element is <html>/);
      await assert.rejects(storeModel(dir, Buffer.from('<LWM2M><Object ObjectType="CommonResources"/></LWM2M>')), /describes no object/);
      assert.deepEqual(readdirSync(dir), []);
    });

    it('[MODEL-010] refuses one more file than it may have', async () => {
      for (let at = 0; at < MAX_MODEL_FILES; at++) put(`${at}.xml`, '');
      await assert.rejects(storeModel(dir, Buffer.from(ddf(33333, 'Tank'))), RangeError);
      put('33333-1.0.xml', '');
      assert.equal((await storeModel(dir, Buffer.from(ddf(33333, 'Tank')))).file, '33333-1.0.xml');
    });

    it('[MODEL-011] deletes the files it lists, and nothing else', async () => {
      const inner = path.join(dir, 'models');
      mkdirSync(path.join(inner, 'sub.xml'), { recursive: true });
      put('outside.xml', ddf(1, 'x'));
      writeFileSync(path.join(inner, 'my file.xml'), ddf(1, 'x'));
      writeFileSync(path.join(inner, 'notes.txt'), 'x');
      for (const name of [
        '../outside.xml',
        '..',
        '.',
        '',
        'notes.txt',
        'sub.xml',
        '/etc/passwd',
        'models/my file.xml',
        '..\\outside.xml',
        'my file.xml\0',
      ]) {
        assert.equal(await deleteModel(inner, name), false, name);
      }
      assert.equal(await deleteModel(path.join(dir, 'missing'), 'a.xml'), false);
      assert.ok(existsSync(path.join(dir, 'outside.xml')));
      assert.equal(await deleteModel(inner, 'my file.xml'), true);
      assert.deepEqual(readdirSync(inner).sort(), ['notes.txt', 'sub.xml']);
    });
  });
});
