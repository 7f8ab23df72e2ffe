import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { freeUdpPort, nodeRedDir, packageRoot } from '../support/node-red';
import type { NodeRed } from '../support/node-red';
import type { Editor } from './editor';
import { withEditor } from './hooks';

type FlowNode = Record<string, unknown> & { id: string; type: string; name?: string };

const exampleFile = path.join(packageRoot, 'examples/01-first-device.json');
const { version } = JSON.parse(readFileSync(path.join(nodeRedDir, 'package.json'), 'utf8')) as { version: string };
const types = ['lwm2m-in', 'lwm2m-rpc', 'lwm2m-device'];

/** The example on a port that is free here. */
async function exampleFlow(): Promise<FlowNode[]> {
  const flow = JSON.parse(readFileSync(exampleFile, 'utf8')) as FlowNode[];
  const port = await freeUdpPort();
  return flow.map((node) => ('port' in node ? { ...node, port } : node));
}

describe(`the editor of Node-RED ${version} with the first example`, () => {
  let nodeRed: NodeRed;
  let editor: Editor;
  let flow: FlowNode[];
  const id = (name: string): string => flow.find((node) => node.name === name)!.id;

  withEditor(
    async () => {
      flow = await exampleFlow();
      return { flow, ready: id('Command') };
    },
    (opened, started) => {
      editor = opened;
      nodeRed = started;
    },
  );

  it('has the nodes in the palette, with icon and name', async () => {
    for (const type of types) {
      const entry = editor.page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`);
      await entry.waitFor({ state: 'attached' });
      assert.equal((await entry.locator('.red-ui-palette-label').innerText()).replaceAll(/\s+/g, ' ').trim(), type.replace('-', ' '));
      assert.match(String(await entry.locator('.red-ui-palette-icon').first().getAttribute('style')), new RegExp(`${type}\\.svg`));
    }
  });

  it('shows the device registered and the server with one device', async () => {
    await editor.badge(id('Simulated device'), /^registered$/);
    await editor.badge(id('All devices'), /^1 device$/);
    await editor.picture('flow');
  });

  it('shows the values of the device in the debug sidebar, as they change', async () => {
    const messages = await editor.showDebug();
    const values = messages.filter({ hasText: 'Notification' });
    await values.nth(1).waitFor({ state: 'attached' });
    const [first] = await values.locator('.red-ui-debug-msg-payload').allTextContents();
    assert.match(String(first), /-?\d+/);
  });

  it('reads the battery at the press of the button', async () => {
    const messages = await editor.showDebug();
    await editor.node(id('Read battery')).locator('.red-ui-flow-node-button-button').click();
    await editor.badge(id('Command'), /^CONTENT \d+ ms$/);
    await editor.badge(id('Battery'), /^\d+$/);
    const answer = messages.filter({ hasText: 'Battery' }).last();
    await answer.waitFor({ state: 'attached' });
    assert.match(String(await answer.textContent()), /result: "CONTENT", value: \d+/);
    await editor.picture('debug');
  });

  it('offers the example in the Import dialog', async () => {
    const { page } = editor;
    await page.evaluate(() => (window as any).RED.actions.invoke('core:show-examples-import-dialog'));
    const dialog = page.getByRole('dialog');
    const entry = dialog.locator('.red-ui-treeList-label').filter({ hasText: '@node-red-lwm2m/server' }).last();
    await entry.click();
    await entry.press('ArrowRight');
    await dialog.getByText('01-first-device').waitFor();
    await editor.picture('import');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'hidden' });
  });

  describe('dialogs', () => {
    it('lwm2m in: events, a device and a path of the running server', async () => {
      const dialog = await editor.edit(id('All devices'));
      assert.equal(await dialog.locator('#lwm2m-in-events input:checked').count(), 10);
      const endpoints = await editor.suggestions(dialog.locator('#node-input-endpoint'), 'simu');
      await endpoints.filter({ hasText: 'simulated-device' }).click();
      assert.equal(await dialog.locator('#node-input-endpoint').inputValue(), 'simulated-device');
      const paths = await editor.suggestions(dialog.locator('#node-input-path'), 'battery level');
      await paths.filter({ hasText: '/3/0/9' }).first().waitFor();
      await editor.picture('lwm2m-in');
      await dialog.locator('#node-input-path').fill('/nonsense');
      await dialog.locator('#node-input-name').click();
      await dialog.locator('#node-input-path.input-error').waitFor();
      await dialog.locator('#node-input-path').fill('');
      await dialog.locator('#lwm2m-in-none').click();
      await dialog.getByLabel('notification', { exact: true }).check();
      await dialog.getByLabel('registered', { exact: true }).press('Space');
      await editor.done();
      assert.deepEqual(await editor.property(id('All devices'), 'events'), ['registered', 'notification']);
      assert.equal(await editor.property(id('All devices'), 'endpoint'), 'simulated-device');
      assert.equal(await editor.property(id('All devices'), 'valid'), true);
    });

    it('lwm2m in: says that no event is chosen', async () => {
      const dialog = await editor.edit(id('All devices'));
      await dialog.locator('#lwm2m-in-none').click();
      await editor.done();
      assert.equal(await editor.property(id('All devices'), 'valid'), false);
      await editor.edit(id('All devices'));
      await dialog.locator('#lwm2m-in-all').click();
      await editor.done();
      assert.equal(await editor.property(id('All devices'), 'valid'), true);
    });

    it('lwm2m rpc: shows the fields an operation needs', async () => {
      const dialog = await editor.edit(id('Command'));
      const fields = { tip: '.lwm2m-rpc-command', value: '.lwm2m-rpc-value', args: '.lwm2m-rpc-args', keys: '.lwm2m-rpc-keys' };
      const shown = async (): Promise<string[]> => {
        const visible: string[] = [];
        for (const [name, selector] of Object.entries(fields)) if (await dialog.locator(selector).isVisible()) visible.push(name);
        return visible;
      };
      await editor.picture('lwm2m-rpc-message');
      assert.deepEqual(await shown(), ['tip', 'keys']);
      for (const [operation, expected] of [
        ['Read', ['keys']],
        ['Discover', []],
        ['WriteReplace', ['value']],
        ['WriteUpdate', ['value']],
        ['Execute', ['args']],
        ['Observe', ['keys']],
        ['ObserveCancel', []],
      ] as const) {
        await dialog.locator('#node-input-operation').selectOption(operation);
        assert.deepEqual(await shown(), expected, operation);
      }
      await dialog.locator('#node-input-operation').selectOption('WriteReplace');
      const paths = await editor.suggestions(dialog.locator('#node-input-path'), 'timezone');
      await paths.filter({ hasText: '/3/0/15' }).first().click();
      await editor.picture('lwm2m-rpc-write');
      await editor.done();
      assert.equal(await editor.property(id('Command'), 'operation'), 'WriteReplace');
      assert.equal(await editor.property(id('Command'), 'path'), '/3/0/15');
      assert.equal(await editor.property(id('Command'), 'valid'), true);
    });

    it('lwm2m device: refuses a port that is none', async () => {
      const dialog = await editor.edit(id('Simulated device'));
      await editor.picture('lwm2m-device');
      const port = await dialog.locator('#node-input-port').inputValue();
      await dialog.locator('#node-input-port').fill('70000');
      await dialog.locator('#node-input-name').click();
      await dialog.locator('#node-input-port.input-error').waitFor();
      await dialog.locator('#node-input-port').fill(port);
      await editor.done();
      assert.equal(await editor.property(id('Simulated device'), 'valid'), true);
    });

    it('lwm2m server: a table of devices', async () => {
      const dialog = await editor.editConfig('lwm2m-server', id('LwM2M server'));
      await dialog.locator('.lwm2m-devices .red-ui-editableList-addButton').click();
      const row = dialog.locator('#lwm2m-server-devices li').last();
      await row.locator('.lwm2m-device-endpoint').pressSequentially('meter-1');
      await row.locator('.lwm2m-device-name').fill('Cellar');
      await row.locator('.lwm2m-device-timeout').fill('5000');
      await dialog.locator('.lwm2m-devices .red-ui-editableList-addButton').click();
      await dialog.locator('#node-config-input-statsInterval').fill('0.5');
      await dialog.locator('#node-config-input-name').click();
      await dialog.locator('#node-config-input-statsInterval.input-error').waitFor();
      await dialog.locator('#node-config-input-statsInterval').fill('60');
      await dialog.locator('#node-config-input-devicesFile').fill('/data/devices.json');
      for (const name of ['observeAgain', 'transportLog']) {
        assert.equal(await dialog.locator(`#node-config-input-${name}`).isChecked(), true, name);
      }
      await dialog.locator('#node-config-input-observeAgain').uncheck();
      await editor.picture('lwm2m-server');
      await editor.done();
      assert.equal(await editor.property(id('LwM2M server'), 'statsInterval'), '60');
      assert.equal(await editor.property(id('LwM2M server'), 'devicesFile'), '/data/devices.json');
      assert.deepEqual(await editor.property(id('LwM2M server'), 'devices'), [
        { endpoint: 'meter-1', mode: 'none', name: 'Cellar', timeout: '5000' },
      ]);
      const again = await editor.editConfig('lwm2m-server', id('LwM2M server'));
      assert.equal(await again.locator('#lwm2m-server-devices li').count(), 1);
      assert.equal(await again.locator('#node-config-input-observeAgain').isChecked(), false);
      assert.equal(await again.locator('.lwm2m-device-endpoint').inputValue(), 'meter-1');
      assert.equal(await again.locator('#node-config-input-devicesFile').inputValue(), '/data/devices.json');
      // There is no such file, and the server is to run.
      await again.locator('#node-config-input-devicesFile').fill('');
      await editor.done();
    });

    it('lwm2m server: says which server has the port already', async () => {
      const { page } = editor;
      const dialog = await editor.edit(id('All devices'));
      await dialog.locator('#node-input-btn-server-add').click();
      const config = await editor.dialog();
      await config.locator('#node-config-input-port').fill(String(flow.find((node) => node.type === 'lwm2m-server')!['port']));
      await config.locator('#node-config-input-name').click();
      await page.locator('#node-config-input-port.input-error').waitFor();
      await config.locator('#node-config-input-host').fill('127.0.0.1, ::1');
      await config.locator('#node-config-input-name').click();
      await editor.picture('lwm2m-server-addresses');
      // The other one has all addresses.
      await page.locator('#node-config-input-port.input-error').waitFor();
      await editor.cancel();
      await editor.dialog();
      await editor.cancel();
    });

    it('deploys what was changed, and the device stays registered', async () => {
      await editor.deploy();
      await editor.badge(id('All devices'), /^1 device$/);
      await editor.badge(id('Simulated device'), /^registered$/);
      // Badges stay from before the Deploy until a node says something new: the server itself knows whether the device is back.
      await editor.registered(id('LwM2M server'), 'simulated-device');
      await editor.press(id('Read battery'));
      await editor.badge(id('Command'), /^CHANGED \d+ ms$/);
    });
  });

  it('shows the help of every node', async () => {
    for (const type of ['lwm2m-server', ...types]) {
      await editor.page.evaluate((name) => (window as any).RED.sidebar.help.show(name), type);
      await editor.page.locator('.red-ui-help h3').first().waitFor();
    }
    await editor.picture('help');
  });

  it('speaks German', async () => {
    const german = await editor.again({ locale: 'de-DE' });
    const dialog = await german.edit(id('Command'));
    const labels = (await dialog.locator('label').allTextContents()).map((label) => label.trim());
    for (const label of ['Gerät', 'Operation', 'Pfad', 'Zeitlimit', 'Fehler'])
      assert.ok(labels.includes(label), `${label} in ${labels.join(', ')}`);
    await german.picture('lwm2m-rpc-german');
    await german.cancel();
    await german.edit(id('All devices'));
    await german.picture('lwm2m-in-german');
    await german.cancel();
    await german.editConfig('lwm2m-server', id('LwM2M server'));
    await german.picture('lwm2m-server-german');
    await german.cancel();
    await german.badge(id('Simulated device'), /^angemeldet$/);
    assert.deepEqual(german.problems, []);
    await german.close();
  });

  it('is readable in a dark theme', async () => {
    const dark = await editor.again({ dark: true });
    for (const name of ['All devices', 'Command', 'Simulated device', 'LwM2M server']) {
      const { type } = flow.find((node) => node.name === name)!;
      const dialog = type === 'lwm2m-server' ? await dark.editConfig(type, id(name)) : await dark.edit(id(name));
      await dark.picture(`dark-${type}`);
      assert.deepEqual(await dark.unreadable(dialog), [], type);
      await dark.cancel();
    }
    assert.deepEqual(dark.problems, []);
    await dark.close();
  });

  it('made the browser complain about nothing', () => assert.deepEqual(editor.problems, []));

  it('made Node-RED complain about nothing', () =>
    assert.doesNotMatch(nodeRed.log(), /\[(error|warn)\].*lwm2m|UnhandledPromise|Uncaught/i));
});
