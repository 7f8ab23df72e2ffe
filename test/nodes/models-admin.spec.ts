import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import express from 'express';
import type { NodeAPI } from 'node-red';
import request from 'supertest';
import type { Server } from 'node:http';
import { registerKeyRoutes } from '../../nodes/lwm2m-server/keys-admin';
import { registerModelRoutes } from '../../nodes/lwm2m-server/models-admin';
import type { CertifiedPairAnswer, KeyPairAnswer } from '../../nodes/shared/admin-types';
import { ddf, temporaryFolder } from '../unit/models/files';

describe('the admin routes of object definitions', () => {
  let dir = '';
  let dispose = (): void => undefined;
  let server: Server;
  let denied = '';
  let asked: string[] = [];
  let nodes: Record<string, unknown> = {};
  const logged: string[] = [];
  const xml = { 'Content-Type': 'application/xml' };

  beforeEach((done) => {
    ({ dir, dispose } = temporaryFolder());
    denied = '';
    asked = [];
    nodes = {};
    const httpAdmin = express();
    // As Node-RED does before any route of a node.
    httpAdmin.use(express.json({ limit: '5mb' }));
    const RED = {
      httpAdmin,
      settings: { userDir: dir },
      log: { error: (text: string) => logged.push(text) },
      nodes: { getNode: (id: string) => nodes[id] ?? null },
      auth: {
        needsPermission: (permission: string) => (_request: unknown, response: { sendStatus(code: number): void }, next: () => void) => {
          asked.push(permission);
          if (permission === denied) response.sendStatus(401);
          else next();
        },
      },
    };
    registerModelRoutes(RED as unknown as NodeAPI);
    registerKeyRoutes(RED as unknown as NodeAPI);
    server = httpAdmin.listen(0, '127.0.0.1', done);
  });
  afterEach((done) => {
    dispose();
    server.close(done);
  });
  const folder = (...inner: string[]): string => path.join(dir, 'lwm2m/models', ...inner);
  const upload = (address: string, body: string | Buffer): request.Test => request(server).post(address).set(xml).send(body);

  it('[ADMIN-001] keep a file for one server or for all, of a server that is not deployed, and list both', async () => {
    const { body } = await upload('/lwm2m/a1b2.c3/models/own', ddf(33333, 'Tank')).expect(201);
    assert.deepEqual(body, { file: '33333-1.0.xml', objects: [{ id: 33333, name: 'Tank', version: '1.0' }] });
    await upload('/lwm2m/a1b2.c3/models/all', ddf(33334, 'Pump', { version: '2.1' })).expect(201);
    mkdirSync(folder('other'), { recursive: true });
    writeFileSync(folder('bad.xml'), '<html/>');
    const { body: listed } = await request(server).get('/lwm2m/a1b2.c3/models').expect(200);
    assert.deepEqual(
      (listed as { files: { scope: string; file: string; error?: { line: number } }[] }).files.map(({ scope, file, error }) => [
        scope,
        file,
        error?.line,
      ]),
      [
        ['own', '33333-1.0.xml', undefined],
        ['all', '33334-2.1.xml', undefined],
        ['all', 'bad.xml', 1],
      ],
    );
    assert.ok(existsSync(folder('a1b2.c3', '33333-1.0.xml')));
    const { body: none } = await request(server).get('/lwm2m/never-seen/models').expect(200);
    assert.equal((none as { files: unknown[] }).files.length, 2);
  });

  it('[ADMIN-001] ask a server that runs, which reads its folders for it', async () => {
    const files = [{ file: 'x.xml', objects: [] }];
    nodes['s1'] = {
      type: 'lwm2m-server',
      live: { server: { listening: true, modelFiles: (scope: string) => Promise.resolve(scope === 'own' ? files : []) } },
    };
    const { body } = await request(server).get('/lwm2m/s1/models').expect(200);
    assert.deepEqual(body, { files: [{ scope: 'own', file: 'x.xml', objects: [] }] });
  });

  it('[ADMIN-002] refuse with the line and the reason, and keep nothing', async () => {
    const { body } = await upload('/lwm2m/s1/models/own', '<LWM2M>\n<Device/></LWM2M>').expect(422);
    assert.deepEqual(body, { error: { line: 2, reason: '<LWM2M> has <Device> in it where <Object> belongs' } });
    const entities = `<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n${ddf(1, '&a;')}`;
    assert.match(JSON.stringify((await upload('/lwm2m/s1/models/own', entities).expect(422)).body), /"line":2,"reason":"a document type/);
    await upload('/lwm2m/s1/models/own', '').expect(422);
    await request(server)
      .post('/lwm2m/s1/models/own')
      .send({ xml: ddf(1, 'x') })
      .expect(422);
    assert.equal(existsSync(folder()), false);
  });

  it('[ADMIN-002] refuse a body over the limit without taking it in', async () => {
    const large = Buffer.alloc(3 * 1024 * 1024, 0x20);
    // Refused while it is being sent: the client hears of it, or finds the connection closed.
    const status = await upload('/lwm2m/s1/models/own', large).then(
      (answer) => answer.status,
      (error: unknown) => (error as NodeJS.ErrnoException).code ?? '',
    );
    assert.ok([413, 'EPIPE', 'ECONNRESET'].includes(status), String(status));
    assert.equal(existsSync(folder()), false);
  });

  it('[ADMIN-003] stay in their folder, whatever is asked', async () => {
    writeFileSync(path.join(dir, 'flows.json'), '[]');
    writeFileSync(path.join(dir, 'secret.xml'), ddf(1, 'x'));
    mkdirSync(folder('s1'), { recursive: true });
    writeFileSync(folder('s1', 'my file.xml'), ddf(1, 'x'));
    for (const id of ['..', '%2e%2e', '..%2f..', '%2fetc', '.', 'a%00b', 'a'.repeat(65), '...']) {
      for (const scope of ['own', 'all']) await upload(`/lwm2m/${id}/models/${scope}`, ddf(33333, 'Tank')).expect(404);
    }
    await upload('/lwm2m/s1/models/..', ddf(33333, 'Tank')).expect(404);
    await upload('/lwm2m/s1/models/others', ddf(33333, 'Tank')).expect(404);
    for (const file of [
      '..%2f..%2f..%2fsecret.xml',
      '..%2f..%2fsecret.xml',
      '..%5c..%5csecret.xml',
      '%2fetc%2fpasswd',
      'flows.json',
      's1',
      '..',
      'my%20file.xml%00',
    ]) {
      await request(server).delete(`/lwm2m/s1/models/own/${file}`).expect(404);
      await request(server).delete(`/lwm2m/s1/models/all/${file}`).expect(404);
    }
    assert.deepEqual(readdirSync(dir).sort(), ['flows.json', 'lwm2m', 'secret.xml']);
    await request(server).delete('/lwm2m/s1/models/own/my%20file.xml').expect(204);
    assert.deepEqual(readdirSync(folder('s1')), []);
  });

  it('[ADMIN-004] need the permission to read or to write', async () => {
    denied = 'lwm2m-server.write';
    await upload('/lwm2m/s1/models/own', ddf(33333, 'Tank')).expect(401);
    await request(server).delete('/lwm2m/s1/models/own/a.xml').expect(401);
    await request(server).get('/lwm2m/s1/models').expect(200);
    denied = 'lwm2m-server.read';
    await request(server).get('/lwm2m/s1/models').expect(401);
    await upload('/lwm2m/s1/models/own', ddf(33333, 'Tank')).expect(201);
    assert.deepEqual([...new Set(asked)].sort(), ['lwm2m-server.read', 'lwm2m-server.write']);
  });

  it('[ADMIN-007] make a key pair for who may write, another one each time, not to be cached', async () => {
    denied = 'lwm2m-server.write';
    await request(server).post('/lwm2m/key-pairs').expect(401);
    denied = '';
    const first = await request(server).post('/lwm2m/key-pairs').expect(201);
    assert.equal(first.headers['cache-control'], 'no-store');
    const pair = first.body as KeyPairAnswer;
    const publicKey = createPublicKey(createPrivateKey(pair.privateKey));
    assert.equal(publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    assert.equal(publicKey.export({ type: 'spki', format: 'pem' }), pair.publicKey);
    assert.equal(publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), pair.publicKeyDer);
    assert.equal(createPrivateKey(pair.privateKey).export({ type: 'pkcs8', format: 'der' }).toString('base64'), pair.privateKeyDer);
    const { body: second } = await request(server).post('/lwm2m/key-pairs').expect(201);
    assert.notEqual((second as KeyPairAnswer).publicKey, pair.publicKey);
    assert.deepEqual(logged, []);
  });

  it('[ADMIN-008] make a certificate for an endpoint, for who may write', async () => {
    const ask = (body: object) => request(server).post('/lwm2m/device-certificates').send(body);
    denied = 'lwm2m-server.write';
    await ask({ endpoint: 'meter-1' }).expect(401);
    denied = '';
    const made = await ask({ endpoint: 'meter-1' }).expect(201);
    const { certificate, privateKey } = made.body as CertifiedPairAnswer;
    assert.equal(new X509Certificate(certificate).subject, 'CN=meter-1');
    assert.ok(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey)));
    assert.equal(made.headers['cache-control'], 'no-store');
    for (const endpoint of ['', 'x'.repeat(65), {}, undefined]) await ask({ endpoint }).expect(400);
    for (const issuer of [{}, { certificate, privateKey }, { certificate: 5 }]) await ask({ endpoint: 'meter-1', issuer }).expect(400);
  });

  it('[ADMIN-009] make a small CA, which signs certificates, for who may write', async () => {
    const ask = (body: object) => request(server).post('/lwm2m/authorities').send(body);
    denied = 'lwm2m-server.write';
    await ask({ name: 'Meters' }).expect(401);
    denied = '';
    const made = await ask({ name: 'Meters' }).expect(201);
    const ca = made.body as CertifiedPairAnswer;
    const authority = new X509Certificate(ca.certificate);
    assert.deepEqual([authority.subject, authority.ca, made.headers['cache-control']], ['CN=Meters', true, 'no-store']);
    const signed = await request(server).post('/lwm2m/device-certificates').send({ endpoint: 'meter-2', issuer: ca }).expect(201);
    const device = new X509Certificate((signed.body as CertifiedPairAnswer).certificate);
    assert.ok(device.checkIssued(authority) && device.verify(authority.publicKey));
    await ask({ name: '' }).expect(400);
    assert.deepEqual(logged, []);
  });

  it('[ADMIN-005] take many files at a time', async () => {
    const codes = await Promise.all(
      Array.from({ length: 60 }, (_, at) => upload('/lwm2m/s1/models/all', ddf(33_000 + at, `Object ${at}`)).then(({ status }) => status)),
    );
    assert.deepEqual([...new Set(codes)], [201]);
    assert.equal(readdirSync(folder()).length, 60);
  });

  it('[ADMIN-002] say that the disk is in the way, and log it', async () => {
    writeFileSync(path.join(dir, 'lwm2m'), 'a file where the folder belongs');
    const { body } = await upload('/lwm2m/s1/models/own', ddf(33333, 'Tank')).expect(500);
    assert.match((body as { error: { reason: string } }).error.reason, /ENOTDIR|EEXIST/);
    assert.match(String(logged.at(-1)), /lwm2m-server: .*(ENOTDIR|EEXIST)/);
  });
});
