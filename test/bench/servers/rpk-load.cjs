'use strict';
// The load of the benchmark of raw public keys: devices on our own client, as no other in reach has RFC 7250. Each makes handshakes one
// after the other, with a request at the end of each. Says "ready" after the warm-up, waits for a line, measures, and tells as JSON.
const dgram = require('node:dgram');
const { createPrivateKey, createPublicKey } = require('node:crypto');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { clearTimeout, setTimeout } = require('node:timers');
const { parseArgs } = require('node:util');

const lib = path.join(process.env.BENCH_BUILD, 'lib');
const { DtlsTransport } = require(`${lib}/dtls/transport.js`);
const { createRealClock } = require(`${lib}/transport/clock.js`);
const { Driver } = require(`${lib}/transport/driver.js`);

const { values } = parseArgs({
  options: Object.fromEntries(['port', 'kind', 'devices', 'warmup', 'seconds'].map((name) => [name, { type: 'string' }])),
});
const keys = JSON.parse(readFileSync(process.env.BENCH_KEYS, 'utf8')).devices.map((der) => {
  const privateKey = createPrivateKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'der' }), chain: [] };
});
const identity = { scheme: 'coaps', mode: 'rpk', name: 'server' };
const REQUEST = Buffer.from([0x40, 0x01, 0, 1, 0xb4, 0x74, 0x69, 0x6d, 0x65]);
const PATIENCE = 5_000;
let done = 0;
let failed = 0;

/** One handshake and one request, without a goodbye: as a device that starts again. */
function once(own) {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket('udp4');
    const route = {
      key: 'server',
      address: '127.0.0.1',
      port: Number(values.port),
      identity: { scheme: 'coap', mode: 'none', name: '' },
      transport: { maxMessage: 1152, send: (data) => socket.send(data, Number(values.port), '127.0.0.1') },
    };
    const end = (how, value) => {
      clearTimeout(timer);
      device.stop();
      socket.close();
      how(value);
    };
    const timer = setTimeout(() => end(reject, new Error('no answer')), PATIENCE);
    const device = new DtlsTransport({
      driver: new Driver({ clock: createRealClock(), onError: reject }),
      onError: reject,
      suites: ['TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8'],
      limits: { cidLength: 0 },
      keys: { psk: () => undefined },
      certificates: {
        own: () => [],
        accepts: () => [],
        judge: ({ publicKey }) => ({ accepted: true, identity, publicKey: serverKey(publicKey) }),
      },
      sink: { receive: () => end(resolve), gone: () => end(reject, new Error('the session is gone')) },
    });
    socket.on('message', (data) => device.receive(data, route));
    device.connect(route, { own, type: 'rpk', serverType: 'rpk' }).then(
      (peer) => device.send(REQUEST, peer),
      (error) => end(reject, error),
    );
  });
}

let known;
function serverKey(spki) {
  known ??= createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return known;
}

function run(until) {
  return Promise.all(
    Array.from({ length: Number(values.devices) }, async (_, device) => {
      while (Date.now() < until) {
        try {
          await once(keys[device % keys.length]);
          done += 1;
        } catch {
          failed += 1;
        }
      }
    }),
  );
}

async function main() {
  await run(Date.now() + Number(values.warmup) * 1000);
  console.log('ready');
  await new Promise((go) => process.stdin.once('data', go));
  done = failed = 0;
  const start = Date.now();
  await run(start + Number(values.seconds) * 1000);
  console.log(JSON.stringify({ done, failed, seconds: (Date.now() - start) / 1000 }));
  process.stdin.unref();
}

void main();
