import type { Peer, TransportSink } from '../../lib/transport/types';
import * as coap from './coap-message';
import type { VirtualClock } from './virtual-clock';
import type { Address, VirtualNetwork, VirtualTransport } from './virtual-network';

/**
 * A server that is only there so that the test ground itself can be tested: it lets every device in, keeps what it is told, asks
 * what a test makes it ask, and knows nothing of retransmission.
 */
export class ScriptedServer implements TransportSink {
  readonly transport: VirtualTransport;
  readonly registered: { readonly endpoint: string; readonly id: string; readonly peer: Peer }[] = [];
  readonly paths: string[] = [];
  readonly responses: { readonly peer: Peer; readonly message: coap.CoapMessage }[] = [];
  readonly gonePeers: string[] = [];
  private mid = 1_000;
  private readonly bodies = new Map<string, Buffer>();

  constructor(options: { network: VirtualNetwork; clock: VirtualClock; at: Address }) {
    this.transport = options.network.transport(options.at, () => this);
  }

  receive(data: Buffer, peer: Peer): void {
    const message = coap.decodeMessage(data);
    if (coap.isRequest(message)) this.answer(message, peer);
    else if (coap.isResponse(message)) {
      this.responses.push({ peer, message });
      if (message.type === coap.CON) this.transport.send(coap.encodeMessage({ type: coap.ACK, code: 0, mid: message.mid }), peer);
    }
  }

  gone(peer: Peer): void {
    this.gonePeers.push(peer.key);
  }

  /** Sends a Confirmable request; returns its message id. */
  ask(peer: Peer, request: { code: string; path: string; token: string; options?: readonly coap.CoapOption[]; payload?: Buffer }): number {
    this.mid += 1;
    const options = [...coap.pathOptions(request.path), ...(request.options ?? [])];
    const { payload = Buffer.alloc(0) } = request;
    this.transport.send(
      coap.encodeMessage({
        type: coap.CON,
        code: coap.code(request.code),
        mid: this.mid,
        token: Buffer.from(request.token, 'hex'),
        options,
        payload,
      }),
      peer,
    );
    return this.mid;
  }

  private answer(message: coap.CoapMessage, peer: Peer): void {
    this.paths.push(`${coap.codeText(message.code)} ${coap.uriPath(message)}`);
    const block = coap.block(message, coap.OptionNumber.Block1);
    const body = Buffer.concat([this.bodies.get(peer.key) ?? Buffer.alloc(0), message.payload]);
    this.bodies.set(peer.key, block?.more === true ? body : Buffer.alloc(0));
    const options: coap.CoapOption[] = block === undefined ? [] : [coap.blockOption(coap.OptionNumber.Block1, block)];
    let code = block?.more === true ? '2.31' : '2.04';
    if (code !== '2.31' && coap.uriPath(message) === '/rd') {
      const id = `live${this.registered.length + 1}`;
      const endpoint = coap.texts(message, coap.OptionNumber.UriQuery).find((query) => query.startsWith('ep='));
      this.registered.push({ endpoint: endpoint?.slice(3) ?? '', id, peer });
      options.push(coap.textOption(coap.OptionNumber.LocationPath, 'rd'), coap.textOption(coap.OptionNumber.LocationPath, id));
      code = '2.01';
    }
    if (message.code === coap.code('0.04')) code = '2.02';
    this.transport.send(
      coap.encodeMessage({ type: coap.ACK, code: coap.code(code), mid: message.mid, token: message.token, options }),
      peer,
    );
  }
}
