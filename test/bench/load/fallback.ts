/** What `load.c` does, where that cannot be had: same options, same output, less load. */
import dgram from 'node:dgram';
import { parseArgs } from 'node:util';
import { generate } from 'coap-packet';

const LINKS = '</>;rt="oma.lwm2m";ct="60 110 112",</1/0>,</3/0>,</4/0>,</5/0>,</6/0>,</3303/0>,</3303/1>';
const RETRANSMIT_AFTER = 1000;

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    kind: { type: 'string', default: 'get' },
    devices: { type: 'string', default: '100' },
    warmup: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '3' },
    each: { type: 'string', default: '0' },
  },
});
const registers = values.kind === 'register';
const expected = registers ? 0x41 : 0x45;
const port = Number(values.port);

interface Device {
  readonly socket: dgram.Socket;
  readonly request: Buffer;
  messageId: number;
  sentAt: number;
  outstanding: boolean;
  answers: number;
}

function build(index: number): Buffer {
  const query = [`ep=bench-${String(index).padStart(6, '0')}`, 'lt=300', 'lwm2m=1.1', 'b=U'];
  const token = Buffer.alloc(4);
  token.writeUInt32BE(index);
  return generate({
    code: registers ? 'POST' : 'GET',
    confirmable: true,
    messageId: 0,
    token,
    options: [
      { name: 'Uri-Path', value: Buffer.from(registers ? 'rd' : 'time') },
      ...(registers ? [{ name: 'Content-Format' as const, value: Buffer.from([40]) }] : []),
      ...(registers ? query.map((text) => ({ name: 'Uri-Query' as const, value: Buffer.from(text) })) : []),
    ],
    ...(registers && { payload: Buffer.from(LINKS) }),
  });
}

const devices: Device[] = [];
let limit = 0;
let sending = false;
let idle = () => {};
let latencies: number[] = [];
let counts = { received: 0, refused: 0, stray: 0, retransmitted: 0, send_errors: 0 };

function transmit(device: Device): void {
  device.sentAt = performance.now();
  device.socket.send(device.request, (error) => {
    if (error) counts.send_errors++;
  });
}

function ask(device: Device): void {
  device.messageId = (device.messageId + 1) & 0xffff;
  device.request.writeUInt16BE(device.messageId, 2);
  device.outstanding = true;
  transmit(device);
}

function answered(device: Device, data: Buffer): void {
  if (data[0] !== 0x64 || !device.outstanding || data.readUInt16BE(2) !== device.messageId) {
    counts.stray++;
    return;
  }
  latencies.push(Math.round((performance.now() - device.sentAt) * 1000));
  if (data[1] === expected) counts.received++;
  else counts.refused++;
  device.outstanding = false;
  device.answers++;
  if (sending && (limit === 0 || device.answers < limit)) ask(device);
  else if (devices.every((each) => !each.outstanding)) idle();
}

async function open(index: number): Promise<void> {
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((connected) => socket.connect(port, '127.0.0.1', connected));
  const device: Device = {
    socket,
    request: build(index),
    messageId: Math.floor(Math.random() * 0x10000),
    sentAt: 0,
    outstanding: false,
    answers: 0,
  };
  socket.on('message', (data) => answered(device, data));
  socket.on('error', () => counts.send_errors++);
  devices.push(device);
}

/** Resolves with the seconds during which requests were sent. */
async function run(seconds: number, each: number): Promise<number> {
  const began = performance.now();
  let stopped = 0;
  limit = each;
  sending = true;
  const rescue = setInterval(() => {
    for (const device of devices) {
      if (!device.outstanding || performance.now() - device.sentAt < RETRANSMIT_AFTER) continue;
      counts.retransmitted++;
      transmit(device);
    }
  }, 100);
  const end = setTimeout(
    () => {
      stopped = performance.now();
      sending = false;
    },
    each > 0 ? 600_000 : seconds * 1000,
  );
  await new Promise<void>((done) => {
    idle = done;
    for (const device of devices) {
      device.answers = 0;
      ask(device);
    }
  });
  clearInterval(rescue);
  clearTimeout(end);
  return ((stopped || performance.now()) - began) / 1000;
}

async function main(): Promise<void> {
  for (let index = 0; index < Number(values.devices); index++) await open(index);
  const each = Number(values.each);
  const warmup = Number(values.warmup);
  await run(warmup, each > 0 ? warmup : 0);
  console.log('warm');
  await new Promise((line) => process.stdin.once('data', line));
  counts = { received: 0, refused: 0, stray: 0, retransmitted: 0, send_errors: 0 };
  latencies = [];
  const cpu = process.cpuUsage();
  const seconds = await run(Number(values.seconds), each);
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const percentile = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  const result = {
    ...counts,
    seconds,
    per_second: counts.received / seconds,
    p50_us: percentile(0.5),
    p90_us: percentile(0.9),
    p99_us: percentile(0.99),
    cpu_seconds: (user + system) / 1e6,
  };
  console.log(
    Object.entries(result)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  );
  process.exit(0);
}

void main();
