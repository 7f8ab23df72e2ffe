import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createLwm2mServer, type Lwm2mServer, type Lwm2mServerOptions, type ModelProblem } from '../../../lib/index';
import { ddf, temporaryFolder } from '../models/files';
import { TinyPeer } from './tiny-peer';

describe('createLwm2mServer with folders of definitions', () => {
  let dir = '';
  let dispose = (): void => undefined;
  let running: (Lwm2mServer | TinyPeer)[] = [];
  beforeEach(() => ({ dir, dispose } = temporaryFolder()));
  afterEach(async () => {
    for (const one of running) await one.close();
    running = [];
    dispose();
  });

  function create(options: Lwm2mServerOptions): Lwm2mServer {
    const server = createLwm2mServer({ port: 0, unknownDevices: 'accept-without-security', modelsDir: dir, ...options });
    running.push(server);
    return server;
  }

  it('[MODEL-015] types a registered device anew when its definition comes, changes or goes', async () => {
    const server = create({});
    await server.start();
    const peer = await TinyPeer.open(server.port);
    running.push(peer);
    await peer.register('dev', '</3/0>,</33333/0>');
    const read = async (): Promise<unknown> => {
      const answer = server.perform('dev', { kind: 'Read', path: { ids: [33333, 0, 0] } });
      peer.answer(await peer.next(), '2.05', '42');
      const result = await answer;
      assert.equal(result.kind, 'answer');
      return result.nodes?.map(({ type, value }) => `${type} ${String(value)}`).join();
    };
    assert.equal(await read(), 'string 42');
    writeFileSync(path.join(dir, 'a.xml'), ddf(33333, 'Tank'));
    assert.equal((await server.modelFiles('all')).length, 1);
    assert.equal(await read(), 'integer 42');
    assert.equal(server.model.object(33333)?.name, 'Tank');
    writeFileSync(path.join(dir, 'a.xml'), ddf(33333, 'Tank', { type: 'Float' }));
    await server.modelFiles('all');
    assert.equal(await read(), 'float 42');
  });

  it('[MODEL-015] has its definitions, and tells of bad ones, before it opens', async () => {
    writeFileSync(path.join(dir, 'a.xml'), ddf(33333, 'Tank'));
    writeFileSync(path.join(dir, 'b.xml'), '<html/>');
    const problems: ModelProblem[] = [];
    const server = create({ onModelProblem: (problem) => problems.push(problem) });
    assert.equal(server.model.object(33333), undefined);
    await server.start();
    assert.equal(server.model.object(33333)?.name, 'Tank');
    assert.deepEqual(
      problems.map(({ file }) => file),
      ['b.xml'],
    );
  });

  it('[MODEL-016] closed or not opened, watches nothing; started again, it does', async () => {
    const taken = dgram.createSocket('udp6').bind(0);
    await once(taken, 'listening');
    const failing = create({ port: taken.address().port });
    await assert.rejects(failing.start(), { code: 'EADDRINUSE' });
    writeFileSync(path.join(dir, 'a.xml'), ddf(33333, 'Tank'));
    assert.deepEqual(await failing.modelFiles('all'), []);
    taken.close();
    await once(taken, 'close');
    await failing.start();
    assert.equal((await failing.modelFiles('all')).length, 1);
    await failing.close();
    assert.deepEqual(await failing.modelFiles('all'), []);
  });
});
