'use strict';
// Our whole server as a plain program uses it, with one listener for its events.
const path = require('node:path');
const { report } = require('./report.cjs');
const { raised } = require('./limits.cjs');

const lib = path.join(process.env.BENCH_BUILD, 'lib');
const { createLwm2mServer } = require(`${lib}/index.js`);
const { DEFAULT_PARAMS } = require(`${lib}/coap/params.js`);

async function main() {
  const server = createLwm2mServer({
    port: 0,
    host: '127.0.0.1',
    unknownDevices: 'accept-without-security',
    limits: raised,
    onError: (error) => console.error(error),
  });
  let events = 0;
  server.subscribe(() => events++);
  await server.start();
  report(server.port, { ...DEFAULT_PARAMS, ...raised }, () => ({ ...server.stats(), events }));
}

void main();
