/** Whether the time that it takes to refuse a record of CBC tells what was wrong with it: bad padding, a bad HMAC, or how long the padding is. */
import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type * as Constants from '../../lib/dtls/constants';
import type * as Codec from '../../lib/dtls/record/codec';
import type * as Link from '../../lib/dtls/record/link';
import { parseArgs } from 'node:util';
import { waitForQuiet } from './measure';

const NONE = Buffer.alloc(0);
const keys = { key: randomBytes(16), salt: NONE, mac: randomBytes(32) };
/** Records of each kind. */
const VARIANTS = 64;
/** |t| beyond this is taken for a difference, as it is usual in tests for leaks. */
const THRESHOLD = 4.5;
/** The slowest of all are collections of garbage and other programs, for every kind of record alike. */
const KEPT = 0.9;

interface Kind {
  readonly name: string;
  readonly make: () => Buffer;
}

/** Body of a record of `length` bytes of plaintext whose padding is `pad` + 1 bytes, wrong where that is asked for. */
function body(length: number, pad: number, wrong: { hmac?: boolean; padding?: boolean }): Buffer {
  const content = randomBytes(length - 32 - pad - 1);
  const header = Buffer.from([0, 1, 0, 0, 0, 0, 0, 5, 23, 0xfe, 0xfd, content.length >> 8, content.length & 255]);
  const hmac = createHmac('sha256', keys.mac).update(header).update(content).digest();
  if (wrong.hmac) hmac[0]! ^= 1;
  const padding = Buffer.alloc(pad + 1, pad);
  if (wrong.padding) padding[0]! ^= 1;
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-128-cbc', keys.key, iv).setAutoPadding(false);
  return Buffer.concat([iv, cipher.update(Buffer.concat([content, hmac, padding])), cipher.final()]);
}

/** A length at which a padding of 16 bytes, taken for none, gives the HMAC a block more: there the attack is easiest. */
const LENGTH = 336;
const KINDS: readonly Kind[] = [
  { name: 'bad_hmac', make: () => body(LENGTH, 15, { hmac: true }) },
  { name: 'bad_padding', make: () => body(LENGTH, 15, { padding: true }) },
  { name: 'bad_hmac_shortest_padding', make: () => body(LENGTH, 0, { hmac: true }) },
  { name: 'bad_hmac_longest_padding', make: () => body(LENGTH, 255, { hmac: true }) },
  { name: 'bad_hmac_again', make: () => body(LENGTH, 15, { hmac: true }) },
];

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: readonly number[], of: number): number =>
  values.reduce((sum, value) => sum + (value - of) ** 2, 0) / (values.length - 1);

interface Comparison {
  readonly ratio: number;
  /** Half of the interval that holds the ratio of the means in 95 of 100 cases. */
  readonly margin: number;
  readonly t: number;
}

/** Welch's t of two samples, and the ratio of their means with its interval (delta method). */
function compare(ours: readonly number[], base: readonly number[]): Comparison {
  const [left, right] = [mean(ours), mean(base)];
  const [leftError, rightError] = [variance(ours, left) / ours.length, variance(base, right) / base.length];
  const ratio = left / right;
  return {
    ratio,
    margin: 1.96 * ratio * Math.sqrt(leftError / left ** 2 + rightError / right ** 2),
    t: (left - right) / Math.sqrt(leftError + rightError),
  };
}

/** Without the slowest, by the same limit for all kinds. */
function cropped(samples: ReadonlyMap<string, number[]>): Map<string, number[]> {
  const all = [...samples.values()].flat().sort((a, b) => a - b);
  const limit = all[Math.floor(all.length * KEPT)]!;
  return new Map([...samples].map(([name, values]) => [name, values.filter((value) => value <= limit)]));
}

async function measure(build: string, rounds: number): Promise<Map<string, number[]>> {
  const { suiteById } = (await import(path.join(build, 'lib/dtls/constants.js'))) as typeof Constants;
  const { readRecord } = (await import(path.join(build, 'lib/dtls/record/codec.js'))) as typeof Codec;
  const { SecureLink } = (await import(path.join(build, 'lib/dtls/record/link.js'))) as typeof Link;
  const suite = suiteById(0x00ae);
  if (!suite) throw new Error('there is no such suite');
  // All of them are opened at the same place: that of a record in memory and in the caches has a time of its own.
  const place = Buffer.alloc(13 + 16 + LENGTH);
  place.set([23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 5, (16 + LENGTH) >> 8, (16 + LENGTH) & 255]);
  const record = readRecord(place, 0, 0);
  if (!record) throw new Error('the record cannot be read');
  const link = new SecureLink({ suite, encryptThenMac: false, write: keys, read: keys, ownCid: NONE, peerCid: NONE });
  const records = KINDS.map(({ make }) => Array.from({ length: VARIANTS }, () => make()));
  const samples = new Map(KINDS.map(({ name }) => [name, [] as number[]]));
  const warmup = Math.min(2_000, rounds);
  const order = KINDS.map((_, index) => index);
  for (let round = 0; round < warmup + rounds; round++) {
    // A new order each time: nobody always comes behind the same one.
    for (let index = order.length - 1; index > 0; index--) {
      const other = Math.floor(Math.random() * (index + 1));
      [order[index], order[other]] = [order[other]!, order[index]!];
    }
    for (const index of order) {
      place.set(records[index]![round % VARIANTS]!, 13);
      const from = process.hrtime.bigint();
      // A second apart, so that the limit on forged records is never met.
      const result = link.open(record, round * 1_000, true);
      const took = Number(process.hrtime.bigint() - from);
      if (result !== 'forged') throw new Error(`a record was not refused: ${JSON.stringify(result)}`);
      if (round >= warmup) samples.get(KINDS[index]!.name)!.push(took);
    }
  }
  return samples;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      tries: { type: 'string', default: '300000' },
      json: { type: 'string' },
      build: { type: 'string', default: 'dist' },
    },
    // Options of the other benchmarks are none of ours.
    strict: false,
  });
  const rounds = Number(values.tries);
  if (!Number.isInteger(rounds) || rounds < 100) throw new Error('--tries wants a number from 100 up.');
  await waitForQuiet(5);
  const samples = cropped(await measure(path.resolve(__dirname, '../..', String(values.build)), rounds));
  const figures: Record<string, number> = {};
  const base = samples.get('bad_hmac')!;
  console.log(
    `Refusing a record of ${LENGTH} bytes of CBC takes ${(mean(base) / 1000).toFixed(2)} us with a bad HMAC. Beside that, ${rounds} rounds:`,
  );
  for (const { name } of KINDS.slice(1)) {
    const { ratio, margin, t } = compare(samples.get(name)!, base);
    figures[`cbc.${name}_vs_bad_hmac`] = ratio;
    figures[`cbc.${name}_welch_t`] = t;
    const verdict = Math.abs(t) < THRESHOLD ? 'no difference to be seen' : 'told apart by this many tries';
    console.log(`cbc.${name}_vs_bad_hmac ${ratio.toFixed(4)} +- ${margin.toFixed(4)}, Welch's t ${t.toFixed(1)}: ${verdict}`);
  }
  if (values.json !== undefined) writeFileSync(String(values.json), JSON.stringify(figures));
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
