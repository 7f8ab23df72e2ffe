import * as coap from './coap-message';
import type { Random } from './random';

/** One way to spoil a datagram. `others` are datagrams to take pieces from. */
export type Mutation = (data: Buffer, others: readonly Buffer[], random: Random) => Buffer;

const QUERIES = [
  'ep=',
  'ep',
  'ep=x',
  'ep=\u00e9\u20ac\ud83d\ude00',
  'ep=a\u0000b',
  'ep=__proto__',
  'ep=../../etc',
  'lt=0',
  'lt=1',
  'lt=-1',
  'lt=1.5',
  'lt=1e3',
  'lt=0x10',
  'lt=4294967295',
  'lt=4294967296',
  'lt=99999999999999999999',
  'lt=',
  'lt',
  'lt= 60',
  'lwm2m=1.0',
  'lwm2m=1.1',
  'lwm2m=1.2',
  'lwm2m=1.3',
  'lwm2m=1',
  'lwm2m=',
  'lwm2m',
  'b=U',
  'b=UQ',
  'b=Q',
  'b=UU',
  'b=TS',
  'b=NT',
  'b=M',
  'b=u',
  'b=',
  'b',
  'Q',
  'Q=',
  'Q=1',
  'q',
  'sms=+491234567',
  'sms',
  'pid=abc',
  'pid',
  '__proto__=1',
  'constructor',
  '=',
  '',
  'x=1',
  'et=1&lt=5',
];

const LINK_PIECES = [
  '<',
  '>',
  '/',
  ',',
  ';',
  '=',
  '"',
  '\\',
  ' ',
  '\n',
  '</>',
  '</3>',
  '</3/0>',
  '</65534/0>',
  '</65535>',
  '</1/2/3>',
  '<3/0>',
  '</03/00>',
]
  .concat([
    ';ver=1.1',
    ';ver="1.2"',
    ';ver=',
    ';rt="oma.lwm2m"',
    ';ct=110',
    ';ct="60 112"',
    ';hb',
    '</lwm2m>;rt="oma.lwm2m"',
    '</lwm2m/3/0>',
    ',',
    ',,',
    '\u00e9',
    '9',
    '\ufeff',
  ])
  .map((text) => Buffer.from(text));

const OPTION_NUMBERS = [...Object.values(coap.OptionNumber), 2, 9, 13, 16, 19, 21, 65, 2_048, 2_049, 65_000, 65_001, 65_535];
const CODES = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x1f, 0x20, 0x41, 0x44, 0x45, 0x5f, 0x80, 0x84, 0xa0, 0xc0, 0xe1, 0xff,
];
/** A datagram cannot be longer (RFC 768). */
const MAX_DATAGRAM = 65_507;

/** Applies a change to a decoded message; bytes that are no message stay as they are. */
function onMessage(change: (message: coap.CoapMessage, random: Random) => Partial<coap.CoapMessage>): Mutation {
  return (data, _others, random) => {
    try {
      const message = coap.decodeMessage(data);
      return coap.encodeMessage({ ...message, ...change(message, random) });
    } catch {
      return data;
    }
  };
}

function spoilText(text: Buffer, pieces: readonly Buffer[], random: Random): Buffer {
  const at = random.int(text.length + 1);
  const cut = random.chance(0.5) ? random.int(6) : 0;
  return Buffer.concat([text.subarray(0, at), random.chance(0.8) ? random.pick(pieces) : random.bytes(1), text.subarray(at + cut)]);
}

