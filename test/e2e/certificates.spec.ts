import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { ROOT } from '../support/chain';
import { DEVICE } from '../support/dtls/fixed-keys';
import { freeUdpPort, startNodeRed } from '../support/node-red';
import type { NodeRed } from '../support/node-red';
import { Editor, openBrowser } from './editor';

describe('public keys and certificates in the dialog of the server', () => {
  let nodeRed: NodeRed | undefined;
  let browser: Browser | undefined;
  let editor: Editor;
  let privateKey = '';
  let publicKey = '';
  let certificate = '';

  before(async () => {
    const [port, securePort] = [await freeUdpPort(), await freeUdpPort()];
    const server = {
      id: 'server',
      type: 'lwm2m-server',
      version: 5,
      name: 'Server',
      port,
      securePort,
      unknownDevices: 'refuse',
      devices: [],
    };
    const flow = [
      { id: 'tab', type: 'tab', label: 'Keys' },
      server,
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
    [nodeRed, browser] = await Promise.all([startNodeRed({ flow }), openBrowser()]);
    editor = await Editor.open(browser, { url: nodeRed.url, ready: 'in' });
  });
  after(async () => {
    await browser?.close();
    await nodeRed?.stop();
  });
  afterEach(async function () {
    if (this.currentTest?.isFailed()) await editor.picture(`failed-${this.currentTest.title.replaceAll(/\W+/g, '-')}`);
  });

  it('makes a key pair for a device and shows it once; a private key is no public one', async () => {
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    await dialog.locator('.red-ui-editableList-addButton').click();
    const row = dialog.locator('#lwm2m-server-devices li').last();
    await row.locator('.lwm2m-device-endpoint').fill('meter-1');
    await row.locator('.lwm2m-device-mode').selectOption('rpk');
    const field = row.locator('.lwm2m-device-publicKey');
    await field.fill(DEVICE.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'));
    await field.dispatchEvent('input');
    assert.match(String(await row.locator('.lwm2m-device-rpk .lwm2m-device-problem').textContent()), /This is a private key/);
    await row.locator('.lwm2m-device-generate-pair').click();
    await row.locator('.lwm2m-key-file').waitFor();
    publicKey = (await field.inputValue()).trim();
    assert.equal(createPublicKey(publicKey).asymmetricKeyDetails?.namedCurve, 'prime256v1');
    assert.equal(await row.locator('.lwm2m-device-rpk .lwm2m-device-problem').textContent(), '');
    const codes = await row.locator('.lwm2m-device-rpk .lwm2m-device-note code').allTextContents();
    privateKey = codes.at(-1) ?? '';
    assert.match(codes[0] ?? '', /^coaps:\/\/127\.0\.0\.1:\d+$/);
    const wanted = createPublicKey(publicKey).export({ type: 'spki', format: 'der' });
    assert.deepEqual(
      createPublicKey({ key: Buffer.from(privateKey, 'base64'), format: 'der', type: 'pkcs8' } as never).export({
        type: 'spki',
        format: 'der',
      }),
      wanted,
    );
    const [download] = await Promise.all([editor.page.waitForEvent('download'), row.locator('.lwm2m-key-file').click()]);
    assert.equal(download.suggestedFilename(), 'meter-1-private-key.pem');
    await editor.picture('lwm2m-server-rpk');
    assert.deepEqual(await editor.unreadable(dialog), []);
  });

  it('makes a key pair for the server, and takes a device with a certificate and a CA', async () => {
    const dialog = await editor.dialog();
    await dialog.locator('#lwm2m-server-key-generate').click();
    await dialog.locator('#lwm2m-server-key-note code').waitFor();
    assert.match(await dialog.locator('#node-config-input-serverKey').inputValue(), /BEGIN PRIVATE KEY/);
    await dialog.locator('#node-config-input-trustAnchors').fill(ROOT);
    await dialog.locator('#node-config-input-unknownDevices').selectOption('accept-my-ca');
    await dialog.locator('.red-ui-editableList-addButton').click();
    const row = dialog.locator('#lwm2m-server-devices li').last();
    await row.locator('.lwm2m-device-endpoint').fill('meter-2');
    await row.locator('.lwm2m-device-mode').selectOption('x509');
    await row.locator('.lwm2m-device-generate-certificate').click();
    await row.locator('.lwm2m-key-file').last().waitFor();
    certificate = (await row.locator('.lwm2m-device-certificate').inputValue()).trim();
    assert.equal(new X509Certificate(certificate).subject, 'CN=meter-2');
    await editor.picture('lwm2m-server-x509');
    assert.deepEqual(await editor.unreadable(dialog), []);
    await editor.done();
    await editor.deploy();
    await editor.badge('in', /listening|^0/);
  });

  it('has all of it when opened again, but for the private keys', async () => {
    const page = editor.page;
    await page.reload();
    await page.waitForFunction(() => (window as any).RED?.nodes?.node('in'));
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    const rows = dialog.locator('#lwm2m-server-devices li');
    assert.equal((await rows.nth(0).locator('.lwm2m-device-publicKey').inputValue()).trim(), publicKey);
    assert.equal(await rows.nth(1).locator('.lwm2m-device-mode').inputValue(), 'x509');
    assert.equal((await rows.nth(1).locator('.lwm2m-device-certificate').inputValue()).trim(), certificate);
    assert.equal(await rows.nth(0).locator('.lwm2m-device-rpk .lwm2m-device-note').textContent(), '');
    assert.equal(await dialog.locator('#node-config-input-serverKey').inputValue(), '__PWRD__');
    assert.equal((await dialog.locator('#node-config-input-trustAnchors').inputValue()).trim(), ROOT.trim());
    assert.equal(await dialog.locator('#node-config-input-unknownDevices').inputValue(), 'accept-my-ca');
    await editor.done();
    const exported = await page.evaluate(() => JSON.stringify((window as any).RED.nodes.createCompleteNodeSet()));
    assert.ok(exported.includes('meter-1') && !exported.includes('PRIVATE KEY') && !exported.includes(privateKey));
    for (const name of (await readdir(nodeRed!.dir)).filter((each) => each.endsWith('.json'))) {
      const text = await readFile(path.join(nodeRed!.dir, name), 'utf8');
      assert.ok(!text.includes('PRIVATE KEY') && !text.includes(privateKey), name);
    }
  });
});
