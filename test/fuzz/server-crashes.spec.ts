import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import path from 'node:path';
import * as coap from '../support/coap-message';
import { FUZZ } from '../support/fuzz';
import { createRandom, type Random } from '../support/random';
import { storeFolder } from '../support/store-folder';

/** Registers and Updates a second, together. */
const PER_SECOND = 50;
/** How long an acknowledged change may be lost by a kill, ms. */
const SOFT = 1_000;
/** A store lives through so many kills before a new one begins. */
const LIVES = 10;

/** What a device was told, and when. */
interface Told {
  readonly endpoint: string;
  readonly id: string;
  lifetime: number;
  /** The lifetimes it had before, while they may still be what is found. */
  readonly earlier: { readonly lifetime: number; readonly until: number }[];
  registeredAt: number;
}

class Child {
  readonly process: ChildProcess;
  port = 0;

  constructor(folder: string, port: number) {
    const options = { execArgv: ['--require', 'tsx/cjs'], env: { ...process.env, TSX_DISABLE_CACHE: '1' } };
    this.process = fork(path.join(__dirname, '../support/server-child.ts'), [folder, String(port)], options);
  }

  async next(): Promise<Record<string, unknown>> {
    const [message] = (await once(this.process, 'message')) as [Record<string, unknown>];
    return message;
  }

  async ready(): Promise<void> {
    this.port = Number((await this.next())['port']);
  }

  async kill(): Promise<void> {
    const gone = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await gone;
  }
}

/** Devices that register and update at a steady rate, and note what was acknowledged. */
class Devices {
  readonly told = new Map<string, Told>();
  readonly #waiting = new Map<string, (answer: coap.CoapMessage, at: number) => void>();
  readonly #random: Random;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #number = 0;

  constructor(seed: number) {
    this.#random = createRandom(seed);
  }

