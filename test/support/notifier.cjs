'use strict';
// A worker with many devices on sockets of their own: they register, let themselves be observed, and notify Confirmable at a steady rate
// in all, each value one higher than the last of its device. workerData: port, devices, perSecond, seconds.
const { createSocket } = require('node:dgram');
const { performance } = require('node:perf_hooks');
const { clearInterval, setInterval } = require('node:timers');
const { parentPort, workerData } = require('node:worker_threads');
const { generate, parse } = require('coap-packet');

const { port, devices, perSecond, seconds } = workerData;
const RETRANSMIT_AFTER = 2_500;
const MAX_RETRANSMIT = 4;
const TICK = 10;

const fleet = Array.from({ length: devices }, (_, index) => ({
  name: `load-${index}`,
  socket: createSocket('udp4'),
  token: undefined,
  value: 0,
  mid: 1 + index,
  waiting: new Map(),
}));
let registered = 0;
let observed = 0;
let sent = 0;
let acknowledged = 0;
let givenUp = 0;

function send(device, packet) {
  device.socket.send(generate(packet), port, '127.0.0.1', () => undefined);
}

function register(device) {
  const query = [`ep=${device.name}`, 'lt=3600', 'lwm2m=1.1', 'b=U'].map((value) => ({ name: 'Uri-Query', value: Buffer.from(value) }));
  const options = [{ name: 'Uri-Path', value: Buffer.from('rd') }, { name: 'Content-Format', value: Buffer.of(40) }, ...query];
  send(device, { confirmable: true, code: '0.02', messageId: device.mid, token: Buffer.of(1), options, payload: Buffer.from('</3303/0>') });
}

function content(value) {
  const observe = Buffer.of((value >> 16) & 255, (value >> 8) & 255, value & 255);
  const options = [
    { name: 'Observe', value: observe },
    { name: 'Content-Format', value: Buffer.alloc(0) },
  ];
  return { code: '2.05', options, payload: Buffer.from(String(value)) };
}

function notify(device) {
  device.value += 1;
  device.mid = (device.mid + 1) & 0xffff;
  const packet = { confirmable: true, messageId: device.mid, token: device.token, ...content(device.value) };
  device.waiting.set(device.mid, { packet, at: performance.now(), tries: 0 });
  sent += 1;
  send(device, packet);
}

function take(device, data) {
  const message = parse(data);
  if (message.code === '2.01') {
    if (!device.registered) registered += 1;
    device.registered = true;
    if (registered === devices) parentPort.postMessage({ kind: 'registered' });
  } else if (message.code === '0.01') {
    if (!device.token) observed += 1;
    device.token = message.token;
    send(device, { ack: true, messageId: message.messageId, token: message.token, ...content(device.value) });
    if (observed === devices) parentPort.postMessage({ kind: 'observed' });
  } else if (message.code === '0.00' && message.ack && device.waiting.delete(message.messageId)) acknowledged += 1;
}

function again() {
  const now = performance.now();
  for (const device of fleet) {
    for (const [mid, entry] of device.waiting) {
      if (now - entry.at < RETRANSMIT_AFTER) continue;
      entry.at = now;
      entry.tries += 1;
      if (entry.tries <= MAX_RETRANSMIT) send(device, entry.packet);
      else {
        device.waiting.delete(mid);
        givenUp += 1;
      }
    }
  }
}

function run() {
  const began = performance.now();
  let next = 0;
  const sending = setInterval(() => {
    const elapsed = Math.min(performance.now() - began, seconds * 1000);
    const wanted = Math.floor((elapsed / 1000) * perSecond);
    while (sent < wanted) notify(fleet[next++ % devices]);
    again();
    if (elapsed < seconds * 1000) return;
    if (fleet.some(({ waiting }) => waiting.size > 0)) return;
    clearInterval(sending);
    const last = Object.fromEntries(fleet.map(({ name, value }) => [name, value]));
    parentPort.postMessage({ kind: 'done', sent, acknowledged, givenUp, last });
  }, TICK);
}

parentPort.on('message', (what) => {
  if (what === 'run') run();
  else for (const { socket } of fleet) socket.close();
});
for (const device of fleet) {
  device.socket.on('message', (data) => take(device, data));
  device.socket.bind(0, '127.0.0.1', () => register(device));
}
