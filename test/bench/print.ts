import type { Kind } from './contestants';
import type { Spread } from './measure';

/** A line of the table; times in µs. */
export interface Row {
  readonly label: string;
  readonly cpu: Spread;
  readonly rate: Spread;
  readonly p50: Spread;
  readonly p99: Spread;
  /** Cores the load used. */
  readonly load: Spread;
  /** Bytes; undefined where it cannot be told or makes no sense. */
  readonly held: number | undefined;
  /** Requests sent again after a second, all rounds. */
  readonly lost: number;
}

/** Our CPU per request divided by theirs. */
export interface Ratio {
  readonly against: string;
  readonly value: Spread;
}

/** Above this the load itself may have been what limited the requests per second. */
const LOAD_LIMIT = 0.9;

const withRange = ({ median, min, max }: Spread, digits: number): string =>
  `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;

export function printTable(kind: Kind, rows: readonly Row[]): void {
  const head = ['', 'server CPU us/request', 'requests/s', 'p50 ms', 'p99 ms', 'held B/exchange', 'load cores', 'resent'];
  const lines = rows.map(({ label, cpu, rate, p50, p99, held, load, lost }) => [
    label,
    withRange(cpu, 1),
    withRange(rate, 0),
    (p50.median / 1000).toFixed(1),
    (p99.median / 1000).toFixed(1),
    held === undefined ? '-' : held.toFixed(0),
    `${load.median.toFixed(2)}${load.median > LOAD_LIMIT ? ' (!)' : ''}`,
    String(lost),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]!.length)));
  console.log(`\n${kind === 'get' ? 'GET /time' : 'Register: POST /rd'}`);
  for (const line of [head, ...lines]) {
    console.log(line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '));
  }
}

export function printRatios(kind: Kind, ratios: readonly Ratio[]): void {
  for (const { against, value } of ratios) console.log(`coap.${kind}.cpu_vs_${against} ${withRange(value, 2)}`);
}

export function printLimits(limits: ReadonlyMap<string, Readonly<Record<string, unknown>>>): void {
  console.log('\nLimits in force:');
  for (const [name, all] of limits) {
    const text = Object.entries(all).map(([key, value]) => `${key} ${String(value)}`);
    console.log(`  ${name}: ${text.length > 0 ? text.join(', ') : 'none told'}`);
  }
}
