import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type * as Codecs from '../../lib/codec/index';
import type * as Oma from '../../lib/model/oma';
import type { DataNode, ResourceType, Value } from '../../lib/lwm2m/types';
import { spread } from './measure';

/**
 * Our codecs beside a CBOR library that knows nothing of LwM2M (cborg, pure JavaScript), on one instance of the Device object with 20
 * values. Ours also finds each value's type in the definition, checks types, ranges, paths and duplicates, and gives nodes.
 */
const FORMATS = { tlv: 11542, senml_cbor: 112, lwm2m_cbor: 11544 } as const;

type Leaf = readonly [ids: readonly number[], type: ResourceType, value: Value];
const LEAVES: readonly Leaf[] = [
  [[0], 'string', 'Open Mobile Alliance'],
  [[1], 'string', 'Lightweight M2M Client'],
  [[2], 'string', '345000123'],
  [[3], 'string', '1.0'],
  [[6, 0], 'integer', 1],
  [[6, 1], 'integer', 5],
  [[7, 0], 'integer', 3800],
  [[7, 1], 'integer', 5000],
  [[8, 0], 'integer', 125],
  [[8, 1], 'integer', 900],
  [[9], 'integer', 100],
  [[10], 'integer', 15],
  [[11, 0], 'integer', 0],
  [[13], 'time', 1367491215],
  [[14], 'string', '+02:00'],
  [[15], 'string', 'Europe/Berlin'],
  [[16], 'string', 'U'],
  [[17], 'string', 'sensor'],
  [[18], 'string', '1.2'],
  [[21], 'integer', 64],
];
const nodes: readonly DataNode[] = LEAVES.map(([ids, type, value]) => ({ path: [3, 0, ...ids], type, value }));

/** The same as maps by id, as TLV has no CBOR of its own to compare. */
function asMaps(): Map<number, unknown> {
  const root = new Map<number, unknown>();
  for (const [[resource = 0, instance], , value] of LEAVES) {
    if (instance === undefined) root.set(resource, value);
    else root.set(resource, ((root.get(resource) as Map<number, unknown> | undefined) ?? new Map<number, unknown>()).set(instance, value));
  }
  return root;
}

/** Calls per second of CPU time, over `ms` milliseconds of it: what else runs on the machine is not counted. */
function rate(call: () => unknown, ms: number): number {
  const began = process.cpuUsage();
  let calls = 0;
  let micros: number;
  do {
    for (let i = 0; i < 100; i += 1) call();
    calls += 100;
    const { user, system } = process.cpuUsage(began);
    micros = user + system;
  } while (micros < ms * 1000);
  return (calls / micros) * 1e6;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      build: { type: 'string', default: 'dist' },
      rounds: { type: 'string', default: '15' },
    },
    // Options of the other benchmarks are none of ours.
    strict: false,
  });
  const build = path.resolve(__dirname, '../..', String(values.build));
  const { codecFor } = (await import(path.join(build, 'lib/codec/index.js'))) as typeof Codecs;
  const { omaModel } = (await import(path.join(build, 'lib/model/oma.js'))) as typeof Oma;
  const library = await import('cborg');
  const context = { path: [3, 0], model: omaModel(), versions: new Map([[3, '1.1']]) };
  const figures: Record<string, number> = {};
  const rounds = Math.max(1, Number(values.rounds));
  console.log(`codec: an instance of ${nodes.length} values; calls per second of CPU, ours and cborg's, and ours divided by cborg's`);
  for (const [name, format] of Object.entries(FORMATS)) {
    const codec = codecFor(format)!;
    const payload = codec.encode(nodes, context);
    const cbor = name === 'tlv' ? library.encode(asMaps()) : payload;
    const plain: unknown = library.decode(cbor, { useMaps: true });
    // Without sorting keys, which takes most of its time and which ours does not do either; undefined would be its default.
    const unsorted = { mapSorter: null } as never;
    const calls = {
      decode: [() => codec.decode(payload, context), () => library.decode(cbor, { useMaps: true }) as unknown],
      encode: [() => codec.encode(nodes, context), () => library.encode(plain, unsorted)],
    } as const;
    for (const [direction, [ours, theirs]] of Object.entries(calls)) {
      rate(ours, 200);
      rate(theirs, 200);
      // By turns, so that what slows the machine down for a while slows both down.
      const samples = Array.from({ length: rounds }, () => [rate(ours, 30), rate(theirs, 30)] as const);
      const own = spread(samples.map(([a]) => a)).median;
      const other = spread(samples.map(([, b]) => b)).median;
      const ratio = spread(samples.map(([a, b]) => a / b));
      const key = `codec.${name}.${direction}`;
      figures[`${key}_vs_cbor`] = Number(ratio.median.toFixed(3));
      figures[`${key}.per_second`] = Math.round(own);
      figures[`${key}.cbor_per_second`] = Math.round(other);
      const range = `[${ratio.min.toFixed(2)}, ${ratio.max.toFixed(2)}]`;
      console.log(
        `  ${name.padEnd(11)} ${direction}  ${Math.round(own)}  ${Math.round(other)}  ${ratio.median.toFixed(2)} ${range}  ${payload.length} bytes`,
      );
    }
  }
  if (typeof values.json === 'string') await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
}

void main();
