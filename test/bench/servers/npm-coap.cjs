'use strict';
// The least a server on npm `coap` can do: a constant for a GET; for a Register, read the query and answer 2.01 with a location.
const dgram = require('node:dgram');
const { URLSearchParams } = require('node:url');
const { createServer } = require('coap');
const { report, TIME } = require('./report.cjs');

const socket = dgram.createSocket('udp4');
const registered = new Map();
socket.bind(0, '127.0.0.1', () => {
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.setOption('Content-Format', 'text/plain');
      response.end(TIME);
      return;
    }
    const endpoint = new URLSearchParams(request.url.split('?')[1] ?? '').get('ep') ?? '';
    registered.set(endpoint, request.rsinfo);
    response.code = '2.01';
    response.setOption('Location-Path', [Buffer.from('rd'), Buffer.from(endpoint)]);
    response.end();
  });
  server.listen(socket);
  report(socket.address().port, { exchangeLifetime: 247_000 });
});
