/** A browser on the editor of a real Node-RED, and what the tests do there again and again. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, Locator, Page } from 'playwright-core';
import { packageRoot } from '../support/node-red';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** With E2E_SHOTS=1 every picture a test takes is kept here. */
const pictures = path.join(packageRoot, 'test/e2e/.shots');
/** A test that waits for something that does not come says what it was, before mocha's own limit. Milliseconds. */
const actionLimit = 60_000;
const quiet = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export async function openBrowser(): Promise<Browser> {
  assert.ok(existsSync(executablePath), `no Chromium at ${executablePath}: install it, or set CHROMIUM to its path`);
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] });
}

/** Whether a wait came to its end, and not its limit. */
export async function happens(wait: Promise<unknown>): Promise<boolean> {
  return wait.then(
    () => true,
    () => false,
  );
}

export interface EditorOptions {
  url: string;
  locale?: string;
  /** A node of the flow; the editor is ready once it knows it. */
  ready: string;
  /** Node-RED 5 has a dark theme of its own; on Node-RED 4 this makes one of the light theme. */
  dark?: boolean;
}

/** One page with the editor. */
export class Editor {
  /** Whatever the browser complained about: exceptions, console errors, answers of 400 and more. */
  readonly problems: string[] = [];

  private constructor(
    readonly page: Page,
    private readonly options: EditorOptions,
  ) {
    page.on('pageerror', (error) => this.problems.push(`exception: ${String(error)}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.problems.push(`console: ${message.text()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) this.problems.push(`${response.status()} ${response.url()}`);
    });
  }

