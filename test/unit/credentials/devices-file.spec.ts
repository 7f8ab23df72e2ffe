import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync, type watch } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DevicesFile, readDevicesFile } from '../../../lib/credentials/devices-file';
import { DeviceTableError } from '../../../lib/credentials/entries';

const wrong = (text: RegExp) => (error: unknown) => error instanceof DeviceTableError && text.test(error.message);
const SECRET = 'c0ffee'.repeat(6);
const psk = (endpoint: string): string => `{"endpoint":"${endpoint}","mode":"psk","key":"${SECRET}"}`;

describe('devices file', () => {
  let folder = '';
  before(() => (folder = mkdtempSync(path.join(tmpdir(), 'devices-'))));
  after(() => rmSync(folder, { recursive: true }));

  const file = (content: string | Buffer): string => {
    const name = path.join(folder, 'devices.json');
    writeFileSync(name, content);
    chmodSync(name, 0o600);
    return name;
  };

  for (const [what, content] of [
    ['an array', '[{"endpoint":"a"},{"endpoint":"b","mode":"none","timeout":5}]'],
    ['an object with devices', '{"comment":"x","devices":[{"endpoint":"a"},{"endpoint":"b","timeout":5}]}'],
    ['an array after a byte order mark, as some editors write it', '\ufeff[{"endpoint":"a"},{"endpoint":"b","timeout":5}]'],
  ] as const) {
    it(`[SRV-058] may hold ${what}`, () => {
      assert.deepEqual(
        readDevicesFile(file(content)).map(({ entry }) => entry),
        [
          { endpoint: 'a', mode: 'none' },
          { endpoint: 'b', mode: 'none', timeout: 5 },
        ],
      );
    });
  }

  it('[CRED-020] may hold one device in the form of the IoT Hub, or an array of them and of ours', () => {
    const hub = `{"client":{"securityConfigClientMode":"PSK","endpoint":"hub","identity":"id","key":"${SECRET}"},"bootstrap":{}}`;
    assert.deepEqual(readDevicesFile(file(hub)), [
      { entry: { endpoint: 'hub', mode: 'psk', identity: 'id' }, key: Buffer.from(SECRET, 'hex') },
    ]);
    assert.deepEqual(
      readDevicesFile(file(`[${hub},${psk('own')}]`)).map(({ entry }) => entry.identity),
      ['id', 'own'],
    );
  });

  for (const [what, content, text] of [
    ['no JSON', 'endpoint: a', /cannot be read/],
    ['nothing', '', /cannot be read/],
    ['a text', '"a"', /must hold an array/],
    ['null', 'null', /must hold an array/],
    ['devices that are no array', '{"devices":{"endpoint":"a"}}', /must hold an array/],
    ['a wrong entry', '[{"endpoint":"a"},{"endpoint":""}]', /Device 2 .*"endpoint"/],
    ['a key too short', '[{"endpoint":"a","mode":"psk","key":"abc"}]', /devices\.json" is wrong. Device 1 .*"a": its key has 3 hex/],
  ] as const) {
    it(`[SRV-058] with ${what} is refused`, () => assert.throws(() => readDevicesFile(file(content)), wrong(text)));
  }

  it('[SRV-058] that is not there is refused, with its name', () => {
    assert.throws(() => readDevicesFile(path.join(folder, 'no-such.json')), wrong(/no-such\.json" cannot be read/));
  });

  it('[CRED-021] says in which line it is no JSON, and quotes nothing of it', () => {
    for (const content of [`[\n ${psk('a')}\n ${psk('b')}]`, `[\n{"key": "${SECRET}" "x"}]`, `[\n{"endpoint": '${SECRET}'}]`]) {
      assert.throws(
        () => readDevicesFile(file(content)),
        (error: Error) => /no JSON/.test(error.message) && !error.message.includes('c0ffee'),
      );
    }
    assert.throws(() => readDevicesFile(file('[\n  {},\n  x]')), wrong(/line 3, at character 3/));
    assert.throws(() => readDevicesFile(file('[\n  {} {}]')), wrong(/line 2, at character 6/));
    assert.throws(() => readDevicesFile(file('[{"endpoint":"a')), wrong(/it ends too early|line 1/));
  });

  describe('watched', () => {
    const devices: string[][] = [];
    const problems: string[] = [];
    const opened: DevicesFile[] = [];
    /** The test says when it is looked at. */
    const silent = (() => ({ on: () => undefined, close: () => undefined })) as unknown as typeof watch;

    function open(name: string): DevicesFile {
      const opening = new DevicesFile({
        file: name,
        onChange: (list) => devices.push(list.map(({ entry }) => entry.endpoint)),
        onProblem: (text) => problems.push(text),
        quiet: 1e9,
        rescan: 1e9,
        watch: silent,
      });
      opened.push(opening);
      return opening;
    }
    beforeEach(() => {
      devices.length = problems.length = 0;
    });
    afterEach(() => {
      for (const each of opened.splice(0)) each.close();
    });

    it('[CRED-022] is read again when it has changed, and else tells nothing', async () => {
      const name = file('[{"endpoint":"a"}]');
      const watched = open(name);
      await watched.refresh();
      assert.deepEqual(devices, []);
      writeFileSync(name, '[{"endpoint":"a"},{"endpoint":"b"}]');
      await watched.refresh();
      await watched.refresh();
      writeFileSync(`${name}.new`, '[{"endpoint":"c"}]');
      renameSync(`${name}.new`, name);
      await watched.refresh();
      assert.deepEqual([devices, problems], [[['a', 'b'], ['c']], []]);
    });

    it('[CRED-023] broken or gone it keeps what it held, says so once, and counts again when it is right', async () => {
      const name = file('[{"endpoint":"a"}]');
      const watched = open(name);
      writeFileSync(name, '[{"endpoint":"a"},');
      await watched.refresh();
      assert.deepEqual(problems, [], 'the rest may still come');
      await watched.refresh();
      await watched.refresh();
      await watched.refresh();
      assert.equal(problems.length, 1);
      assert.match(problems[0]!, /no JSON.* Until it is right again, what it held before counts\./);
      rmSync(name);
      await watched.refresh();
      assert.match(problems.slice(-1).join(), /cannot be read: ENOENT/);
      assert.deepEqual(
        watched.devices.map(({ entry }) => entry.endpoint),
        ['a'],
      );
      writeFileSync(name, '[{"endpoint":"b"}]');
      await watched.refresh();
      assert.deepEqual(devices, [['b']]);
      writeFileSync(name, '[');
      await watched.refresh();
      await watched.refresh();
      assert.equal(problems.length, 3, 'a problem after a good time is told again');
    });

    it('[CRED-024] says once that others can read the keys in it', async function () {
      if (process.platform === 'win32') this.skip();
      const name = file(`[${psk('a')}]`);
      const watched = open(name);
      await watched.refresh();
      assert.deepEqual(problems, []);
      chmodSync(name, 0o644);
      await watched.refresh();
      chmodSync(name, 0o664);
      await watched.refresh();
      assert.equal(problems.length, 1);
      assert.match(problems[0]!, /other users can read it/);
    });

    it('[CRED-022] is looked at when its folder changes', async () => {
      const name = file('[{"endpoint":"a"}]');
      let changed = (): void => {
        assert.fail('not watched');
      };
      const watched = new Promise<void>((resolve) => {
        const each = new DevicesFile({
          file: name,
          onChange: () => resolve(),
          onProblem: (text) => problems.push(text),
          quiet: 0,
          rescan: 1e9,
          watch: ((_folder: string, _options: object, listener: () => void) => {
            changed = listener;
            return { on: () => undefined, close: () => undefined };
          }) as unknown as typeof watch,
        });
        opened.push(each);
        each.start();
      });
      writeFileSync(name, '[{"endpoint":"b"}]');
      changed();
      await watched;
    });
  });
});
