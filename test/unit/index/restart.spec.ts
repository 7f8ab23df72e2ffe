import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import {
  acquireServer,
  createLwm2mServer,
  type Lwm2mServer,
  type Lwm2mServerOptions,
  type Registration,
  type ServerEvent,
} from '../../../lib/index';
import { storeFolder } from '../../support/store-folder';
import { TinyPeer } from './tiny-peer';

const OPEN: Lwm2mServerOptions = { port: 0, transportLog: false, host: '127.0.0.1', unknownDevices: 'accept-without-security' };

describe('a server with a store', () => {
  const place = storeFolder();
  const servers: Lwm2mServer[] = [];
  const peers: TinyPeer[] = [];
  const notices: string[] = [];

  async function start(options: Lwm2mServerOptions): Promise<Lwm2mServer> {
    const server = createLwm2mServer({ ...OPEN, onNotice: (text) => notices.push(text), ...options });
    servers.push(server);
    await server.start();
    return server;
  }

  async function register(server: Lwm2mServer, endpoint: string): Promise<TinyPeer> {
    const peer = await TinyPeer.open(server.port);
    peers.push(peer);
    await peer.register(endpoint);
    return peer;
  }

  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.close();
    for (const server of servers.splice(0)) await server.close();
    assert.deepEqual(notices.splice(0), []);
  });

  it('[SRV-210] finds its registrations in the folder, under its name', async () => {
    const storeDir = place();
    const first = await start({ storeDir, storeId: 'a' });
    await register(first, 'one');
    await register(first, 'two');
    const { port } = first;
    const before = first.registrations();
    const byName = (all: readonly Registration[]): Registration[] => [...all].sort((a, b) => a.endpoint.localeCompare(b.endpoint));
    await first.close();
    assert.deepEqual(first.registrations(), []);
    const second = await start({ storeDir, storeId: 'a', port });
    assert.deepEqual(byName(second.registrations()), byName(before));
    assert.equal(second.size, 2);
    const other = await start({ storeDir, storeId: 'b' });
    assert.deepEqual(other.registrations(), []);
  });

  it('[SRV-210] starts again after a close, with what it knew', async () => {
    const server = await start({ storeDir: place() });
    await register(server, 'dev');
    const [before] = server.registrations();
    await Promise.all([server.close(), server.close()]);
    await server.start();
    assert.deepEqual(server.registrations(), [before]);
  });

  it('[SRV-219] keeps what was not written yet when the process exits', async () => {
    const storeDir = place();
    const script = path.join(__dirname, '../../support/server-child.ts');
    const child = fork(script, [storeDir, '0'], { execArgv: ['--require', 'tsx/cjs'] });
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    const peer = await TinyPeer.open(port);
    peers.push(peer);
    await peer.register('late');
    child.send('exit');
    await once(child, 'exit');
    const server = await start({ storeDir, storeId: 'child' });
    assert.deepEqual(
      server.registrations().map(({ endpoint }) => endpoint),
      ['late'],
    );
  });

  it('[SRV-207] takes over the events of the one whose port was changed, and says whom that concerns', async () => {
    const storeDir = place();
    const options = { ...OPEN, storeDir, storeId: 'node' };
    const first = acquireServer('restart-events', options);
    await first.ready;
    first.server.pauseEvents();
    await register(first.server, 'dev');
    await first.release(false);
    const second = acquireServer('restart-events', { ...options, host: '127.0.0.2' });
    const events: ServerEvent[] = [];
    try {
      assert.equal(second.adopted, false);
      assert.deepEqual(second.displaced, ['dev']);
      second.server.subscribe((event) => events.push(event));
      await second.ready;
      assert.equal(events.length, 0);
      assert.equal(second.server.resumeEvents(), 0);
      await new Promise((turn) => setImmediate(turn));
      assert.deepEqual(
        second.server.registrations().map(({ endpoint }) => endpoint),
        ['dev'],
        'known at the new place too',
      );
      assert.deepEqual(
        events.map(({ kind }) => kind),
        ['registered'],
      );
      second.server.configure({ ...options, host: '127.0.0.2', unknownDevices: 'refuse' });
      assert.deepEqual(second.server.unwelcome(), ['dev']);
    } finally {
      await second.release(true);
    }
  });
});
