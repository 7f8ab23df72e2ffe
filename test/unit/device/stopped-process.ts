/** Run by a test: a device that has been busy is stopped. If anything were left, this process would not come to its end. */
import { createDevice } from '../../../lib/device/index';
import { Peer } from './peer';

async function run(): Promise<void> {
  const peer = await Peer.open();
  const device = createDevice({ endpoint: 'busy', server: { host: '127.0.0.1', port: peer.port } });
  device.start();
  await peer.accept();
  peer.ask('GET', '/3/0/9', { options: [{ name: 'Observe', value: Buffer.alloc(0) }] });
  await peer.next();
  device.set('/3/0/9', 42);
  // A notification without an acknowledgement, half an upload and half a download: all with timers of their own.
  await peer.next();
  peer.ask('PUT', '/19/0/3', { options: [{ name: 'Block1', value: Buffer.from([8]) }], payload: Buffer.alloc(16, 65) });
  await peer.next();
  peer.ask('GET', '/3/0', { options: [{ name: 'Block2', value: Buffer.from([2]) }] });
  await peer.next();
  const stopped = device.stop();
  const deregister = await peer.next();
  peer.reply(deregister, '2.02');
  await stopped;
  await peer.close();
  process.stdout.write('stopped\n');
}

void run();
