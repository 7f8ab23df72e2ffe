import { answer } from '../../../lib/device/answer';
import type { DeviceRequest, DeviceResponse } from '../../../lib/device/types';
import { createWorld, tickWorld, type World, type WorldOptions } from '../../../lib/device/world';
import { omaModel } from '../../../lib/model/oma';

export const START = Date.UTC(2026, 0, 1) / 1000;

/** A device without a network, and its time in seconds. */
export interface Ground {
  readonly world: World;
  /** Lets time pass in steps of one second. */
  readonly pass: (seconds: number) => void;
}

export function ground(options: Partial<WorldOptions> = {}): Ground {
  let now = 0;
  const world = createWorld({
    model: omaModel(),
    version: '1.1',
    lifetime: 300,
    binding: 'U',
    seed: 1,
    wall: () => START + now,
    ...options,
  });
  return {
    world,
    pass: (seconds) => {
      for (let step = 0; step < seconds; step += 1) tickWorld(world, (now += 1));
    },
  };
}

/** All of a request but method and path; text payloads are UTF-8. */
export type More = Partial<Omit<DeviceRequest, 'payload'>> & { payload?: Uint8Array | string };

/** Asks as in `ask(world, 'GET', '/3/0/9', { accept: 11542 })`. */
export function ask(world: World, method: DeviceRequest['method'], path: string, more: More = {}): DeviceResponse {
  const { payload = '', ...rest } = more;
  return answer(world, {
    method,
    path: path === '/' ? [] : path.split('/').slice(1),
    query: [],
    ...rest,
    payload: Buffer.from(payload as string),
  });
}

export function text(response: DeviceResponse): string {
  return Buffer.from(response.payload ?? []).toString('utf8');
}

export function hex(response: DeviceResponse): string {
  return Buffer.from(response.payload ?? []).toString('hex');
}

export function fromHex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(' ', ''), 'hex');
}
