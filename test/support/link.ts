import * as coap from './coap-message';
import type { Random } from './random';
import { COAPS, pskIdentityOf } from './scheme';
import { SecureSide } from './secure-side';
import type { VirtualClock } from './virtual-clock';
import type { Address, VirtualHost, VirtualNetwork } from './virtual-network';

/** How a scripted device's CoAP messages get onto the network. */
export interface Link extends VirtualHost {
  /** Makes the session now, not with the first message: the server may speak first. */
  open(): void;
}

export interface LinkOptions {
  readonly network: VirtualNetwork;
  readonly clock: VirtualClock;
  readonly at: Address;
  readonly server: Address;
  readonly random: Random;
  /** The name before the device has given itself one. Default `dev`. */
  readonly name?: string;
  /** Whether a device of this name can have a session of its own; it may be made known now. */
  readonly admits: (name: string) => boolean;
  readonly receive: (message: Buffer) => void;
  /** Called when there is a session that was not there before. */
  readonly connected: () => void;
}

/**
 * A device's way to the server: the host itself over coap; over coaps a DTLS client on it. A session is made when it is
 * needed, in no time, under the name that the device registers by: who registers as several has a session of each.
 */
export function openLink(options: LinkOptions): Link {
  const { network, clock, at, server, random, name = 'dev', admits, receive, connected } = options;
  if (!COAPS) return Object.assign(network.host(at, receive), { open: () => undefined });
  const host: VirtualHost = network.host(at, (data) => side.take(data));
  let endpoint = name;
  const side = new SecureSide({ clock: clock.createAlarmOwner(), random, receive, transmit: (data) => host.send(data, server) });
  const open = (): void => {
    const identity = pskIdentityOf(endpoint);
    if (side.has(identity) || !admits(endpoint)) return;
    network.instantly(() => side.connect(identity));
    connected();
  };
  return {
    get address() {
      return host.address;
    },
    get port() {
      return host.port;
    },
    open,
    send: (data) => {
      const claimed = endpointOf(data);
      if (claimed !== undefined && admits(claimed)) endpoint = claimed;
      open();
      side.send(data, pskIdentityOf(endpoint));
    },
    move: (to) => host.move(to),
    close: () => host.close(),
  };
}

/** The name that a message registers by. */
function endpointOf(data: Uint8Array): string | undefined {
  let message: coap.CoapMessage;
  try {
    message = coap.decodeMessage(Buffer.from(data));
  } catch {
    return undefined;
  }
  if (!coap.isRequest(message) || coap.uriPath(message) !== '/rd') return undefined;
  const [first] = coap.texts(message, coap.OptionNumber.UriQuery).filter((item) => item.startsWith('ep='));
  return first?.slice(3);
}
