'use strict';
// Our CoAP engine over our DTLS on a UDP socket, with one resource and DEVICES devices, or those of BENCH_KEYS with raw public keys.
const { createHash, createPrivateKey, createPublicKey } = require('node:crypto');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { report, TIME } = require('./report.cjs');
const { raised } = require('./limits.cjs');

const lib = path.join(process.env.BENCH_BUILD, 'lib');
const { CoapEndpoint } = require(`${lib}/coap/endpoint.js`);
const { DtlsTransport } = require(`${lib}/dtls/transport.js`);
const { createRealClock } = require(`${lib}/transport/clock.js`);
const { Driver } = require(`${lib}/transport/driver.js`);
const { UdpTransport } = require(`${lib}/transport/udp.js`);

const GET = 0x01;
const CONTENT = 0x45;
const KEY = Buffer.from('0123456789abcdef');
const onError = (error) => console.error(error);

function pair(der) {
  const privateKey = createPrivateKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey);
  return { privateKey, publicKey, spki: publicKey.export({ type: 'spki', format: 'der' }) };
}

function certificateStore(file) {
  const { server, devices } = JSON.parse(readFileSync(file, 'utf8'));
  const own = pair(server);
  const name = (spki) => createHash('sha256').update(spki).digest('hex');
  const known = new Map(devices.map((der) => [name(pair(der).spki), pair(der).publicKey]));
  return {
    own: () => [{ privateKey: own.privateKey, publicKey: own.spki, chain: [] }],
    accepts: () => ['rpk'],
    judge: ({ publicKey }) => {
      const hash = name(publicKey);
      const key = known.get(hash);
      if (!key) return { accepted: false, reason: 'unknown-key', alert: 46, detail: 'unknown' };
      return { accepted: true, identity: { scheme: 'coaps', mode: 'rpk', name: hash }, publicKey: key };
    },
  };
}

async function main() {
  const keys = new Map(Array.from({ length: Number(process.env.DEVICES ?? 1000) }, (_, device) => [`device-${device}`, KEY]));
  const driver = new Driver({ clock: createRealClock(), onError });
  const endpoint = new CoapEndpoint({ driver, params: raised, onError });
  const answer = { code: CONTENT, contentFormat: 0, payload: TIME };
  endpoint.route('time', { methods: [GET], handle: (request) => endpoint.respond(request.id, answer) }, 'bench');
  // All devices come from one address.
  const limits = { sourceRate: 100_000, sourceBurst: 100_000, totalRate: 100_000, totalBurst: 100_000 };
  const secure = new DtlsTransport({
    driver,
    sink: endpoint,
    onError,
    limits,
    keys: { psk: (identity) => keys.get(Buffer.from(identity).toString()) },
    ...(process.env.BENCH_KEYS && { certificates: certificateStore(process.env.BENCH_KEYS) }),
    onReport: ({ kind, from, to }) => kind === 'rebind' && endpoint.rebind(from, to),
  });
  const transport = new UdpTransport({ port: 0, host: '127.0.0.1' }, secure);
  await transport.open();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const counters = () => {
    const [p99, max] = [delay.percentile(99) / 1e6, delay.max / 1e6];
    delay.reset();
    return { delay_p99_ms: p99, delay_max_ms: max, sessions: secure.sizes().sessions, rss: process.memoryUsage().rss };
  };
  report(transport.port, limits, counters);
}

void main();
