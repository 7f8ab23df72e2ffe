import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeMessage, MalformedMessage, type CoapMessage } from './coap-message';

/** Who sent a recorded datagram: the LwM2M client, or the server it talks to. */
export type Direction = 'C->S' | 'S->C';

/** One datagram as it was on the wire. */
export interface TraceRecord {
  readonly index: number;
  /** Milliseconds since the client was started. */
  readonly time: number;
  readonly direction: Direction;
  readonly bytes: Buffer;
  /** What the recording says was being tried at this point. */
  readonly step: string;
}

export interface Trace {
  readonly name: string;
  readonly records: readonly TraceRecord[];
}

const FOLDER = join(__dirname, '../vectors/traces');
const RECORD = /^(\d+) (\d+\.\d+) (C->S|S->C) ((?:[0-9a-f]{2})+)$/;

/**
 * Reads a trace: `index seconds direction hex` a line, `# -- ` lines that say what is tried next, other `#` lines for people.
 * Throws on a line of any other shape.
 */
export function parseTrace(name: string, text: string): Trace {
  const records: TraceRecord[] = [];
  let step = '';
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('# -- ')) step = line.slice(5).trim();
    if (line === '' || line.startsWith('#')) continue;
    const match = RECORD.exec(line);
    if (match === null) throw new Error(`trace ${name}: not a record: ${line.slice(0, 60)}`);
    const [, index, seconds, direction, hex] = match as unknown as [string, string, string, Direction, string];
    records.push({ index: Number(index), time: Math.round(Number(seconds) * 1000), direction, bytes: Buffer.from(hex, 'hex'), step });
  }
  return { name, records };
}

/** The names of all traces, sorted. */
export function traceNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.txt'))
    .map((file) => file.slice(0, -'.txt'.length))
    .sort();
}

export function loadTrace(name: string): Trace {
  return parseTrace(name, readFileSync(join(FOLDER, `${name}.txt`), 'utf8'));
}

export function loadTraces(): Trace[] {
  return traceNames().map(loadTrace);
}

/** The record as CoAP; undefined when the peer sent something that is none. */
export function decodeRecord(record: TraceRecord): CoapMessage | undefined {
  try {
    return decodeMessage(record.bytes);
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined;
    throw error;
  }
}
