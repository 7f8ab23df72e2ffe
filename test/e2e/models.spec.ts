/** Object definition files in the dialog of the server: uploaded, used, listed, deleted. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { freeUdpPort } from '../support/node-red';
import type { NodeRed } from '../support/node-red';
import { TinyPeer } from '../unit/index/tiny-peer';
import { ddf } from '../unit/models/files';
import type { Editor } from './editor';
import { withEditor } from './hooks';

const xml = (name: string, text: string): { name: string; mimeType: string; buffer: Buffer } => ({
  name,
  mimeType: 'text/xml',
  buffer: Buffer.from(text),
});
const tank = ddf(33333, 'Oil Tank', { resource: 'Fill Level' });

/** Commands come in by HTTP; the answer has everything the node says. */
function flow(port: number): object[] {
  return [
    { id: 'tab', type: 'tab', label: 'models' },
    { id: 'server', type: 'lwm2m-server', name: 'Server', port, unknownDevices: 'accept-without-security', version: 1 },
    { id: 'http', type: 'http in', z: 'tab', url: '/rpc', method: 'post', x: 100, y: 60, wires: [['rpc']] },
    { id: 'rpc', type: 'lwm2m-rpc', z: 'tab', server: 'server', endpoint: 'tank-1', x: 300, y: 60, version: 1, wires: [['all']] },
    {
      id: 'all',
      type: 'function',
      z: 'tab',
      func: 'msg.payload = { ...msg.payload, lwm2m: msg.lwm2m }; return msg;',
      outputs: 1,
      x: 500,
      y: 60,
      wires: [['response']],
    },
    { id: 'response', type: 'http response', z: 'tab', x: 700, y: 60, wires: [] },
  ];
}

