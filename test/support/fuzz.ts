import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Peer, Transport } from '../../lib/transport/types';
import { decodeTrace, isRegister } from './recorded-exchanges';
import { loadTraces } from './traces';

/** How much and from which seed; `FUZZ_COUNT` and `FUZZ_SEED` of the environment, `CRASH_COUNT` for processes that are killed. */
export const FUZZ = {
  count: positive('FUZZ_COUNT', 10_000),
  seed: positive('FUZZ_SEED', 20_260_101),
  crashes: positive('CRASH_COUNT', 5),
};

function positive(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return otherwise;
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`${name} must be a positive number, not "${text}"`);
  return Number(text);
}

/** The recorded datagrams of clients; `registers` are those that begin a registration. */
export function corpus(): { readonly all: readonly Buffer[]; readonly registers: readonly Buffer[] } {
  const sent = loadTraces()
    .flatMap(decodeTrace)
    .filter(({ record }) => record.direction === 'C->S');
  const distinct = new Map(sent.map(({ record }) => [record.bytes.toString('hex'), record.bytes]));
  return { all: [...distinct.values()], registers: sent.filter(({ message }) => isRegister(message)).map(({ record }) => record.bytes) };
}

/** A transport that gives every datagram a source of its own, and keeps what is sent back. */
export class StrangersTransport implements Transport {
  readonly maxMessage = 1152;
  readonly replies: { readonly key: string; readonly data: Buffer }[] = [];
  private next = 0;

  send(data: Uint8Array, peer: Peer): void {
    this.replies.push({ key: peer.key, data: Buffer.from(data) });
  }

  /** A peer nobody has seen before. */
  stranger(): Peer {
    const index = this.next;
    this.next += 1;
    const address = `10.${(index >> 16) & 0xff}.${(index >> 8) & 0xff}.${index & 0xff}`;
    const port = 1_024 + (index % 60_000);
    return { key: `udp|${address}|${port}`, address, port, identity: { scheme: 'coap', mode: 'none', name: '' }, transport: this };
  }
}

/** Counts what escapes every handler while `work` runs. */
export async function countEscapes(work: () => Promise<void>): Promise<unknown[]> {
  const escaped: unknown[] = [];
  const note = (error: unknown): void => void escaped.push(error);
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
  try {
    await work();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('uncaughtException', note);
    process.off('unhandledRejection', note);
  }
  return escaped;
}

/** Bytes of live heap, after a full collection. */
export function liveHeap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
