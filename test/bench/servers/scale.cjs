'use strict';
const { performance } = require('node:perf_hooks');
// Our whole server with a store, and one listener that makes of each event the message a flow would get. Run with --expose-gc.
const path = require('node:path');
const { raised } = require('./limits.cjs');

const began = performance.now();
const lib = path.join(process.env.BENCH_BUILD, 'lib');
const { createLwm2mServer, toMessage } = require(`${lib}/index.js`);

const TOGETHER = 200;
const storeDir = process.env.BENCH_STORE;

function memory() {
  // Twice: the first collection may leave what finalizers hold.
  globalThis.gc();
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heapUsed, external };
}

function cpu() {
  const { user, system } = process.cpuUsage();
  return { micros: user + system };
}

async function observeAll(server) {
  const path = { ids: [3303, 0, 5700] };
  const waiting = server.registrations().map(({ endpoint }) => endpoint);
  let failed = 0;
  const work = async () => {
    for (let endpoint = waiting.pop(); endpoint !== undefined; endpoint = waiting.pop()) {
      const result = await server.perform(endpoint, { kind: 'Observe', path });
      if (result.kind !== 'answer' || !result.observation) failed++;
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, work));
  return { failed };
}

async function main() {
  const server = createLwm2mServer({
    port: Number(process.env.BENCH_PORT ?? 0),
    host: '127.0.0.1',
    unknownDevices: 'accept-without-security',
    limits: raised,
    ...(storeDir && { storeDir, storeId: 'bench' }),
    onError: (error) => console.error(error),
  });
  let bytes = 0;
  server.subscribe((event) => {
    bytes += toMessage(event).topic.length;
  });
  await server.start();
  const readyAfter = performance.now() - began;
  process.on('message', async (ask) => {
    if (ask === 'memory') process.send(memory());
    else if (ask === 'cpu') process.send(cpu());
    else if (ask === 'observe') process.send(await observeAll(server));
    else if (ask === 'close') {
      await server.close();
      process.send({ bytes });
    }
  });
  process.on('disconnect', () => process.exit());
  process.send({ port: server.port, readyAfter, registrations: server.registrations().length });
}

void main();