describe('object definitions in the editor', () => {
  let nodeRed: NodeRed;
  let peer: TinyPeer | undefined;
  let port = 0;
  let editor: Editor;
  const folder = (...inner: string[]): string => path.join(nodeRed.dir, 'lwm2m/models', ...inner);
  const filesIn = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir).filter((name) => name.endsWith('.xml')) : []);
  const row = (dialog: Locator, file: string): Locator => dialog.locator(`.lwm2m-model[data-file="${file}"]`);
  const status = (dialog: Locator, text: RegExp): Promise<void> =>
    dialog.locator('#lwm2m-server-models-status').filter({ hasText: text }).waitFor({ timeout: 60_000 });

  /** What `lwm2m rpc` says of a value that the device gives as the text 42. */
  async function read(): Promise<{ value: unknown; lwm2m: Record<string, unknown> & { warnings: string[] } }> {
    const asked = fetch(`${nodeRed.url}rpc`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"method":"Read","params":{"id":"/33333/0/0"}}',
    });
    const answer = asked.then((response) => response.json());
    const request = await Promise.race([
      peer!.next(),
      answer.then((said) => assert.fail(`answered without the device: ${JSON.stringify(said)}`)),
    ]);
    peer!.answer(request, '2.05', '42');
    return (await answer) as Awaited<ReturnType<typeof read>>;
  }

  withEditor(
    async () => {
      port = await freeUdpPort();
      return { flow: flow(port), ready: 'rpc' };
    },
    (opened, started) => {
      editor = opened;
      nodeRed = started;
    },
  );
  before(async () => {
    peer = await TinyPeer.open(port);
    await peer.register('tank-1', '</3/0>,</33333/0>');
  });
  after(() => peer?.close());

  it('without one, a value has the type that the format tells, and a warning says where definitions are', async () => {
    const { value, lwm2m } = await read();
    assert.equal(value, '42');
    assert.equal(lwm2m['resource'], undefined);
    assert.match(lwm2m.warnings.join(), /No definition of object 33333 is known/);
  });

  it('are uploaded, several at once, and used without Deploy', async () => {
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    await dialog.locator('#lwm2m-server-models-list').filter({ hasText: 'None of your own' }).waitFor();
    const [chooser] = await Promise.all([
      editor.page.waitForEvent('filechooser'),
      dialog.getByRole('button', { name: 'add XML files' }).click(),
    ]);
    assert.equal(chooser.isMultiple(), true);
    assert.equal(await dialog.locator('#lwm2m-server-models-files').isVisible(), false);
    await dialog
      .locator('#lwm2m-server-models-files')
      .setInputFiles([
        xml('any name.xml', tank),
        xml('broken.xml', '<LWM2M>\n<Object a=1></LWM2M>'),
        xml('../../pump.xml', ddf(33334, 'Pump')),
      ]);
    await status(dialog, /^2 added, 1 refused\.$/);
    assert.match(String(await row(dialog, '33333-1.0.xml').textContent()), /33333 Oil Tank 1\.0.*for this server/);
    assert.match(String(await dialog.locator('.lwm2m-model-refused').textContent()), /broken\.xml.*line 2: this is not well-formed XML/);
    await editor.picture('models');
    assert.deepEqual(filesIn(folder('server')), ['33333-1.0.xml', '33334-1.0.xml']);

    const { value, lwm2m } = await read();
    assert.equal(value, 42);
    assert.deepEqual([lwm2m['object'], lwm2m['resource'], lwm2m['type'], lwm2m['unit']], ['Oil Tank', 'Fill Level', 'integer', '%']);
    assert.deepEqual(lwm2m.warnings, []);

    await dialog.locator('#node-config-input-name').fill('Renamed');
    await editor.done();
    await editor.deploy();
    await editor.registered('server', 'tank-1');
    assert.equal((await read()).value, 42);
    const rpc = await editor.edit('rpc');
    const offered = await editor.suggestions(rpc.locator('#node-input-path'), 'fill level');
    await offered.filter({ hasText: '/33333/0/0' }).filter({ hasText: 'Oil Tank: Fill Level (%)' }).waitFor();
    await editor.cancel();
    assert.doesNotMatch(readFileSync(path.join(nodeRed.dir, 'flows.json'), 'utf8'), /Oil Tank|LWM2M>/);
  });

  it('are dropped onto the list, for all servers; those of the server win', async () => {
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    await dialog.locator('#lwm2m-server-models-scope').selectOption('all');
    const data = await editor.page.evaluateHandle(
      (text) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([text], 'tank.xml', { type: 'text/xml' }));
        return transfer;
      },
      ddf(33333, 'Other Tank', { type: 'Float' }),
    );
    const zone = dialog.locator('#lwm2m-server-models');
    await zone.dispatchEvent('dragover', { dataTransfer: data });
    assert.match(String(await zone.getAttribute('class')), /lwm2m-drop/);
    await zone.dispatchEvent('drop', { dataTransfer: data });
    await status(dialog, /^1 added\.$/);
    assert.deepEqual(filesIn(folder()), ['33333-1.0.xml']);
    assert.equal((await read()).lwm2m['object'], 'Oil Tank');
    await editor.cancel();
  });

  it('are deleted by keyboard, once asked again; then those for all servers show', async () => {
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    const own = row(dialog, '33333-1.0.xml').filter({ hasText: 'for this server' });
    const button = own.getByRole('button', { name: 'Delete 33333-1.0.xml' });
    await button.focus();
    await editor.page.keyboard.press('Enter');
    await own.getByText('delete?').waitFor();
    assert.deepEqual(filesIn(folder('server')), ['33333-1.0.xml', '33334-1.0.xml']);
    await editor.page.keyboard.press('Tab');
    await own.locator('.fa-trash').waitFor();
    await button.focus();
    await editor.page.keyboard.press('Enter');
    await editor.page.keyboard.press('Enter');
    await status(dialog, /33333-1\.0\.xml deleted/);
    assert.deepEqual(filesIn(folder('server')), ['33334-1.0.xml']);
    const { lwm2m } = await read();
    assert.deepEqual([lwm2m['object'], lwm2m['type']], ['Other Tank', 'float']);
    await editor.cancel();
  });

  it('are uploaded for a server that was never deployed', async () => {
    await editor.page.evaluate(() => (window as any).RED.editor.editConfig('', 'lwm2m-server', '_ADD_'));
    const dialog = await editor.dialog();
    await dialog.locator('#lwm2m-server-models-files').setInputFiles([xml('tank.xml', tank)]);
    await status(dialog, /^1 added\.$/);
    await dialog.locator('#node-config-input-name').fill('New one');
    await dialog.locator('#node-config-input-port').fill('0');
    await editor.done();
    const id = await editor.page.evaluate(() => {
      let found = '';
      (window as any).RED.nodes.eachConfig((node: any) => {
        if (node.name === 'New one') found = node.id as string;
      });
      return found;
    });
    assert.deepEqual(filesIn(folder(id)), ['33333-1.0.xml']);
  });

  it('take effect when a file is put into the folder by hand, and tell in the log what is wrong with it', async () => {
    const { writeFile } = await import('node:fs/promises');
    await writeFile(folder('by hand.xml'), '<LWM2M>\n<Device/></LWM2M>');
    await nodeRed.waitFor(/The object definition file by hand\.xml is not used\. Line 2: <LWM2M> has <Device> in it/);
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    assert.match(String(await row(dialog, 'by hand.xml').textContent()), /line 2/);
    await editor.cancel();
  });

  it('speak German, and are readable in a dark theme', async () => {
    const german = await editor.again({ locale: 'de-DE', dark: true });
    const dialog = await german.editConfig('lwm2m-server', 'server');
    await dialog.getByText('XML-Dateien hinzufügen').waitFor();
    await row(dialog, '33334-1.0.xml').getByText('für diesen Server').waitFor();
    await german.picture('models-german-dark');
    assert.deepEqual(await german.unreadable(dialog), []);
    await german.cancel();
    assert.deepEqual(german.problems, []);
    await german.close();
  });

  it('of the whole OMA registry are uploaded at once', async function () {
    const data = process.env['LWM2M_SHARED_DATA'];
    const registry = data === undefined ? '' : path.join(data, 'lwm2m-registry');
    if (!existsSync(registry) || registry === '') {
      console.warn('      SKIPPED: the registry is not here; set LWM2M_SHARED_DATA to the folder that has lwm2m-registry/');
      this.skip();
      return;
    }
    const files = readdirSync(registry).filter((name) => name.endsWith('.xml'));
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    await dialog.locator('#lwm2m-server-models-scope').selectOption('all');
    await dialog.locator('#lwm2m-server-models-files').setInputFiles(files.map((name) => path.join(registry, name)));
    await status(dialog, /^\d+ of \d+ …$/);
    await status(dialog, new RegExp(`^${files.length - 3} added, 3 refused\\.$`));
    assert.deepEqual(
      (await dialog.locator('.lwm2m-model-refused').allTextContents()).map((text) => /^\w+\.xml/.exec(text)?.[0]),
      ['Common.xml', 'DDF.xml', 'LWM2M_senml_units.xml'],
    );
    await editor.picture('models-registry');
    assert.equal(filesIn(folder()).length, files.length - 3 + 2);
    await editor.cancel();
  });

  it('made the browser complain about nothing but the refused files', () => {
    const unexpected = editor.problems.filter((problem) => !/^422 .*\/models\/(own|all)$|status of 422/.test(problem));
    assert.deepEqual(unexpected, []);
  });
});
