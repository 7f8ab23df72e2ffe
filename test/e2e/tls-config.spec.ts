import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generateAuthority, generateDeviceCertificate, type CertifiedPair } from '../../lib/index';
import { freeUdpPort, type NodeRed } from '../support/node-red';
import { SecurePeer } from '../unit/index/secure-peer';
import type { Editor } from './editor';
import { withEditor } from './hooks';

describe("Node-RED's own TLS configuration in the dialog of the server", () => {
  let nodeRed: NodeRed;
  let editor: Editor;
  let own: CertifiedPair;
  let authority: CertifiedPair;
  let securePort = 0;

  withEditor(
    async () => {
      [own, authority] = [await generateDeviceCertificate('server'), await generateAuthority('my CA')];
      const port = await freeUdpPort();
      securePort = await freeUdpPort();
      const flow = [
        { id: 'tab', type: 'tab', label: 'Keys' },
        { id: 'server', type: 'lwm2m-server', version: 7, name: 'Server', port, securePort, unknownDevices: 'accept-my-ca', devices: [] },
        { id: 'in', type: 'lwm2m-in', z: 'tab', version: 2, server: 'server', endpoint: '', events: ['log'], x: 150, y: 200, wires: [[]] },
      ];
      return { flow, ready: 'in' };
    },
    (opened, started) => {
      editor = opened;
      nodeRed = started;
    },
  );

  /** A device with a certificate of the CA that is in the TLS configuration alone. */
  async function registers(endpoint: string): Promise<void> {
    const device = await generateDeviceCertificate(endpoint, Date.now(), authority);
    const { publicKey, raw } = new X509Certificate(device.certificate);
    const peer = await SecurePeer.open({
      port: securePort,
      own: { privateKey: createPrivateKey(device.privateKey), publicKey: publicKey.export({ type: 'spki', format: 'der' }), chain: [raw] },
      type: 'x509',
      serverType: 'x509',
      server: Buffer.from(own.certificateDer, 'base64'),
    });
    await peer.register(endpoint);
    peer.close();
  }

  it('is made beside it with uploaded files; a device of its CA registers', async () => {
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    await dialog.locator('#node-config-input-btn-tls-add').click();
    const tls = await editor.dialog();
    for (const [field, text] of [
      ['cert', own.certificate],
      ['key', own.privateKey],
      ['ca', authority.certificate],
    ] as const) {
      const file = { name: `${field}.pem`, mimeType: 'text/plain', buffer: Buffer.from(text) };
      await tls.locator(`#node-config-input-${field}file`).setInputFiles(file);
      await editor.page.waitForFunction((name) => $(`#node-config-input-${name}data`).val() !== '', field);
    }
    await tls.locator('#node-config-input-name').fill('My TLS');
    await editor.done();
    const back = await editor.dialog();
    assert.match(String(await back.locator('#node-config-input-tls option:checked').textContent()), /My TLS/);
    await editor.done();
    await editor.deploy();
    await editor.badge('in', /listening|^0/);
    await registers('meter-1');
  });

  it('is changed to files on the machine, and the next device registers', async () => {
    const files: Record<string, string> = { cert: own.certificate, key: own.privateKey, ca: authority.certificate };
    for (const [field, text] of Object.entries(files)) await writeFile(path.join(nodeRed.dir, `${field}.pem`), text, { mode: 0o600 });
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    await dialog.locator('#node-config-input-btn-tls-edit').click();
    const tls = await editor.dialog();
    await tls.locator('#node-config-input-uselocalfiles').check();
    for (const field of Object.keys(files)) await tls.locator(`#node-config-input-${field}`).fill(path.join(nodeRed.dir, `${field}.pem`));
    await editor.done();
    await editor.dialog();
    await editor.done();
    await editor.deploy();
    await editor.badge('in', /listening|^\d/);
    await registers('meter-2');
  });

  it('with a file that is not there is told on the badge', async () => {
    const dialog = await editor.editConfig('lwm2m-server', 'server');
    await dialog.locator('#node-config-input-btn-tls-edit').click();
    const tls = await editor.dialog();
    await tls.locator('#node-config-input-key').fill(path.join(nodeRed.dir, 'nothing.pem'));
    await editor.done();
    await editor.dialog();
    await editor.done();
    await editor.deploy();
    await editor.badge('in', /^TLS node not complete$/);
    await editor.picture('lwm2m-server-tls-problem');
  });
});