function randomOption(random: Random): coap.CoapOption {
  return { number: random.pick(OPTION_NUMBERS), value: random.bytes(random.pick([0, 0, 1, 1, 2, 3, 4, 8, 9, 40, 256, 300])) };
}

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  flipBits: (data, _others, random) => {
    const out = Buffer.from(data);
    for (let left = random.between(1, 8); left > 0 && out.length > 0; left -= 1) {
      const at = random.int(out.length);
      out[at] = (out[at] as number) ^ (1 << random.int(8));
    }
    return out;
  },
  setByte: (data, _others, random) => {
    const out = Buffer.from(data);
    if (out.length > 0) out[random.int(out.length)] = random.pick([0, 1, 0x7f, 0x80, 0xd0, 0xe0, 0xdd, 0xee, 0xf0, 0x0f, 0xff]);
    return out;
  },
  truncate: (data, _others, random) => data.subarray(0, random.int(data.length + 1)),
  extend: (data, _others, random) => Buffer.concat([data, random.bytes(random.between(1, 64))]),
  removePiece: (data, _others, random) => {
    const at = random.int(data.length + 1);
    return Buffer.concat([data.subarray(0, at), data.subarray(at + random.between(1, 8))]);
  },
  repeatPiece: (data, _others, random) => {
    const at = random.int(data.length + 1);
    const piece = data.subarray(at, at + random.between(1, 32));
    return Buffer.concat([data.subarray(0, at), ...Array.from({ length: random.between(2, 20) }, () => piece), data.subarray(at)]);
  },
  splice: (data, others, random) => {
    const other = random.pick(others);
    return Buffer.concat([data.subarray(0, random.int(data.length + 1)), other.subarray(random.int(other.length + 1))]);
  },
  noise: (_data, _others, random) => random.bytes(random.int(random.chance(0.1) ? 1_500 : 40)),
  header: onMessage((message, random) => ({
    type: random.pick([coap.CON, coap.NON, coap.ACK, coap.RST] as const),
    ...(random.chance(0.5) ? { code: random.pick(CODES) } : {}),
    mid: random.chance(0.5) ? message.mid : random.int(0x1_0000),
  })),
  rawHeader: (data, _others, random) => {
    const out = Buffer.from(data);
    if (out.length > 0) out[0] = random.int(256);
    if (out.length > 1 && random.chance(0.5)) out[1] = random.pick(CODES);
    return out;
  },
  token: onMessage((_message, random) => ({ token: random.bytes(random.int(9)) })),
  addOption: onMessage((message, random) => ({ options: [...message.options, randomOption(random)] })),
  addOptions: onMessage((message, random) => ({
    options: [
      ...message.options,
      ...Array.from({ length: random.pick([2, 5, 60, 127, 200]) }, () => ({ ...randomOption(random), value: random.bytes(random.int(3)) })),
    ],
  })),
  dropOption: onMessage((message, random) => ({ options: message.options.filter(() => !random.chance(0.3)) })),
  repeatOption: onMessage((message, random) => ({
    options: [...message.options, ...(message.options.length > 0 ? [random.pick(message.options)] : [])],
  })),
  renumberOption: onMessage((message, random) => {
    const victim = random.int(message.options.length + 1);
    return { options: message.options.map((option, at) => (at === victim ? { ...option, number: random.pick(OPTION_NUMBERS) } : option)) };
  }),
  revalueOption: onMessage((message, random) => {
    const victim = random.int(message.options.length + 1);
    return {
      options: message.options.map((option, at) =>
        at === victim ? { ...option, value: spoilText(option.value, LINK_PIECES, random) } : option,
      ),
    };
  }),
  query: onMessage((message, random) => {
    const query = coap.textOption(coap.OptionNumber.UriQuery, random.pick(QUERIES));
    const name = query.value.toString().split('=')[0] ?? '';
    const kept = random.chance(0.8)
      ? message.options.filter(({ number, value }) => number !== coap.OptionNumber.UriQuery || value.toString().split('=')[0] !== name)
      : message.options;
    return { options: [...kept, query] };
  }),
  shuffleQuery: onMessage((message, random) => ({
    options: [...message.options].sort(() => random.next() - 0.5).sort((left, right) => left.number - right.number),
  })),
  block: onMessage((message, random) => ({
    options: [
      ...message.options,
      {
        number: random.pick([coap.OptionNumber.Block1, coap.OptionNumber.Block2]),
        value: random.bytes(random.pick([0, 1, 1, 1, 2, 3, 4])),
      },
    ],
  })),
  payload: onMessage((message, random) => {
    let { payload } = message;
    for (let left = random.between(1, 4); left > 0; left -= 1) payload = spoilText(payload, LINK_PIECES, random);
    return { payload };
  }),
  swapPayload: (data, others, random) => {
    try {
      return coap.encodeMessage({ ...coap.decodeMessage(data), payload: coap.decodeMessage(random.pick(others)).payload });
    } catch {
      return data;
    }
  },
  growPayload: onMessage((message, random) => ({
    payload: Buffer.concat(
      Array.from({ length: random.between(2, 60) }, () => Buffer.concat([message.payload, Buffer.from(random.pick([',', '', ';']))])),
    ),
  })),
  identity: (data) => data,
};

const NAMES = Object.keys(MUTATIONS);

/** A datagram spoiled in one to three ways, with their names. */
export function mutate(
  data: Buffer,
  others: readonly Buffer[],
  random: Random,
): { readonly data: Buffer; readonly how: readonly string[] } {
  const how: string[] = [];
  let out = data;
  for (let left = random.pick([1, 1, 1, 2, 2, 3]); left > 0; left -= 1) {
    const name = random.pick(NAMES);
    how.push(name);
    out = (MUTATIONS[name] as Mutation)(out, others, random);
  }
  return { data: Buffer.from(out.subarray(0, MAX_DATAGRAM)), how };
}
