/** The command box in the dialog of lwm2m-rpc, over a simulated device. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { freeUdpPort, packageRoot } from '../support/node-red';
import type { Editor } from './editor';
import { withEditor } from './hooks';

type FlowNode = Record<string, unknown> & { id: string; type: string; name?: string };

/** As the document of the commands names them. */
const commands = [
  ...['Read', 'ReadComposite', 'Discover', 'DiscoverAll', 'WriteReplace', 'WriteUpdate', 'WriteComposite', 'WriteAttributes', 'Execute'],
  ...['Create', 'Delete', 'Observe', 'ObserveComposite', 'ObserveCancel', 'ObserveCompositeCancel', 'ObserveCancelAll', 'ObserveReadAll'],
  'UpdateAttributes',
];

describe('the command box of the lwm2m-rpc dialog', () => {
  let editor: Editor;
  let dialog: Locator;
  let flow: FlowNode[];
  const id = (name: string): string => flow.find((node) => node.name === name)!.id;

  withEditor(
    async () => {
      const port = await freeUdpPort();
      const example = JSON.parse(readFileSync(path.join(packageRoot, 'examples/01-first-device.json'), 'utf8')) as FlowNode[];
      flow = example.map((node) => ('port' in node ? { ...node, port } : node));
      return { flow, ready: id('Command') };
    },
    (opened) => {
      editor = opened;
    },
  );
  before(async () => {
    await editor.badge(id('Simulated device'), /^registered$/);
    dialog = await editor.edit(id('Command'));
    await dialog.locator('#node-input-endpoint').fill('simulated-device');
  });

  /** Sends a command with Enter, or the button, and gives what is shown once that has these words in it. */
  async function answerTo(command: string, words: RegExp, by: 'Enter' | 'button' = 'Enter'): Promise<string> {
    await dialog.locator('#lwm2m-rpc-try').fill(command);
    if (by === 'Enter') await dialog.locator('#lwm2m-rpc-try').press('Enter');
    else await dialog.locator('#lwm2m-rpc-try-send').click();
    const answer = dialog.locator('#lwm2m-rpc-try-answer').filter({ hasText: words });
    await answer.waitFor({ state: 'visible' });
    return (await answer.textContent()) ?? '';
  }

  it('lists every command with "help"', async () => {
    const lines = (await answerTo('help', /^Read /)).split('\n');
    assert.deepEqual(lines.map((line) => line.split(' ')[0]).sort(), [...commands].sort());
    await editor.picture('try-it-help');
  });

  it('takes an empty box for "help"', async () => {
    await answerTo('Read {"id":"/3/0/0"}', /"CONTENT"/);
    await answerTo('', /ObserveReadAll/, 'button');
  });

  it('asks the device of the dialog, by Enter and by the button, and the dialog stays open', async () => {
    const read = JSON.parse(await answerTo('Read {"id":"/3/0/9"}', /"CONTENT"/)) as { value: unknown };
    assert.equal(typeof read.value, 'number');
    await answerTo('WriteReplace {"id":"/3/0/15","value":"Europe/Vienna"}', /"CHANGED"/, 'button');
    await answerTo('read {"id":"3/0/15"}', /Europe\/Vienna/);
    assert.equal(await dialog.isVisible(), true);
  });

  it('says what is wrong with a command', async () => {
    const answer = JSON.parse(await answerTo('Reed {"id":"/3/0/9"}', /Reed/)) as { result: string; error?: unknown };
    assert.notEqual(answer.result, 'CONTENT');
    await answerTo('Read {"id":"/3/0/9"', /BAD_REQUEST/);
  });

  it('answers in the form that the dialog says', async () => {
    await dialog.locator('#node-input-answers').selectOption('iot-hub');
    await answerTo('Read {"id":"/3/0/9"}', /LwM2mSingleResource \[id=9, value=\d+, type=INTEGER\]/);
    await dialog.locator('#node-input-answers').selectOption('values');
  });

  it('names a device that is not there', async () => {
    await dialog.locator('#node-input-endpoint').fill('nobody');
    await answerTo('Read {"id":"/3/0/9"}', /nobody/);
    await editor.cancel();
  });
});
