/** A whole server in a process of its own, that a test may kill: `server-child.ts FOLDER PORT`. Says its port, and answers `list`. */
import { createLwm2mServer } from '../../lib/index';

async function main(): Promise<void> {
  const [storeDir = '', port = '0'] = process.argv.slice(2);
  const notices: string[] = [];
  const server = createLwm2mServer({
    name: 'child',
    host: '127.0.0.1',
    port: Number(port),
    storeDir,
    unknownDevices: 'accept-without-security',
    limits: { sourceRate: 1e9, sourceBurst: 1e9, addressRate: 1e9, addressBurst: 1e9 },
    onError: (error) => notices.push(String(error)),
    onNotice: (text) => notices.push(text),
  });
  await server.start();
  process.on('message', (ask) => {
    if (ask === 'exit') process.exit();
    const registrations = server.registrations().map(({ id, endpoint, lifetime }) => ({ id, endpoint, lifetime }));
    process.send?.({ registrations, notices, port: server.port });
  });
  process.on('disconnect', () => process.exit());
  process.send?.({ port: server.port });
}

void main();
