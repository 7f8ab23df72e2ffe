import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { ROOT } from '../support/chain';
import { DEVICE, P256 } from '../support/dtls/fixed-keys';
import { freeUdpPort } from '../support/node-red';
import type { NodeRed } from '../support/node-red';
import { SecurePeer } from '../unit/index/secure-peer';
import type { Editor } from './editor';
import { withEditor } from './hooks';

const SERVER = new X509Certificate(P256.certificate).toString();

describe('public keys and certificates in the dialog of the server', () => {
  let nodeRed: NodeRed;
  let editor: Editor;
  let privateKey = '';
  let publicKey = '';
  let certificate = '';
  /** DER in base64. */
  let serverKey = '';
  let securePort = 0;

  withEditor(
    async () => {
      const port = await freeUdpPort();
      securePort = await freeUdpPort();
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
      return { flow, ready: 'in' };
    },
    (opened, started) => {
      editor = opened;
      nodeRed = started;
    },
  );

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
    serverKey = String(await dialog.locator('#lwm2m-server-key-note code').textContent());
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
    for (const name of (await readdir(nodeRed.dir)).filter((each) => each.endsWith('.json'))) {
      const text = await readFile(path.join(nodeRed.dir, name), 'utf8');
      assert.ok(!text.includes('PRIVATE KEY') && !text.includes(privateKey), name);
    }
  });

  it('makes a CA and a certificate signed by it, with which a device registers', async () => {
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    await dialog.locator('#lwm2m-server-ca-generate').click();
    const saved = dialog.locator('#lwm2m-server-ca-note .lwm2m-key-file');
    await saved.last().waitFor();
    const text = async (button: Locator): Promise<string> => {
      const [download] = await Promise.all([editor.page.waitForEvent('download'), button.click()]);
      return readFile(await download.path(), 'utf8');
    };
    const file = await text(saved.first());
    assert.match(file, /BEGIN PRIVATE KEY[^]+BEGIN CERTIFICATE/);
    const authority = new X509Certificate(file.slice(file.indexOf('-----BEGIN CERTIFICATE')));
    assert.ok((await dialog.locator('#node-config-input-trustAnchors').inputValue()).includes(authority.toString().trim()));
    // Its key may be opened again in another dialog.
    await dialog.locator('#lwm2m-server-ca-file').setInputFiles({ name: 'ca.pem', mimeType: 'text/plain', buffer: Buffer.from(file) });
    await dialog.locator('#lwm2m-server-ca-note', { hasText: 'signed by this CA' }).waitFor();
    await dialog.locator('.red-ui-editableList-addButton').click();
    const row = dialog.locator('#lwm2m-server-devices li').last();
    await row.locator('.lwm2m-device-endpoint').fill('meter-3');
    await row.locator('.lwm2m-device-mode').selectOption('x509');
    await row.locator('.lwm2m-device-generate-certificate').click();
    const files = row.locator('.lwm2m-key-file');
    await files.nth(2).waitFor();
    assert.equal(await row.locator('.lwm2m-device-certificate').inputValue(), '', 'any of the CA');
    const device = new X509Certificate(await text(files.nth(1)));
    const own = createPrivateKey(await text(files.nth(0)));
    assert.ok(device.verify(authority.publicKey));
    await editor.picture('lwm2m-server-ca');
    assert.deepEqual(await editor.unreadable(dialog), []);
    await editor.done();
    await editor.deploy();
    await editor.badge('in', /listening|^0/);
    // Without certificates of its own the server shows its bare public key.
    const peer = await SecurePeer.open({
      port: securePort,
      own: { privateKey: own, publicKey: device.publicKey.export({ type: 'spki', format: 'der' }), chain: [device.raw] },
      type: 'x509',
      serverType: 'rpk',
      server: Buffer.from(serverKey, 'base64'),
    });
    await peer.register('meter-3');
    peer.close();
    for (const name of (await readdir(nodeRed.dir)).filter((each) => each.endsWith('.json'))) {
      assert.ok(!(await readFile(path.join(nodeRed.dir, name), 'utf8')).includes('PRIVATE KEY'), name);
    }
  });

  it('says in German and in the dark, too, which resource of the device each part belongs to', async () => {
    const german = await editor.again({ locale: 'de-DE', dark: true });
    const dialog = await german.editConfig('lwm2m-server', 'server');
    await dialog.locator('#node-config-input-serverCertificate').fill(SERVER);
    await dialog.locator('#lwm2m-server-ca-generate').click();
    await dialog.locator('#lwm2m-server-ca-note .lwm2m-key-file').last().waitFor();
    await german.picture('lwm2m-server-ca-german-dark');
    assert.match(String(await dialog.locator('#lwm2m-server-ca-note').textContent()), /Dieser CA wird ab dem nächsten Deploy vertraut/);
    await dialog.locator('.red-ui-editableList-addButton').click();
    const row = dialog.locator('#lwm2m-server-devices li').last();
    await row.locator('.lwm2m-device-endpoint').fill('meter-4');
    await row.locator('.lwm2m-device-mode').selectOption('x509');
    await row.locator('.lwm2m-device-generate-certificate').click();
    await row.locator('.lwm2m-key-file').nth(2).waitFor();
    const lines = await row.locator('.lwm2m-device-x509 .lwm2m-device-note > div').allTextContents();
    assert.deepEqual(
      lines.flatMap((line) => /\/0\/x\/\d+/.exec(line)?.[0] ?? []),
      ['/0/x/0', '/0/x/2', '/0/x/3', '/0/x/4', '/0/x/5'],
    );
    const codes = await row.locator('.lwm2m-device-x509 .lwm2m-device-note code').allTextContents();
    assert.equal(codes[3], new X509Certificate(SERVER).raw.toString('base64'));
    await row.scrollIntoViewIfNeeded();
    await german.picture('lwm2m-server-device-german-dark');
    assert.deepEqual(await german.unreadable(dialog), []);
    await german.cancel();
    assert.deepEqual(german.problems, []);
    await german.close();
  });
});
