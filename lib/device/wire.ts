import { parseBlock, type Block } from './blocks';
import type { DeviceRequest, Method } from './types';

/** An option as npm `coap` parses it: the registered name, or the number as text. */
export interface RawOption {
  readonly name: string | number;
  readonly value: Uint8Array;
}

/** A request off the wire. */
export interface Incoming {
  readonly request: DeviceRequest;
  readonly token: string;
  readonly block1?: Block;
  readonly block2?: Block;
  /** Code to refuse with: a critical option the device does not know or that makes no sense (RFC 7252 5.4). */
  readonly refused?: '4.00' | '4.02' | '5.05';
  /** Tells uploads of the same target apart (RFC 9175 3.2). */
  readonly requestTag: string;
}

const METHODS: Readonly<Record<string, Method>> = {
  '0.01': 'GET',
  '0.02': 'POST',
  '0.03': 'PUT',
  '0.04': 'DELETE',
  '0.05': 'FETCH',
  '0.06': 'PATCH',
  '0.07': 'iPATCH',
};

/** Numbers of the critical options that the packet parser has no name for are odd. */
const NAMED_CRITICAL = [
  'If-Match',
  'If-None-Match',
  'OSCORE',
  'Q-Block1',
  'Q-Block2',
  'OCF-Accept-Content-Format-Version',
  'OCF-Content-Format-Version',
];
const REQUEST_TAG = '292';

/** Reads what the device needs out of a parsed packet. `code` as text, "0.01". */
export function readIncoming(code: string, token: Uint8Array, options: readonly RawOption[], payload: Uint8Array): Incoming {
  const path: string[] = [];
  const query: string[] = [];
  const numbers: { contentFormat?: number; accept?: number; observe?: number } = {};
  const blocks: { block1?: Block; block2?: Block } = {};
  let refused: Incoming['refused'];
  let requestTag = '';
  const once = new Set<string>();

  for (const { name: nameOrNumber, value } of options) {
    const name = String(nameOrNumber);
    const repeated = once.has(name);
    once.add(name);
    switch (name) {
      case 'Uri-Path':
        path.push(Buffer.from(value).toString('utf8'));
        break;
      case 'Uri-Query':
        query.push(Buffer.from(value).toString('utf8'));
        break;
      case 'Accept':
        if (value.length > 2 || repeated) refused ??= '4.02';
        else numbers.accept = uint(value);
        break;
      case 'Content-Format':
        // Elective: of a wrong length it counts as absent (RFC 7252 5.4.3).
        if (value.length <= 2 && !repeated) numbers.contentFormat = uint(value);
        break;
      case 'Observe':
        if (value.length <= 3 && !repeated) numbers.observe = uint(value);
        break;
      case 'Block1':
      case 'Block2': {
        const block = parseBlock(value);
        if (!block || repeated) refused ??= '4.00';
        else if (name === 'Block1') blocks.block1 = block;
        else blocks.block2 = block;
        break;
      }
      case 'Proxy-Uri':
      case 'Proxy-Scheme':
        refused ??= '5.05';
        break;
      case REQUEST_TAG:
        requestTag = Buffer.from(value).toString('hex');
        break;
      default:
        if (NAMED_CRITICAL.includes(name) || Number(name) % 2 === 1) refused ??= '4.02';
    }
  }
  const request: DeviceRequest = { method: METHODS[code] ?? 'unknown', path, query, ...numbers, payload };
  return { request, token: Buffer.from(token).toString('hex'), requestTag, ...blocks, ...(refused ? { refused } : {}) };
}

/** A CoAP uint (RFC 7252 3.2): no leading zero bytes, 0 has none at all. */
export function formatUint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from(bytes);
}

function uint(value: Uint8Array): number {
  return value.reduce((sum, byte) => sum * 256 + byte, 0);
}
