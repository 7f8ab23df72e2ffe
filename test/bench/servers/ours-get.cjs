'use strict';
// Our engine alone: a CoapEndpoint on a UDP socket with one resource.
const path = require('node:path');
const { report, TIME } = require('./report.cjs');
const { raised } = require('./limits.cjs');

const lib = path.join(process.env.BENCH_BUILD, 'lib');
const { CoapEndpoint } = require(`${lib}/coap/endpoint.js`);
const { DEFAULT_PARAMS } = require(`${lib}/coap/params.js`);
const { createRealClock } = require(`${lib}/transport/clock.js`);
const { Driver } = require(`${lib}/transport/driver.js`);
const { UdpTransport } = require(`${lib}/transport/udp.js`);

const GET = 0x01;
const CONTENT = 0x45;
const onError = (error) => console.error(error);

async function main() {
  const driver = new Driver({ clock: createRealClock(), onError });
  const endpoint = new CoapEndpoint({ driver, params: raised, onError });
  const answer = { code: CONTENT, contentFormat: 0, payload: TIME };
  endpoint.route('time', { methods: [GET], handle: (request) => endpoint.respond(request.id, answer) }, 'bench');
  const transport = new UdpTransport({ port: 0, host: '127.0.0.1' }, endpoint);
  await transport.open();
  report(transport.port, { ...DEFAULT_PARAMS, ...raised }, () => endpoint.counters);
}

void main();