  async start(port: number): Promise<void> {
    const socket = createSocket('udp4');
    socket.on('message', (data) => {
      const answer = coap.decodeMessage(data);
      this.#waiting.get(answer.token.toString('hex'))?.(answer, performance.now());
    });
    socket.on('error', () => undefined);
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    this.#socket = socket;
    this.#timer = setInterval(() => this.#one(), 1000 / PER_SECOND);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#waiting.clear();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #one(): void {
    const known = [...this.told.values()];
    if (known.length > 20 && this.#random.chance(0.5)) this.#update(this.#random.pick(known));
    else this.#register(known.length > 60 && this.#random.chance(0.3) ? this.#random.pick(known).endpoint : `dev-${this.#number++}`);
  }

  #register(endpoint: string): void {
    const lifetime = 3_000 + this.#random.int(1_000_000);
    const query = [`ep=${endpoint}`, `lt=${lifetime}`, 'lwm2m=1.1', 'b=U'];
    const options = [
      ...coap.pathOptions('/rd'),
      coap.uintOption(coap.OptionNumber.ContentFormat, 40),
      ...query.map((item) => coap.textOption(coap.OptionNumber.UriQuery, item)),
    ];
    this.#ask(options, Buffer.from('</3/0>'), (answer, at) => {
      assert.equal(coap.codeText(answer.code), '2.01');
      const [, id = ''] = coap.texts(answer, coap.OptionNumber.LocationPath);
      // The registration before may be found for as long as this one may be lost.
      const before = this.told.get(endpoint);
      this.told.set(endpoint, { endpoint, id, lifetime, earlier: [], registeredAt: at });
      if (before && at - before.registeredAt > SOFT) this.#replaced.push({ ...before, until: at + SOFT });
    });
  }

  #update(device: Told): void {
    const lifetime = 3_000 + this.#random.int(1_000_000);
    const options = [...coap.pathOptions(`/rd/${device.id}`), coap.textOption(coap.OptionNumber.UriQuery, `lt=${lifetime}`)];
    // From now on the new one may be there, acknowledged or not; the old one until the soft time after the acknowledgement.
    this.#ask(options, Buffer.alloc(0), (answer, at) => {
      if (this.told.get(device.endpoint) !== device) return;
      assert.equal(coap.codeText(answer.code), '2.04');
      device.earlier.push({ lifetime: device.lifetime, until: at + SOFT });
      device.lifetime = lifetime;
    });
  }

  readonly #replaced: (Told & { until: number })[] = [];

  #ask(options: coap.CoapOption[], payload: Buffer, done: (answer: coap.CoapMessage, at: number) => void): void {
    const token = Buffer.alloc(4);
    token.writeUInt32BE(this.#number++);
    this.#waiting.set(token.toString('hex'), done);
    const message: Parameters<typeof coap.encodeMessage>[0] = {
      type: coap.CON,
      code: coap.code('0.02'),
      mid: this.#number & 0xffff,
      token,
      options,
      payload,
    };
    this.#socket?.send(coap.encodeMessage(message), () => undefined);
  }

  /** Every registration that was acknowledged more than the soft time before the kill is there, with a lifetime it had then or later. */
  check(found: readonly { id: string; endpoint: string; lifetime: number }[], killedAt: number): void {
    const byEndpoint = new Map(found.map((each) => [each.endpoint, each]));
    assert.equal(byEndpoint.size, found.length, 'one registration a device');
    for (const [endpoint, told] of this.told) {
      const there = byEndpoint.get(endpoint);
      if (killedAt - told.registeredAt > SOFT) {
        assert.ok(there, `${endpoint}, registered ${Math.round(killedAt - told.registeredAt)} ms before the kill, is gone`);
        const before = this.#replaced.find(({ id, until }) => id === there.id && until > killedAt);
        assert.ok(there.id === told.id || before, `${endpoint} has another id`);
        if (there.id === told.id) {
          const possible = [told.lifetime, ...told.earlier.filter(({ until }) => until > killedAt).map(({ lifetime }) => lifetime)];
          // An Update that was not acknowledged any more may have been kept as well: only what is too old is wrong.
          const tooOld = told.earlier.some(({ lifetime, until }) => until <= killedAt && lifetime === there.lifetime);
          assert.ok(possible.includes(there.lifetime) || !tooOld, `${endpoint} has a lifetime of long ago`);
        }
      }
      // Go on with what the server knows.
      if (there) this.told.set(endpoint, { ...there, earlier: [], registeredAt: told.registeredAt });
      else this.told.delete(endpoint);
    }
    this.#replaced.length = 0;
  }
}

describe(`A server that is killed ${FUZZ.crashes} times under ${PER_SECOND} registrations and updates a second (seed ${FUZZ.seed})`, function () {
  this.timeout(60_000 + FUZZ.crashes * 30_000);

  const place = storeFolder();

  it('[SRV-218] finds every registration that was acknowledged more than a second before', async () => {
    const random = createRandom(FUZZ.seed);
    let folder = '';
    let devices = new Devices(FUZZ.seed);
    let port = 0;
    let checked = 0;
    for (let kill = 0; kill <= FUZZ.crashes; kill += 1) {
      if (kill % LIVES === 0) {
        folder = place();
        devices = new Devices(FUZZ.seed + kill);
        port = 0;
      }
      const child = new Child(folder, port);
      try {
        await child.ready();
        ({ port } = child);
        await devices.start(port);
        await new Promise((resolve) => setTimeout(resolve, 1_200 + random.int(1_500)));
        const killedAt = performance.now();
        await child.kill();
        devices.stop();
        const after = new Child(folder, port);
        try {
          await after.ready();
          after.process.send('list');
          const { registrations, notices } = await after.next();
          assert.deepEqual(notices, [], 'a kill is no damage');
          devices.check(registrations as { id: string; endpoint: string; lifetime: number }[], killedAt);
          checked += devices.told.size;
        } finally {
          await after.kill();
        }
      } finally {
        devices.stop();
        if (child.process.exitCode === null && child.process.signalCode === null) await child.kill();
      }
    }
    assert.ok(checked > FUZZ.crashes * 10, `${checked} registrations were looked for`);
  });
});
