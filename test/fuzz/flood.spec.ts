import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { createLwm2mServer, type Lwm2mServer } from '../../lib/index';
import { createRealClock } from '../../lib/transport/clock';
import type { Clock } from '../../lib/transport/types';
import * as coap from '../support/coap-message';
import { floodDatagram, REGISTER_PAYLOAD, registerOptions } from '../support/flood';
import { liveHeap } from '../support/fuzz';
import { createRandom } from '../support/random';

/** `FLOOD_COUNT` of the environment; 100000 is the full measure. */
const COUNT = Number(process.env['FLOOD_COUNT'] ?? 20_000);
const DEVICES = 100;
const SOURCE = '127.0.0.2';
const SERVER = '127.0.0.1';
/** When a device sends again what was not answered, ms (RFC 7252 4.2). */
const REPEATS = [2_000, 6_000, 14_000, 30_000];

/** A device made of a socket: it sends a Confirmable request, again if need be, and hands out the answer. */
class Device {
  readonly #socket: Socket;
  #mid = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(port: number): Promise<Device> {
    const socket = createSocket('udp4');
    socket.connect(port, SERVER);
    await once(socket, 'connect');
    return new Device(socket);
  }

  ask(request: Pick<coap.CoapMessage, 'code' | 'options'> & { payload?: Buffer }): Promise<coap.CoapMessage> {
    this.#mid += 1;
    const mid = this.#mid;
    const bytes = coap.encodeMessage({ type: coap.CON, mid, token: coap.uint(mid), ...request });
    return new Promise((resolve, reject) => {
      const timers = REPEATS.map((delay) => setTimeout(() => this.#socket.send(bytes), delay));
      const end = (): void => {
        timers.forEach(clearTimeout);
        this.#socket.off('message', hear);
      };
      timers.push(
        setTimeout(() => {
          end();
          reject(new Error('a device got no answer'));
        }, 62_000),
      );
      const hear = (data: Buffer): void => {
        const answer = coap.decodeMessage(data);
        if (answer.mid !== mid) return;
        end();
        resolve(answer);
      };
      this.#socket.on('message', hear);
      this.#socket.send(bytes);
    });
  }

  close(): void {
    this.#socket.close();
  }
}

/** The real time, and a way to be later. */
function leapingClock(): Clock & { leap(ms: number): void } {
  const real = createRealClock();
  let ahead = 0;
  let alarm = { at: Infinity, wake: (): void => undefined };
  const clock = {
    now: () => real.now() + ahead,
    wall: () => real.wall() + ahead,
    alarm: (at: number, wake: () => void) => {
      alarm = { at, wake };
      real.alarm(at - ahead, wake);
    },
    leap: (ms: number) => {
      ahead += ms;
      clock.alarm(alarm.at, alarm.wake);
    },
  };
  return clock;
}

function sizes(server: Lwm2mServer): object {
  const { peers, exchanges, bodyBytes, timers, registrations, observations, pendingOperations } = server.stats();
  return { peers, exchanges, bodyBytes, timers, registrations, observations, pendingOperations };
}

describe(`A flood of ${COUNT} datagrams from ${SOURCE}`, function () {
  before(async function () {
    const probe = createSocket('udp4');
    probe.bind(0, SOURCE);
    await once(probe, 'listening').then(
      () => probe.close(),
      () => {
        console.error(`\nSKIPPED the flood: this system has no ${SOURCE}`);
        this.skip();
      },
    );
  });

  it(`keeps none of ${DEVICES} devices from registering, and nothing is left of it`, async () => {
    const names = Array.from({ length: DEVICES }, (_, index) => `device-${index}`);
    const clock = leapingClock();
    const errors: unknown[] = [];
    const server = createLwm2mServer({
      port: 0,
      host: SERVER,
      clock,
      unknownDevices: 'refuse',
      devices: names.map((endpoint) => ({ endpoint, mode: 'none' as const })),
      onError: (error) => errors.push(error),
    });
    await server.start();
    const devices = await Promise.all(names.map(() => Device.open(server.port)));
    const base = sizes(server);
    const heap = liveHeap();
    const random = createRandom(20_260_104);
    const flooder = new Worker(path.join(__dirname, '..', 'support', 'flooder.cjs'), {
      workerData: {
        datagrams: Array.from({ length: 5_000 }, () => floodDatagram(random)),
        count: COUNT,
        from: SOURCE,
        ports: 20,
        to: { address: SERVER, port: server.port },
      },
    });
    const flooded = once(flooder, 'message');
    const exited = once(flooder, 'exit');
    await once(flooder, 'online');
    // One after the other, so that they spread over the flood.
    const answers: coap.CoapMessage[] = [];
    const register = async (index: number): Promise<void> => {
      const options = registerOptions(`device-${index}`);
      answers[index] = await (devices[index] as Device).ask({ code: coap.code('0.02'), options, payload: REGISTER_PAYLOAD });
    };
    const lane = async (first: number): Promise<void> => {
      for (let index = first; index < DEVICES; index += 10) await register(index);
    };
    await Promise.all([...Array.from({ length: 10 }, (_, first) => lane(first)), flooded]);
    await exited;
    assert.deepEqual(
      answers.map(({ code }) => coap.codeText(code)),
      names.map(() => '2.01'),
    );
    assert.equal(server.registrations().length, DEVICES);
    assert.ok(server.stats().datagramsReceived > COUNT / 20, 'the flood arrived');

    const deregister = async (device: Device, index: number): Promise<void> => {
      const location = coap.texts(answers[index] as coap.CoapMessage, coap.OptionNumber.LocationPath).join('/');
      const gone = await device.ask({ code: coap.code('0.04'), options: coap.pathOptions(location) });
      assert.equal(coap.codeText(gone.code), '2.02');
    };
    await Promise.all(devices.map(deregister));
    for (const device of devices) device.close();
    // A peer that was in use when its time came gets another 247 s.
    for (let leaps = 0; leaps < 4 && JSON.stringify(sizes(server)) !== JSON.stringify(base); leaps += 1) {
      clock.leap(260_000);
      // Set after the server's alarm, it rings after it.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.deepEqual(sizes(server), base);
    assert.deepEqual(errors, []);
    const grown = liveHeap() - heap;
    assert.ok(grown < 8_000_000, `the heap grew by ${grown} bytes`);
    await server.close();
  });
});
