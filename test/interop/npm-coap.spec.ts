import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Agent, createServer, type CoapRequestParams, type IncomingMessage, type Server } from 'coap';
import { Code } from '../../lib/coap/codes';
import { codeText } from '../support/coap-message';
import { freeUdpPort } from '../support/node-red';
import { openCoapGround, type CoapGround } from './coap-ground';

const MIB = 1_048_576;

for (const { family, type, address } of [
  { family: 'IPv4', type: 'udp4', address: '127.0.0.1' },
  { family: 'IPv6', type: 'udp6', address: '::1' },
] as const) {
  describe(`npm coap's client at our endpoint, ${family}`, () => {
    let ground: CoapGround;
    let agent: Agent;

    before(async () => {
      ground = await openCoapGround();
      agent = new Agent({ type });
    });

    after(async () => {
      agent.close();
      await ground.close();
    });

    afterEach(() => assert.deepEqual(ground.errors, []));

    function send(params: CoapRequestParams, payload?: Buffer, block1?: Buffer): Promise<IncomingMessage> {
      return new Promise((resolve, reject) => {
        const request = agent.request({ host: address, port: ground.port, agent, ...params });
        request.once('response', resolve);
        request.once('error', reject);
        // It sends a large body in blocks only when it is told the first one.
        if (block1) request.setOption('Block1', block1);
        request.end(payload);
      });
    }

    it('GET, and what there is not', async () => {
      const hello = await send({ pathname: '/hello' });
      assert.deepEqual([hello.code, hello.payload.toString()], ['2.05', 'hello']);
      assert.equal((await send({ pathname: '/nothing' })).code, '4.04');
    });

    it('PUT, GET and DELETE', async () => {
      const pathname = '/store/npm';
      assert.equal((await send({ pathname, method: 'PUT' }, Buffer.from('kept'))).code, '2.01');
      assert.equal((await send({ pathname })).payload.toString(), 'kept');
      assert.equal((await send({ pathname, method: 'DELETE' })).code, '2.02');
      assert.equal((await send({ pathname })).code, '4.04');
    });

    it('Non-confirmable', async () => {
      assert.equal((await send({ pathname: '/hello', confirmable: false })).payload.toString(), 'hello');
      assert.equal(ground.requests.at(-1)?.confirmable, false);
    });

    it('a separate answer', async () => {
      const before = ground.emptyAcks();
      assert.equal((await send({ pathname: '/slow' })).payload.toString(), 'at last');
      assert.equal(ground.emptyAcks(), before + 1);
    });

    it('Observe', async () => {
      const stream = await send({ pathname: '/count', observe: true });
      let seen = '';
      for await (const value of stream) {
        seen += String(value);
        if (seen.length === 3) break;
      }
      assert.equal(seen, '012');
    });

    it('1 MiB both ways in blocks of 1024', async () => {
      const body = randomBytes(MIB);
      // The size exponent, 6; number and more are its own business.
      const put = await send({ pathname: '/store/large', method: 'PUT' }, body, Buffer.from([0x06]));
      assert.equal(put.code, '2.01');
      assert.ok(body.equals(ground.requests.at(-1)?.payload ?? Buffer.alloc(0)));
      assert.ok(body.equals((await send({ pathname: '/store/large' })).payload));
    });
  });

  describe(`Our endpoint at npm coap's server, ${family}`, () => {
    let ground: CoapGround;
    let server: Server;
    let port: number;
    const bodies = new Map<string, Buffer>();

    before(async () => {
      ground = await openCoapGround();
      server = createServer({ type }, (request, response) => {
        if (request.method === 'PUT') bodies.set(request.url, request.payload);
        response.code = request.method === 'PUT' ? '2.04' : '2.05';
        response.end(request.method === 'PUT' ? undefined : bodies.get(request.url));
      });
      port = await freeUdpPort();
      await new Promise<void>((resolve) => void server.listen(port, address, () => resolve()));
    });

    after(async () => {
      await new Promise<void>((resolve) => void server.close(() => resolve()));
      await ground.close();
    });

    afterEach(() => assert.deepEqual(ground.errors, []));

    // Blocks of 16 it cannot serve: it takes the empty Block2 option that asks for the first one for a size of nothing.
    for (const [bytes, blockSize] of [
      [100, 1024],
      [20_000, 32],
      [20_000, 256],
      [MIB, 1024],
    ] as const) {
      it(`PUT and GET of ${bytes} bytes in blocks of ${blockSize}`, async () => {
        const body = randomBytes(bytes);
        const at = { path: [`made-${bytes}-${blockSize}`], blockSize };
        const put = await ground.ask({ address, port }, { ...at, code: Code.PUT, payload: body });
        assert.equal(codeText(put.code), '2.04');
        const got = await ground.ask({ address, port }, { ...at, code: Code.GET });
        assert.ok(body.equals(got.payload), `${got.payload.length} bytes came back`);
      });
    }
  });
}
