import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Code } from '../../lib/coap/codes';
import { codeText } from '../support/coap-message';
import { FileSink, fileSource, LARGE, openCoapGround, type CoapGround } from './coap-ground';
import { coapClient, libcoapMissing, startCoapServer, type CoapServer } from './libcoap';
import { skipWithout } from './suite';

const MIB = 1_048_576;
const hosts = [
  { family: 'IPv4', address: '127.0.0.1', host: '127.0.0.1' },
  { family: 'IPv6', address: '::1', host: '[::1]' },
];

for (const { family, address, host } of hosts) {
  describe(`libcoap's client at our endpoint, ${family}`, function () {
    let ground: CoapGround;
    let folder: string;
    const cleanUp: (() => Promise<unknown>)[] = [];
    const uri = (where: string): string => `coap://${host}:${ground.port}${where}`;

    before(async function () {
      skipWithout(this, 'libcoap', libcoapMissing());
      ground = await openCoapGround();
      cleanUp.push(ground.close);
      folder = await mkdtemp(path.join(tmpdir(), 'lwm2m-libcoap-'));
      cleanUp.push(() => rm(folder, { recursive: true }));
    });

    after(async () => {
      for (const work of cleanUp) await work();
    });

    afterEach(() => {
      assert.deepEqual(ground.errors, []);
      assert.deepEqual([ground.endpoint.counters.formatErrors, ground.endpoint.sizes().bodyBytes], [0, 0]);
    });

    /** PUTs a body, GETs it back and POSTs it to be sent back, in blocks of this size. */
    async function thereAndBack(bytes: number, block: number): Promise<void> {
      const sent = path.join(folder, 'sent');
      const got = path.join(folder, 'got');
      const body = randomBytes(bytes);
      const where = uri(`/store/${bytes}-${block}`);
      await writeFile(sent, body);
      await coapClient('-m', 'put', '-b', String(block), '-f', sent, where);
      const put = ground.requests.at(-1);
      assert.ok(put?.code === Code.PUT && body.equals(put.payload), 'what was put is what was sent');
      await coapClient('-m', 'get', '-b', String(block), '-o', got, where);
      assert.ok(body.equals(await readFile(got)), 'what was got is what was put');
      await rm(got);
      await coapClient('-m', 'post', '-b', String(block), '-f', sent, '-o', got, uri('/echo'));
      assert.ok(body.equals(await readFile(got)), 'what was posted came back');
      await rm(got);
    }

    it('GET, and what there is not', async () => {
      assert.match(await coapClient(uri('/hello')), /^hello\s*$/);
      assert.match(await coapClient(uri('/nothing')), /4\.04/);
      assert.match(await coapClient('-m', 'put', '-e', 'x', uri('/hello')), /4\.05/);
    });

    it('PUT, GET and DELETE', async () => {
      await coapClient('-m', 'put', '-t', 'text/plain', '-e', 'kept', uri('/store/a'));
      assert.equal(ground.requests.at(-1)?.contentFormat, 0);
      assert.match(await coapClient(uri('/store/a')), /^kept\s*$/);
      await coapClient('-m', 'delete', uri('/store/a'));
      assert.match(await coapClient(uri('/store/a')), /4\.04/);
    });

    it('POST with a query', async () => {
      assert.match(await coapClient('-m', 'post', '-e', 'there and back', uri('/echo?a=1&b=')), /^there and back\s*$/);
      assert.deepEqual(ground.requests.at(-1)?.query, ['a=1', 'b=']);
    });

    it('Non-confirmable', async () => {
      assert.match(await coapClient('-N', uri('/hello')), /^hello\s*$/);
      assert.equal(ground.requests.at(-1)?.confirmable, false);
    });

    it('a separate answer', async () => {
      const before = ground.emptyAcks();
      assert.match(await coapClient(uri('/slow')), /^at last\s*$/);
      assert.equal(ground.emptyAcks(), before + 1);
    });

    it('a separate answer through 30 % loss at the client', async () => {
      assert.match(await coapClient('-l', '30%', uri('/slow')), /^at last\s*$/);
    });

    it('Observe: three values, then the cancellation', async () => {
      const before = ground.requests.length;
      assert.match(await coapClient('-s', '1', '-w', uri('/count')), /^0\n1\n2\n/);
      const cancellation = ground.requests.at(-1);
      assert.equal(ground.requests.length, before + 2);
      assert.deepEqual(cancellation?.options.find(({ number }) => number === 6)?.value, Buffer.from([1]));
      assert.deepEqual(cancellation.token, ground.requests.at(-2)?.token);
      assert.equal(ground.endpoint.counters.resetsReceived, 0);
    });

    it('Observe: a notification in blocks', async () => {
      const output = await coapClient('-s', '1', '-w', uri('/growing'));
      assert.ok(output.startsWith('small'), output.slice(0, 100));
      assert.ok(output.includes(LARGE), `${output.length} bytes came`);
    });

    for (const block of [16, 32, 64, 128, 256, 512, 1024]) {
      it(`20 000 bytes both ways in blocks of ${block}`, () => thereAndBack(20_000, block));
    }

    it('1 MiB block by block into a file, and from there', async () => {
      const sent = path.join(folder, 'sent');
      const got = path.join(folder, 'got');
      const body = randomBytes(MIB);
      await writeFile(sent, body);
      await coapClient('-m', 'put', '-b', '1024', '-f', sent, uri('/file'));
      const put = ground.requests.at(-1);
      assert.ok(put?.body && put.payload.length === 0);
      await coapClient('-m', 'get', '-b', '1024', '-o', got, uri('/file'));
      assert.ok(body.equals(await readFile(got)), 'what was got is what was put');
      await rm(got);
    });

    it('1 MiB both ways in blocks of 1024', () => thereAndBack(MIB, 1024));
    it('1 MiB both ways in blocks of 128', () => thereAndBack(MIB, 128));
  });

  describe(`Our endpoint at libcoap's server, ${family}`, function () {
    let ground: CoapGround;
    let server: CoapServer;
    const cleanUp: (() => Promise<unknown>)[] = [];

    before(async function () {
      skipWithout(this, 'libcoap', libcoapMissing());
      ground = await openCoapGround();
      cleanUp.push(ground.close);
      server = await startCoapServer(address);
      cleanUp.push(server.stop);
    });

    after(async () => {
      for (const work of cleanUp) await work();
    });

    afterEach(() => assert.deepEqual(ground.errors, []));

    const ask: CoapGround['ask'] = (to, spec) => ground.ask(to, spec);
    const there = (): { address: string; port: number } => ({ address, port: server.port });
    const text = (payload: Uint8Array): string => Buffer.from(payload).toString('utf8');

    it('GET / and its links', async () => {
      const root = await ask(there(), { code: Code.GET, path: [] });
      assert.equal(codeText(root.code), '2.05');
      assert.match(text(root.payload), /test server made with libcoap/);
      const links = await ask(there(), { code: Code.GET, path: ['.well-known', 'core'] });
      assert.equal(links.contentFormat, 40);
      assert.match(text(links.payload), /<\/time>/);
    });

    it('Non-confirmable', async () => {
      const root = await ask(there(), { code: Code.GET, path: [], confirmable: false });
      assert.match(text(root.payload), /libcoap/);
    });

    it('a separate answer of a slow resource', async () => {
      const { payload } = await ask(there(), { code: Code.GET, path: ['async'], query: ['1'] });
      assert.equal(text(payload), 'done');
    });

    it('Observe of /time: a notification, the cancellation, and no more', async () => {
      const spec = { code: Code.GET, path: ['time'], query: ['ticks'] };
      const first = await ask(there(), { ...spec, observe: 0 });
      assert.notEqual(first.observe, undefined);
      const report = await ground.reports.waitFor(({ kind }) => kind === 'notification', 'notification');
      assert.ok(report.kind === 'notification');
      assert.deepEqual(Buffer.from(report.response.token), Buffer.from(first.token));
      const values = [first, report.response].map(({ payload }) => text(payload));
      // It counts in seconds, and may tell of the one that it has just answered.
      assert.ok(values.every((value) => /^\d+$/.test(value)) && Number(values[1]) >= Number(values[0]), values.join());
      const end = await ask(there(), { ...spec, observe: 1, token: first.token });
      assert.deepEqual([codeText(end.code), end.observe], ['2.05', undefined]);
      assert.equal(ground.endpoint.forgetObservation(report.peer, first.token), true);
      // Had it not ended at the server, its next tick would come before this answer, and get a Reset.
      const { counters } = ground.endpoint;
      const seen = [counters.notifications, counters.resetsSent];
      await ask(there(), { code: Code.GET, path: ['async'], query: ['2'] });
      assert.deepEqual([counters.notifications, counters.resetsSent], seen);
    });

    for (const [bytes, blockSize] of [
      [20_000, 16],
      [20_000, 32],
      [20_000, 64],
      [20_000, 128],
      [20_000, 256],
      [20_000, 512],
      [MIB, 1024],
      [MIB, 128],
    ] as const) {
      it(`PUT, GET and DELETE of ${bytes} bytes in blocks of ${blockSize}`, async () => {
        const body = randomBytes(bytes);
        const at = { path: [`made-${bytes}-${blockSize}`], blockSize };
        const put = await ask(there(), { ...at, code: Code.PUT, contentFormat: 42, payload: body });
        assert.equal(codeText(put.code), '2.01');
        const got = await ask(there(), { ...at, code: Code.GET });
        assert.equal(got.contentFormat, 42);
        assert.ok(body.equals(got.payload), `${got.payload.length} bytes came back`);
        assert.equal(codeText((await ask(there(), { ...at, code: Code.DELETE })).code), '2.02');
        assert.equal(codeText((await ask(there(), { ...at, code: Code.GET })).code), '4.04');
      });
    }

    it('PUT and GET of 1 MiB, from a file and into one', async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'lwm2m-libcoap-'));
      cleanUp.push(() => rm(folder, { recursive: true }));
      const [sent, got] = [path.join(folder, 'sent'), path.join(folder, 'got')];
      const body = randomBytes(MIB);
      await writeFile(sent, body);
      const at = { path: ['made-from-a-file'] };
      const put = await ask(there(), { ...at, code: Code.PUT, contentFormat: 42, body: await fileSource(sent) });
      assert.equal(codeText(put.code), '2.01');
      const answer = await ask(there(), { ...at, code: Code.GET, sink: new FileSink(got) });
      assert.equal(answer.payload.length, 0);
      assert.ok(body.equals(await readFile(got)), 'what was got is what was put');
      await ask(there(), { ...at, code: Code.DELETE });
    });
  });
}
