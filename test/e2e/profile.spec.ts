/** A device profile made through the dialogs alone: objects 3 to 6 of the simulated device as attributes and telemetry. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { freeUdpPort, packageRoot } from '../support/node-red';
import type { NodeRed } from '../support/node-red';
import { happens, type Editor } from './editor';
import { EMPTY_FLOW, withEditor } from './hooks';

interface ResourceEntry {
  readonly path: string;
  readonly key: string;
  readonly telemetry?: boolean;
  readonly attribute?: boolean;
  readonly observe?: boolean;
}
interface ProfileNode {
  readonly type: string;
  readonly definition: {
    readonly resources: readonly ResourceEntry[];
    readonly attributes: Readonly<Record<string, Record<string, number>>>;
  };
}

const example = JSON.parse(readFileSync(path.join(packageRoot, 'examples/10-profile.json'), 'utf8')) as ProfileNode[];
const { definition } = example.find(({ type }) => type === 'lwm2m-profile')!;
const hub = {
  observeAttr: {
    observe: ['/3_1.1/0/9'],
    attribute: ['/3_1.1/0/0'],
    telemetry: ['/3_1.1/0/9'],
    keyName: { '/3_1.1/0/9': 'level', '/3_1.1/0/0': 'maker' },
    attributeLwm2m: { '/3_1.1/0/9': { pmin: 1 } },
    initAttrTelAsObsStrategy: false,
    observeStrategy: 'COMPOSITE_ALL',
  },
  bootstrap: [],
  clientLwM2mSettings: { fwUpdateStrategy: 1 },
  type: 'LWM2M',
};

describe('a device profile in the editor', () => {
  let nodeRed: NodeRed;
  let editor: Editor;
  let port: number;
  let server = '';
  let profile = '';

  /** Drags a node from the palette into the flow; its id. */
  async function add(type: string, x: number, y: number): Promise<string> {
    const { page } = editor;
    const search = page.locator('#red-ui-palette-search input');
    const ids = (): Promise<string[]> =>
      page.evaluate(() => {
        const found: string[] = [];
        (window as any).RED.nodes.eachNode((node: { id: string }) => found.push(node.id));
        return found;
      });
    const known = await ids();
    const dragged = page.locator('.ui-draggable-dragging');
    const entry = page.locator(`.red-ui-palette-node[data-palette-type="${type}"]:not(.ui-draggable-dragging)`);
    const chart = (await page.locator('#red-ui-workspace-chart').boundingBox())!;
    // While the palette still moves, the mouse takes hold of nothing, and a category that was closing stays closed.
    for (let tries = 0; tries < 30; tries++) {
      await search.fill('');
      await search.pressSequentially(type.replace('lwm2m-', 'lwm2m '));
      if (!(await happens(entry.hover({ timeout: 2_000 })))) continue;
      await page.mouse.down();
      await page.mouse.move(chart.x + x / 2, chart.y + y, { steps: 5 });
      await page.mouse.move(chart.x + x, chart.y + y, { steps: 5 });
      await page.mouse.up();
      await dragged.waitFor({ state: 'detached' });
      const added = (await ids()).find((id) => !known.includes(id));
      if (added !== undefined) return added;
    }
    throw new Error(`${type} cannot be dragged into the flow`);
  }

  async function wire(from: string, to: string): Promise<void> {
    const { page } = editor;
    const centre = async (port: Locator): Promise<[number, number]> => {
      const box = (await port.boundingBox())!;
      return [box.x + box.width / 2, box.y + box.height / 2];
    };
    await page.mouse.move(...(await centre(editor.node(from).locator('.red-ui-flow-port-output .red-ui-flow-port').first())));
    await page.mouse.down();
    const end = await centre(editor.node(to).locator('.red-ui-flow-port-input .red-ui-flow-port').first());
    await page.mouse.move(end[0] - 20, end[1], { steps: 4 });
    await page.mouse.move(...end, { steps: 4 });
    await page.mouse.up();
  }

  const config = (type: string, name: string): Promise<string> =>
    editor.page.evaluate(
      ([wanted, named]) => {
        let id = '';
        (window as any).RED.nodes.eachConfig((node: { id: string; type: string; name: string }) => {
          if (node.type === wanted && node.name === named) id = node.id;
        });
        return id;
      },
      [type, name] as const,
    );
  const list = (dialog: Locator, name: string): Locator => dialog.locator(`#lwm2m-profile-${name}`);
  /** Adds a row to a list; the fields of the row. */
  async function addRow(dialog: Locator, name: string): Promise<Locator> {
    const $list = list(dialog, name);
    await $list
      .locator('xpath=ancestor::div[contains(@class,"red-ui-editableList")][1]/..')
      .locator('.red-ui-editableList-addButton')
      .first()
      .click();
    return $list.locator('> li').last();
  }
  const answer = (dialog: Locator, text: RegExp): Promise<void> =>
    dialog.locator('#lwm2m-profile-answer').filter({ hasText: text }).waitFor({ timeout: 30_000 });

  withEditor(
    async () => {
      port = await freeUdpPort();
      return { flow: EMPTY_FLOW, ready: 'c0' };
    },
    (opened, started) => {
      editor = opened;
      nodeRed = started;
    },
  );

  it('gets a server, a device, and a node for its values', async () => {
    const incoming = await add('lwm2m-in', 200, 100);
    const debug = await add('debug', 500, 100);
    await wire(incoming, debug);
    const device = await add('lwm2m-device', 200, 200);

    const dialog = await editor.edit(incoming);
    await dialog.locator('#node-input-btn-server-add').click();
    const added = await editor.dialog();
    assert.equal(await added.locator('#lwm2m-server-profiles-add').isDisabled(), true, 'the server is not there yet');
    await added.locator('#node-config-input-name').fill('Server');
    await added.locator('#node-config-input-port').fill(String(port));
    await added.locator('#node-config-input-securePort').fill('');
    await added.locator('#node-config-input-unknownDevices').selectOption('accept-without-security');
    await editor.done();
    await editor.dialog();
    await dialog.locator('#lwm2m-in-none').click();
    await dialog.getByLabel('telemetry', { exact: true }).check();
    await dialog.getByLabel('attributes', { exact: true }).check();
    await editor.done();
    assert.deepEqual(await editor.property(incoming, 'events'), ['telemetry', 'attributes']);

    const simulated = await editor.edit(device);
    await simulated.locator('#node-input-name').fill('Simulated device');
    await simulated.locator('#node-input-endpoint').fill('profiled-device');
    await simulated.locator('#node-input-port').fill(String(port));
    await editor.done();
    server = await config('lwm2m-server', 'Server');
    assert.notEqual(server, '');
  });

  it('is made in the dialog of the server, row by row', async () => {
    await editor.editConfig('lwm2m-server', server);
    await editor.page.locator('#lwm2m-server-profiles-add').click();
    const dialog = await editor.dialog();
    assert.equal(await dialog.locator('#node-config-input-server').inputValue(), server);
    await dialog.locator('#node-config-input-name').fill('Tracker');
    await dialog.locator('#node-config-input-endpoints').fill('profiled-*');
    for (const { path: resource, key, ...flags } of definition.resources) {
      const row = await addRow(dialog, 'resources');
      await row.locator('.lwm2m-profile-path').fill(resource);
      if (key !== 'manufacturer') await row.locator('.lwm2m-profile-key').fill(key);
      for (const [flag, on] of Object.entries(flags)) if (on) await row.locator(`input.lwm2m-profile-${flag}`).check();
      const values = Object.entries(definition.attributes[resource] ?? {});
      if (values.length > 0) await row.locator('.lwm2m-profile-open').press('Enter');
      for (const [name, value] of values) await row.locator(`.lwm2m-profile-${name}`).fill(String(value));
    }
    for (const [place, values] of Object.entries(definition.attributes)) {
      if (definition.resources.some((each) => each.path === place)) continue;
      const row = await addRow(dialog, 'attributes');
      await row.locator('.lwm2m-profile-path').fill(place);
      for (const [name, value] of Object.entries(values)) await row.locator(`.lwm2m-profile-${name}`).fill(String(value));
    }
    // What a path is called, and the key that a blank field stands for.
    const first = list(dialog, 'resources').locator('> li').first();
    await first.locator('.lwm2m-profile-name').filter({ hasText: 'Device: Manufacturer' }).waitFor();
    assert.equal(await first.locator('.lwm2m-profile-key').getAttribute('placeholder'), 'manufacturer');
    await editor.picture('lwm2m-profile');
    await editor.done();
    await editor.dialog();
    const form = await editor.dialog();
    await form.locator('.lwm2m-server-profile').filter({ hasText: 'Tracker' }).waitFor();
    // A device can ask for it by name, too.
    await form.locator('.lwm2m-devices .red-ui-editableList-addButton').click();
    const device = form.locator('#lwm2m-server-devices li').last();
    await device.locator('.lwm2m-device-endpoint').fill('other-device');
    await (await editor.suggestions(device.locator('.lwm2m-device-profile'), 'track')).filter({ hasText: 'Tracker' }).click();
    await editor.done();
    assert.deepEqual(await editor.property(server, 'devices'), [
      { endpoint: 'other-device', mode: 'none', name: '', timeout: '', profile: 'Tracker' },
    ]);
    profile = await config('lwm2m-profile', 'Tracker');
    const made = (await editor.property(profile, 'definition')) as Record<string, unknown>;
    const resources = definition.resources.map(({ key, ...entry }) => (key === 'manufacturer' ? entry : { key, ...entry }));
    assert.deepEqual(made['resources'], resources);
    assert.deepEqual(made['attributes'], definition.attributes);
    assert.equal(made['transportLog'], true);
    assert.equal(await editor.property(profile, 'valid'), true);
  });

  it('brings the values of the simulated device under its keys', async () => {
    await editor.deploy();
    const messages = await editor.showDebug();
    for (const key of ['manufacturer: "Node-RED LwM2M"', 'modelNumber: "Simulated Device"', 'serialNumber: "SIM-']) {
      await messages.filter({ hasText: key }).first().waitFor({ state: 'attached', timeout: 30_000 });
    }
    for (const key of ['radioSignalStrength', 'linkQuality', 'firmwareState', 'latitude', 'longitude', 'transportLog']) {
      await messages
        .filter({ hasText: `${key}: ` })
        .first()
        .waitFor({ state: 'attached', timeout: 30_000 });
    }
    await messages.filter({ hasText: 'profiled-device/attributes' }).first().waitFor({ state: 'attached' });
    await messages.filter({ hasText: 'profiled-device/telemetry' }).first().waitFor({ state: 'attached' });
    await editor.picture('lwm2m-profile-values');
  });

  it('says in words what is wrong in a row', async () => {
    const dialog = await editor.editConfig('lwm2m-profile', profile);
    const row = await addRow(dialog, 'resources');
    await row.locator('.lwm2m-profile-path').fill('/3/0');
    await row.locator('.lwm2m-profile-problem').filter({ hasText: '/3/0 is no resource' }).waitFor();
    await row.locator('.lwm2m-profile-path').fill('/3/0/4');
    await row.locator('.lwm2m-profile-name').filter({ hasText: 'Device: Reboot, which cannot be read' }).waitFor();
    await row.locator('.lwm2m-profile-path').fill('/3/0/9');
    await row.locator('.lwm2m-profile-open').click();
    await row.locator('.lwm2m-profile-pmin').fill('0.5');
    await row.locator('.lwm2m-profile-problem').filter({ hasText: 'pmin is a whole number' }).waitFor();
    await editor.cancel();
  });

  it('learns what the device has, keeps what is there, and shows what it would send', async () => {
    const dialog = await editor.editConfig('lwm2m-profile', profile);
    await dialog.locator('#lwm2m-profile-learn').click();
    await answer(dialog, /Choose a registered device/);
    const found = await editor.suggestions(dialog.locator('#lwm2m-profile-device'), 'prof');
    await found.filter({ hasText: 'profiled-device' }).click();
    await dialog.locator('#lwm2m-profile-learn').click();
    await answer(dialog, /\d+ resources added/);
    const rows = list(dialog, 'resources').locator('> li');
    assert.ok((await rows.count()) > definition.resources.length);
    assert.equal(await rows.nth(3).locator('.lwm2m-profile-key').inputValue(), 'radioSignalStrength');
    assert.ok((await list(dialog, 'resources').locator('.lwm2m-profile-problem').allTextContents()).every((text) => text === ''));
    await dialog.locator('#lwm2m-profile-preview').click();
    await answer(dialog, /Observe.*\/4\/0\/2/);
    await editor.picture('lwm2m-profile-preview');
    await editor.cancel();
  });

  it('exports the profile of an IoT Hub, and imports one', async () => {
    const dialog = await editor.editConfig('lwm2m-profile', profile);
    await dialog.locator('#lwm2m-profile-export').click();
    const box = dialog.locator('.lwm2m-profile-json');
    await box.waitFor();
    const exported = JSON.parse(await box.inputValue()) as typeof hub;
    assert.equal(exported.observeAttr.keyName[Object.keys(exported.observeAttr.keyName)[0] as never], 'manufacturer');
    assert.equal(exported.observeAttr.observe.length, 5);
    const downloading = editor.page.waitForEvent('download');
    await dialog.locator('#lwm2m-profile-download').click();
    assert.equal((await downloading).suggestedFilename(), 'Tracker.json');

    await dialog.locator('#lwm2m-profile-import').click();
    await box.fill('{"a":1}');
    await dialog.locator('#lwm2m-profile-take').click();
    await answer(dialog, /observeAttr/);
    await box.fill(JSON.stringify(hub));
    await dialog.locator('#lwm2m-profile-take').click();
    await answer(dialog, /2 resources imported[\s\S]*fwUpdateStrategy/);
    assert.equal(await list(dialog, 'resources').locator('> li').count(), 2);
    assert.equal(await dialog.locator('#lwm2m-profile-strategy').inputValue(), 'composite');
    await editor.picture('lwm2m-profile-import');
    await editor.done();
    assert.deepEqual(await editor.property(profile, 'kept'), hub);

    const again = await editor.editConfig('lwm2m-profile', profile);
    await again.locator('#lwm2m-profile-export').click();
    await again.locator('.lwm2m-profile-json').waitFor();
    assert.deepEqual(JSON.parse(await again.locator('.lwm2m-profile-json').inputValue()), hub);
    await editor.cancel();
  });

  it('of another shape counts at the next Deploy, and the device stays registered', async () => {
    await editor.deploy();
    const messages = await editor.showDebug();
    await messages.filter({ hasText: 'level: ' }).first().waitFor({ state: 'attached', timeout: 30_000 });
    await messages.filter({ hasText: 'maker: "Node-RED LwM2M"' }).first().waitFor({ state: 'attached', timeout: 30_000 });
  });

  it('speaks German, and is readable in a dark theme', async () => {
    const german = await editor.again({ locale: 'de-DE', dark: true });
    const dialog = await german.editConfig('lwm2m-profile', profile);
    await dialog.getByRole('button', { name: 'Vom Gerät lernen' }).waitFor();
    const labels = (await dialog.locator('label').allTextContents()).map((label) => label.trim());
    for (const label of ['Geräte', 'Ressourcen', 'Telemetrie', 'Beobachten'])
      assert.ok(labels.includes(label), `${label} in ${labels.join(', ')}`);
    // What an import says, too.
    await dialog.locator('#lwm2m-profile-import').click();
    await dialog.locator('textarea.lwm2m-profile-json').fill('{"a":1}');
    await dialog.locator('#lwm2m-profile-take').click();
    await answer(dialog, /Ihm fehlt „observeAttr“/);
    await dialog
      .locator('textarea.lwm2m-profile-json')
      .fill(JSON.stringify({ observeAttr: { telemetry: ['/3_1.2/0/9'], attributeLwm2m: { '/3_1.2/0/9': { pmin: 5 } } } }));
    await dialog.locator('#lwm2m-profile-take').click();
    const said = dialog.locator('#lwm2m-profile-answer');
    await said.filter({ hasText: 'importiert' }).waitFor();
    assert.match(String(await said.textContent()), /Attribute werden geschrieben, bevor etwas beobachtet wird, nicht danach\./);
    assert.deepEqual(await german.unreadable(dialog), []);
    await german.picture('dark-lwm2m-profile-german');
    await german.cancel();
    assert.deepEqual(german.problems, []);
    await german.close();
  });

  it('made the browser complain about nothing', () => assert.deepEqual(editor.problems, []));

  it('made Node-RED complain about nothing', () =>
    assert.doesNotMatch(nodeRed.log(), /\[(error|warn)\].*lwm2m|UnhandledPromise|Uncaught/i));
});
