import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { freeUdpPort } from '../support/node-red';
import type { NodeRed } from '../support/node-red';
import type { Editor } from './editor';
import { withEditor } from './hooks';

describe('keys in the dialog of the server', () => {
  let nodeRed: NodeRed;
  let editor: Editor;
  let key = '';
  let securePort = 0;

  withEditor(
    async () => {
      const port = await freeUdpPort();
      securePort = await freeUdpPort();
      const server = {
        id: 'server',
        type: 'lwm2m-server',
        version: 4,
        name: 'Server',
        port,
        securePort,
        unknownDevices: 'refuse',
        devices: [],
      };
      const device = { id: 'device', type: 'lwm2m-device', z: 'tab', version: 2, name: 'Device', endpoint: 'safe', host: '127.0.0.1' };
      const flow = [
        { id: 'tab', type: 'tab', label: 'Keys' },
        server,
        { ...device, port: securePort, security: 'psk', identity: '', lifetime: 300, lwm2mVersion: '1.1', x: 150, y: 100, wires: [[]] },
        {
          id: 'in',
          type: 'lwm2m-in',
          z: 'tab',
          version: 1,
          name: 'Events',
          server: 'server',
          endpoint: '',
          events: ['log'],
          x: 150,
          y: 200,
          wires: [[]],
        },
      ];
      return { flow, ready: 'device' };
    },
    (opened, started) => {
      editor = opened;
      nodeRed = started;
    },
  );

  it('says in plain words what is wrong with a key', async () => {
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    await dialog.locator('.red-ui-editableList-addButton').click();
    const row = dialog.locator('#lwm2m-server-devices li').last();
    await row.locator('.lwm2m-device-endpoint').fill('safe');
    await row.locator('.lwm2m-device-mode').selectOption('psk');
    for (const [text, problem] of [
      ['abc', /3 hexadecimal digits: two make a byte/],
      ['xyz', /hexadecimal digits \(0-9, a-f\) only/],
      ['base64:%', /no base64/],
      ['', /key is missing/],
    ] as const) {
      await row.locator('.lwm2m-device-key').fill(text);
      await row.locator('.lwm2m-device-key').dispatchEvent('input');
      assert.match(String(await row.locator('.lwm2m-device-problem').textContent()), problem, text);
    }
  });

  it('makes a key, and shows what to type into the device', async () => {
    const dialog = await editor.dialog();
    const row = dialog.locator('#lwm2m-server-devices li').last();
    await row.locator('.lwm2m-device-generate').click();
    key = await row.locator('.lwm2m-device-key').inputValue();
    assert.match(key, /^[0-9a-f]{32}$/);
    const note = String(await row.locator('.lwm2m-device-note').textContent());
    for (const wanted of [`coaps://127.0.0.1:${securePort}`, 'PSK', 'safe', key]) assert.ok(note.includes(wanted), `${wanted} in ${note}`);
    await editor.picture('lwm2m-server-psk');
    assert.deepEqual(await editor.unreadable(dialog), []);
    await editor.done();
  });

  it('a device with this key registers', async () => {
    const dialog = await editor.edit('device');
    await dialog.locator('#node-input-psk').fill(key);
    await editor.picture('lwm2m-device-psk');
    await editor.done();
    await editor.deploy();
    await editor.badge('device', /^registered$/);
  });

  it('the key is nowhere in what the editor gets, exports or saves as flow', async () => {
    const page = editor.page;
    await page.reload();
    await page.waitForFunction(() => (window as any).RED?.nodes?.node('device'));
    const exported = await page.evaluate(() => JSON.stringify((window as any).RED.nodes.createCompleteNodeSet()));
    assert.ok(exported.includes('secure') || exported.includes('safe'));
    assert.ok(!exported.includes(key));
    for (const address of ['flows', 'credentials/lwm2m-server/server', 'credentials/lwm2m-device/device', 'lwm2m/server/devices']) {
      const answer = await page.evaluate(async (url) => (await fetch(url)).text(), address);
      assert.ok(!answer.includes(key), address);
    }
    const files = (await readdir(nodeRed.dir)).filter((name) => name.endsWith('.json'));
    assert.ok(files.length > 0);
    for (const name of files) assert.ok(!(await readFile(path.join(nodeRed.dir, name), 'utf8')).includes(key), name);
  });

  it('opened again the dialog has the key no more, and keeps it', async () => {
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    const row = dialog.locator('#lwm2m-server-devices li').last();
    assert.equal(await row.locator('.lwm2m-device-key').inputValue(), '__PWRD__');
    await row.locator('.lwm2m-device-name').fill('Cellar');
    await editor.done();
    await editor.deploy();
    await editor.badge('device', /^registered$/);
  });

  it('a wrong key in the device is told on the badge', async () => {
    const dialog = await editor.edit('device');
    await dialog.locator('#node-input-psk').fill('ff'.repeat(16));
    await editor.done();
    await editor.deploy();
    await editor.badge('in', /^handshake failed: wrong key$/);
    await editor.picture('handshake-failed');
  });
});
