/** The examples of the commands: each comes through the Import dialog, is deployed, and its buttons are pressed. */
import { freeUdpPort } from '../support/node-red';
import { happens, type Editor } from './editor';
import { EMPTY_FLOW, withEditor } from './hooks';

/** What is pressed, and what the badge of the command says then. */
interface Step {
  /** What the debug sidebar has to show before. */
  readonly after?: RegExp;
  readonly button: string;
  readonly command: string;
  readonly result: RegExp;
  /** What the answer in the debug sidebar has in it. */
  readonly answer: RegExp;
}

const examples: Readonly<Record<string, readonly Step[]>> = {
  '02-read': [
    { button: 'Read battery', command: 'Battery level', result: /^CONTENT/, answer: /result: "CONTENT", value: \d+/ },
    { button: 'Read everything', command: 'Device by name', result: /^CONTENT/, answer: /result: "CONTENT", value: object/ },
    { button: 'Read by key', command: 'Battery by key', result: /^CONTENT/, answer: /result: "CONTENT", value: object/ },
    { button: 'Read as IoT Hub text', command: 'Battery as text', result: /^CONTENT/, answer: /LwM2mSingleResource \[id=9/ },
    { button: 'What is there?', command: 'List of objects', result: /^CONTENT/, answer: /value: array/ },
  ],
  '03-write': [
    { button: 'Timezone: Europe/Vienna', command: 'Write timezone', result: /^CHANGED/, answer: /result: "CHANGED"/ },
    { button: 'UTC offset and timezone', command: 'Write both', result: /^CHANGED/, answer: /result: "CHANGED"/ },
    { button: 'Binary data', command: 'Write data', result: /^CHANGED/, answer: /result: "CHANGED"/ },
    { button: 'Read back', command: 'Read device', result: /^CONTENT/, answer: /value: object/ },
    { button: 'Read data back', command: 'Read data', result: /^CONTENT/, answer: /value: object/ },
  ],
  '04-execute': [
    { button: 'Reset error code', command: 'Execute reset', result: /^CHANGED/, answer: /result: "CHANGED"/ },
    { button: 'Trigger an update', command: 'Execute trigger', result: /^CHANGED/, answer: /result: "CHANGED"/ },
    { button: 'Not executable', command: 'Execute a value', result: /^BAD_REQUEST/, answer: /result: "BAD_REQUEST"/ },
    { button: 'Reboot', command: 'Execute reboot', result: /^CHANGED/, answer: /result: "CHANGED"/ },
  ],
  '05-observe': [
    { button: 'Observe temperature', command: 'Observe', result: /^CONTENT/, answer: /value: -?[\d.]+/ },
    { button: 'What is observed?', command: 'List observations', result: /^CONTENT/, answer: /value: array/ },
    { button: 'Stop', command: 'Cancel', result: /^CONTENT/, answer: /value: 1/ },
    { button: 'Stop all', command: 'Cancel all', result: /^CONTENT/, answer: /value: 0/ },
  ],
  '06-composite': [
    { button: 'Read by path', command: 'Battery and server', result: /^CONTENT/, answer: /value: object/ },
    { button: 'Read by key', command: 'Battery and temperature', result: /^CONTENT/, answer: /value: object/ },
    { button: 'Write both', command: 'Timezone and period', result: /^CHANGED/, answer: /result: "CHANGED"/ },
    { button: 'One by one', command: 'Path by path', result: /^CONTENT/, answer: /value: object/ },
  ],
  '07-attributes': [
    { button: 'Set pmin and pmax', command: 'Write attributes', result: /^CHANGED/, answer: /result: "CHANGED"/ },
    { button: 'Look at them', command: 'Discover', result: /^CONTENT/, answer: /value: array/ },
    { button: 'Remove pmax', command: 'Remove attribute', result: /^CHANGED/, answer: /result: "CHANGED"/ },
    { button: 'Observe temperature', command: 'Observe', result: /^CONTENT/, answer: /value: -?[\d.]+/ },
  ],
  '08-queue': [
    { button: 'Read battery', after: /"sleeping"/, command: 'Battery level', result: /^queued 1$/, answer: /"sleeping"/ },
    { button: 'Timezone: Europe/Vienna', command: 'Write timezone', result: /^queued 1$/, answer: /"sleeping"/ },
    { button: 'Wait for a second only', command: 'With one second', result: /^EXPIRED$/, answer: /result: "EXPIRED"/ },
    { button: 'Wake the device', command: 'Battery level', result: /^CONTENT/, answer: /result: "CONTENT", value: \d+/ },
    { button: 'Wake the device', command: 'Write timezone', result: /^CHANGED/, answer: /result: "CHANGED"/ },
  ],
  '09-psk': [{ button: 'Read battery', command: 'Command', result: /^CONTENT/, answer: /result: "CONTENT", value: \d+/ }],
  '10-profile': [
    {
      button: 'Read by key',
      after: /manufacturer: "Node-RED LwM2M"/,
      command: 'By key',
      result: /^CONTENT/,
      answer: /latitude: [\d.]+|value: object/,
    },
  ],
};

describe('the examples of the commands', () => {
  for (const [name, steps] of Object.entries(examples)) {
    describe(name, () => {
      let editor: Editor;
      /** The id of the node with this name, once the editor has it. */
      const id = async (text: string): Promise<string> => {
        const found = await editor.page.waitForFunction((wanted) => {
          let node = '';
          (window as any).RED.nodes.eachNode((each: { id: string; name: string }) => {
            if (each.name === wanted) node = each.id;
          });
          return node;
        }, text);
        return found.jsonValue();
      };

      withEditor(
        () => ({ flow: EMPTY_FLOW, ready: 'c0' }),
        (opened) => {
          editor = opened;
        },
      );

      it('is imported and deployed, and its device registers', async () => {
        const { page } = editor;
        await page.evaluate(() => (window as any).RED.actions.invoke('core:show-examples-import-dialog'));
        const dialog = page.getByRole('dialog');
        const entry = dialog.locator('.red-ui-treeList-label').filter({ hasText: '@node-red-lwm2m/server' }).last();
        await entry.click();
        await entry.press('ArrowRight');
        const importing = dialog.getByRole('button', { name: 'Import' });
        // While the list is still opening, a click goes to where the entry was.
        for (let tries = 0; tries < 30; tries++) {
          await dialog.getByText(name).click();
          if (await happens(importing.click({ trial: true, timeout: 1_000 }))) break;
        }
        await importing.click();
        await dialog.waitFor({ state: 'hidden' });
        // The dialog is gone before the flow is there.
        const device = await id('Simulated device');
        // The port of the example may be taken on this machine.
        const ports = [await freeUdpPort(), await freeUdpPort()] as const;
        await page.evaluate(([plain, secure]) => {
          const { RED } = window as any;
          const change = (node: { type: string; port: number; securePort?: number; security?: string; changed: boolean }): void => {
            if (node.type !== 'lwm2m-server' && node.type !== 'lwm2m-device') return;
            node.port = node.security === 'psk' ? secure : plain;
            if (node.securePort) node.securePort = secure;
            node.changed = true;
          };
          RED.nodes.eachConfig(change);
          RED.nodes.eachNode(change);
          RED.nodes.dirty(true);
        }, ports);
        await editor.deploy();
        await page.evaluate((node) => {
          const { RED } = window as any;
          RED.workspaces.show(RED.nodes.node(node).z);
        }, device);
        await editor.badge(device, /^registered$/);
        await editor.picture(name);
      });

      for (const { button, after, command, result, answer } of steps) {
        it(`does what ${button} says`, async () => {
          const messages = await editor.showDebug();
          if (after) await messages.filter({ hasText: after }).last().waitFor({ state: 'attached' });
          await editor.press(await id(button));
          await editor.badge(await id(command), result);
          await messages.filter({ hasText: answer }).last().waitFor({ state: 'attached' });
        });
      }
    });
  }
});
