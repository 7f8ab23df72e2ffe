import * as coap from './coap-message';
import type { Random } from './random';

/** The options of a Register (Core TS 1.1.1 6.2.1). */
export function registerOptions(endpoint: string): coap.CoapOption[] {
  const { UriQuery, ContentFormat } = coap.OptionNumber;
  const query = [`ep=${endpoint}`, 'lt=300', 'lwm2m=1.1', 'b=U'].map((text) => coap.textOption(UriQuery, text));
  return [...coap.pathOptions('/rd'), coap.uintOption(ContentFormat, 40), ...query];
}

export const REGISTER_PAYLOAD = Buffer.from('</>;rt="oma.lwm2m",</1/0>,</3/0>,</3303/0>');

/** One datagram of a flood: requests an LwM2M server knows, from nobody it knows, and bytes that are no message at all. */
export function floodDatagram(random: Random): Buffer {
  const { Block1 } = coap.OptionNumber;
  const head = { type: random.pick([coap.CON, coap.NON] as const), mid: random.int(0x10000), token: random.bytes(random.int(9)) };
  const stranger = registerOptions(`stranger-${random.int(1_000_000)}`);
  const post = coap.code('0.02');
  switch (random.int(7)) {
    case 0:
      return coap.encodeMessage({ ...head, code: post, options: stranger, payload: REGISTER_PAYLOAD });
    case 1:
      return coap.encodeMessage({ ...head, code: post, options: coap.pathOptions(`/rd/${random.int(1_000)}`) });
    case 2:
      return coap.encodeMessage({ ...head, code: coap.code('0.04'), options: coap.pathOptions(`/rd/${random.int(1_000)}`) });
    case 3:
      return coap.encodeMessage({ ...head, code: coap.code('0.01'), options: coap.pathOptions('/.well-known/core') });
    case 4: {
      // The first block of a body that never goes on.
      const options = [...stranger, coap.blockOption(Block1, { num: 0, more: true, size: 256 })];
      return coap.encodeMessage({ ...head, code: post, options, payload: random.bytes(256) });
    }
    case 5:
      return coap.encodeMessage({ ...head, code: post, options: coap.pathOptions('/dp'), payload: random.bytes(20) });
    default:
      return random.bytes(1 + random.int(100));
  }
}