  static async open(browser: Browser, options: EditorOptions): Promise<Editor> {
    const { url, locale = 'en-US', ready, dark = false } = options;
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, locale });
    context.setDefaultTimeout(actionLimit);
    // The compiler of the tests wraps functions in this helper, also those that run in the page.
    await context.addInitScript('globalThis.__name = (wrapped) => wrapped');
    if (dark) await context.addInitScript("localStorage.setItem('view-dark-theme', 'dark')");
    const editor = new Editor(await context.newPage(), options);
    await editor.page.goto(url);
    // The spinner is hidden before it is first shown, so only a node that is there tells that the editor is.
    await editor.page.waitForFunction((id) => Boolean((window as any).RED?.nodes?.node?.(id)), ready);
    await editor.page.locator('#red-ui-loading-progress').waitFor({ state: 'hidden' });
    if (dark) await editor.darken();
    return editor;
  }

  /** The same Node-RED in another page; close it when done. */
  again(other: Pick<EditorOptions, 'locale' | 'dark'>): Promise<Editor> {
    return Editor.open(this.page.context().browser()!, { ...this.options, ...other });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  node(id: string): Locator {
    return this.page.locator(`[id="${id}"]`);
  }

  /** Waits until the badge of a node reads like this. */
  async badge(id: string, text: RegExp): Promise<void> {
    await this.node(id).locator('.red-ui-flow-node-status-label').filter({ hasText: text }).waitFor({ state: 'attached' });
  }

  /** What the badges in the flow say now. */
  badges(): Promise<string[]> {
    return this.page.locator('.red-ui-flow-node-status-label').allTextContents();
  }

  /** Presses the button of an Inject node. */
  async press(id: string): Promise<void> {
    const answered = this.page.waitForResponse((response) => response.url().includes(`/inject/${id}`));
    await this.node(id).locator('.red-ui-flow-node-button-button').click();
    await answered;
  }

  /** Opens the dialog of a node. */
  async edit(id: string): Promise<Locator> {
    await this.page.evaluate((node) => {
      const { RED } = window as any;
      RED.editor.edit(RED.nodes.node(node));
    }, id);
    return this.dialog();
  }

  /** Opens the dialog of a configuration node. */
  async editConfig(type: string, id: string): Promise<Locator> {
    await this.page.evaluate(([name, node]) => (window as any).RED.editor.editConfig('', name, node), [type, id] as const);
    return this.dialog();
  }

  /** The top dialog, once it has slid in. */
  async dialog(): Promise<Locator> {
    const tray = this.page.locator('.red-ui-tray').last();
    await tray.locator('#dialog-form, .dialog-form, form').first().waitFor({ state: 'visible' });
    await this.page.waitForFunction(() => {
      const all = [...document.querySelectorAll<HTMLElement>('.red-ui-tray')];
      return all.every((element) => element.getAnimations().length === 0) && !document.querySelector('.red-ui-tray.red-ui-tray-sliding');
    });
    return tray;
  }

  /** Ends the top dialog with its main button (Done, Add, Update), and waits until it is gone. */
  async done(): Promise<void> {
    await this.finish('#node-dialog-ok, #node-config-dialog-ok');
  }

  async cancel(): Promise<void> {
    await this.finish('#node-dialog-cancel, #node-config-dialog-cancel');
  }

  private async finish(button: string): Promise<void> {
    // The dialog below comes back as another element, or not at all: only this one tells whether it is gone.
    const tray = await this.page.locator('.red-ui-tray').last().elementHandle();
    await this.page.locator('.red-ui-tray').last().locator(button).click();
    await this.page.waitForFunction((element) => !element.isConnected, tray);
  }

  /**
   * Turns every colour variable of the editor's theme into its opposite: what is drawn with the variables becomes dark, what has a
   * colour of its own stays as it was and stands out. Does nothing where the editor has its own dark theme on.
   */
  private async darken(): Promise<void> {
    await this.page.evaluate(() => {
      if (document.documentElement.classList.contains('nr-theme-dark')) return;
      const flip = (hex: string): string =>
        `#${hex
          .split('')
          .map((digit) => (15 - parseInt(digit, 16)).toString(16))
          .join('')}`;
      const root = getComputedStyle(document.documentElement);
      const names = new Set<string>();
      for (const sheet of [...document.styleSheets]) {
        for (const rule of [...sheet.cssRules]) {
          if (!(rule instanceof CSSStyleRule) || !rule.selectorText.includes(':root')) continue;
          for (const name of [...rule.style]) if (name.startsWith('--red-ui')) names.add(name);
        }
      }
      for (const name of names) {
        const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(root.getPropertyValue(name).trim())?.[1];
        if (hex) document.documentElement.style.setProperty(name, flip(hex));
      }
    });
  }

  /** The texts and fields of a dialog whose colour is too near to what is behind them (a contrast of less than 3). */
  async unreadable(dialog: Locator): Promise<string[]> {
    return dialog.evaluate((root) => {
      const parse = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
      const light = (colour: readonly number[]): number => {
        const [r = 0, g = 0, b = 0] = colour.slice(0, 3).map((value) => {
          const part = value / 255;
          return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const behind = (element: Element | null): number[] => {
        for (let at = element; at; at = at.parentElement) {
          const colour = parse(getComputedStyle(at).backgroundColor);
          if ((colour[3] ?? 1) > 0.5) return colour;
        }
        return [255, 255, 255];
      };
      const found: string[] = [];
      for (const element of root.querySelectorAll<HTMLElement>(
        'form label, form span, form input[type=text], form select, form button, form code',
      )) {
        if (!element.offsetParent || !(element.textContent || element instanceof HTMLInputElement)) continue;
        const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 3) found.push(`${element.tagName} ${element.id} "${element.textContent}": ${contrast.toFixed(1)}`);
      }
      return found;
    });
  }

  /** Presses Deploy and waits until the runtime has started the flows and the editor takes clicks again. */
  async deploy(): Promise<void> {
    // The answer comes before the flows start, and badges stay as they were until then: only this message tells.
    await this.page.evaluate(() => {
      const started = ((window as any).startedRevisions = new Set<string>());
      const heard = (_topic: string, { revision }: { revision: string }): unknown => started.add(revision);
      (window as any).RED.comms.subscribe('notification/runtime-deploy', heard);
    });
    const saved = this.page.waitForResponse((response) => response.url().endsWith('/flows') && response.request().method() === 'POST');
    await this.page.locator('#red-ui-header-button-deploy').click();
    const answer = await saved;
    assert.equal(answer.ok(), true);
    const { rev } = (await answer.json()) as { rev: string };
    await this.page.waitForFunction((revision) => (window as any).startedRevisions.has(revision) as boolean, rev);
    await this.page.locator('#red-ui-editor-shade').waitFor({ state: 'hidden' });
  }

  /** Waits until a device is registered at a running server. */
  async registered(server: string, endpoint: string): Promise<void> {
    await this.page.waitForFunction(
      async ([id, name]) => {
        const answer = (await (await fetch(`lwm2m/${id}/devices`)).json()) as { devices: readonly { endpoint: string }[] };
        return answer.devices.some((device) => device.endpoint === name);
      },
      [server, endpoint] as const,
    );
  }

  /** Lets the editor read a property of a node as it is in the flow now. */
  async property(id: string, name: string): Promise<unknown> {
    return this.page.evaluate(([node, key]) => (window as any).RED.nodes.node(node)[key] as unknown, [id, name] as const);
  }

  /** Types into a field with the autocomplete widget and gives the lines it offers. */
  async suggestions(field: Locator, text: string): Promise<Locator> {
    await field.fill('');
    await field.pressSequentially(text);
    return this.page.locator('.red-ui-autoComplete-container li');
  }

  async showDebug(): Promise<Locator> {
    await this.page.evaluate(() => (window as any).RED.sidebar.show('debug'));
    return this.page.locator('.red-ui-debug-msg');
  }

  /** Keeps a picture, when pictures are wanted. */
  async picture(name: string): Promise<void> {
    if (!process.env['E2E_SHOTS']) return;
    await mkdir(pictures, { recursive: true });
    await this.page.screenshot({ path: path.join(pictures, `${name}.png`) });
  }
}
