/** A Node-RED with its editor in a browser, from before the first test of a suite until after its last. */
import { setTimeout as delay } from 'node:timers/promises';
import { startNodeRed } from '../support/node-red';
import type { NodeRed } from '../support/node-red';
import { Editor, openBrowser } from './editor';

/** Of what Node-RED wrote, that much is shown when a test fails. Characters. */
const shownLog = 6_000;

/** A tab without a node of ours, for suites that import or make what they need. */
export const EMPTY_FLOW: readonly object[] = [
  { id: 'tab0', type: 'tab', label: 'Empty' },
  { id: 'c0', type: 'comment', z: 'tab0', name: 'Nothing here', x: 700, y: 500, wires: [] },
];

export interface EditorStart {
  readonly flow: readonly object[];
  /** A node of the flow; the editor is ready once it knows it. */
  readonly ready: string;
}

/**
 * Starts Node-RED and a browser for the tests of the `describe` this is called in, and ends both. `opened` gets them before the first
 * test. A test that fails leaves a picture, and tells what Node-RED wrote and what the badges of the flow said.
 */
export function withEditor(start: () => EditorStart | Promise<EditorStart>, opened: (editor: Editor, nodeRed: NodeRed) => void): void {
  let nodeRed: NodeRed | undefined;
  let browser: Awaited<ReturnType<typeof openBrowser>> | undefined;
  let editor: Editor | undefined;
  before(async () => {
    const { flow, ready } = await start();
    [nodeRed, browser] = await Promise.all([startNodeRed({ flow }), openBrowser()]);
    editor = await Editor.open(browser, { url: nodeRed.url, ready });
    opened(editor, nodeRed);
  });
  afterEach(async function () {
    if (!this.currentTest?.isFailed() || !editor) return;
    const title = this.currentTest.fullTitle();
    await editor.picture(`failed-${title.replaceAll(/\W+/g, '-')}`);
    const badges = await Promise.race([editor.badges().catch((error: unknown) => [String(error)]), delay(5_000, ['no answer'])]);
    console.log(`--- "${title}" failed. Node-RED wrote:\n${nodeRed?.log().slice(-shownLog)}`);
    console.log(`--- Badges: ${badges.join(', ')}. The browser's complaints: ${editor.problems.join(', ')}`);
  });
  after(async () => {
    await browser?.close();
    await nodeRed?.stop();
  });
}
