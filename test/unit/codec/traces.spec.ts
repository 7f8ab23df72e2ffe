import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'coap-packet';
import { DecodeError, codecFor, decodePayload } from '../../../lib/codec';
import { parseLinks } from '../../../lib/lwm2m/link-format';
import { omaModel } from '../../../lib/model/oma';
import type { ParsedPacket } from 'coap-packet';

const folder = path.resolve(__dirname, '../../vectors/traces');

/** Payloads no reader can make sense of, by file and path of the request. */
const NONSENSE: readonly string[] = [
  // coap-node prints "[object Object]" when an instance is read as text.
  'npm-coap-node.txt /3/0',
  'npm-coap-node.txt /3',
];

function option(packet: ParsedPacket, name: string): Buffer | undefined {
  return packet.options.find((one) => one.name === name)?.value;
}

function uint(value: Buffer | undefined): number | undefined {
  return value === undefined ? undefined : parseInt(`0${value.toString('hex')}`, 16);
}

interface Payload {
  readonly format: number | undefined;
  readonly ids: readonly number[] | undefined;
  readonly bytes: Buffer;
}

/** The whole payloads a client sent: answers to Read and Observe, notifications, Sends, object lists. Parts of block transfers are left out. */
function payloadsOf(file: string): Payload[] {
  const asked = new Map<string, number[]>();
  const found: Payload[] = [];
  for (const line of readFileSync(path.join(folder, file), 'utf8').split('\n')) {
    const match = /^\d+ [\d.]+ (C->S|S->C) ([0-9a-f]+)$/.exec(line);
    if (!match) continue;
    let packet: ParsedPacket;
    try {
      packet = parse(Buffer.from(match[2]!, 'hex'));
    } catch {
      continue;
    }
    const token = packet.token.toString('hex');
    const uri = packet.options.filter((one) => one.name === 'Uri-Path').map((one) => one.value.toString());
    if (match[1] === 'S->C') {
      // A Discover asks for links, and some clients answer them without saying so.
      if (packet.code === '0.01' && uint(option(packet, 'Accept')) !== 40) asked.set(token, uri.map(Number));
      continue;
    }
    const format = uint(option(packet, 'Content-Format'));
    if ((uint(option(packet, 'Block2')) ?? 0) > 7 || option(packet, 'Block1') !== undefined) continue;
    if (packet.code === '0.02' && uri[0] === 'dp') found.push({ format, ids: [], bytes: packet.payload });
    else if (packet.code === '0.02' && uri[0] === 'rd') found.push({ format: 40, ids: undefined, bytes: packet.payload });
    else if (packet.code === '2.05' && asked.has(token)) found.push({ format, ids: asked.get(token), bytes: packet.payload });
  }
  return found;
}

describe('payloads recorded from real clients', () => {
  // [LANG-099]
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
    const payloads = payloadsOf(file);
    if (payloads.length === 0) continue;
    it(`${file}: ${payloads.length} are read`, () => {
      for (const { format, ids, bytes } of payloads) {
        if (format === 40 || ids === undefined) {
          parseLinks(bytes.toString('utf8'));
          continue;
        }
        // Old JSON and what is no LwM2M format at all.
        if (!codecFor(format ?? 0)) continue;
        const read = (): unknown => decodePayload(format, bytes, { path: ids, model: omaModel(), now: 1_700_000_000 });
        if (NONSENSE.includes(`${file} /${ids.join('/')}`) && format === 0) assert.throws(read, DecodeError);
        else read();
      }
    });
  }

  it('are there', () => {
    const all = readdirSync(folder).flatMap(payloadsOf);
    assert.ok(all.length > 800, `${all.length} payloads`);
    for (const format of [0, 40, 60, 110, 112, 11542]) assert.ok(all.some((payload) => payload.format === format));
  });
});
