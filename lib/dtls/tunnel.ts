import { createRealClock } from '../transport/clock';
import { Driver } from '../transport/driver';
import { NO_IDENTITY } from '../transport/identity';
import type { Peer } from '../transport/types';
import type { PskCredentials } from './handshake/client';
import { DtlsTransport } from './transport';

export interface TunnelOptions {
  /** Where the server is, for reports. */
  readonly address: string;
  readonly port: number;
  readonly psk: PskCredentials;
  /** Puts a datagram on the wire. */
  readonly transmit: (datagram: Uint8Array) => void;
  /** A message of the server. The buffer is the callee's. */
  readonly receive: (message: Buffer) => void;
  /** The server has ended the session. */
  readonly gone: (reason: string) => void;
  readonly onError: (error: unknown) => void;
}

/** A handshake that does not get on is given up after so many ms: who waits for it tries again by himself. */
const HANDSHAKE_TIMEOUT = 30_000;

/** A DTLS client on the socket of somebody else, who has one server only. Has a timer of its own until it is closed. */
export class DtlsTunnel {
  readonly #dtls: DtlsTransport;
  readonly #route: Peer;
  readonly #psk: PskCredentials;
  #peer: Peer | undefined;

  constructor(options: TunnelOptions) {
    const { address, port, psk, transmit, receive, gone, onError } = options;
    this.#psk = psk;
    const transport = { send: (data: Uint8Array) => transmit(data), maxMessage: 1152 };
    this.#route = { key: `tunnel|${address}|${port}`, address, port, identity: NO_IDENTITY, transport };
    this.#dtls = new DtlsTransport({
      driver: new Driver({ clock: createRealClock(), onError }),
      keys: { psk: () => undefined },
      limits: { handshakeTimeout: HANDSHAKE_TIMEOUT },
      sink: { receive, gone: (_peer, reason) => gone(reason) },
      onError,
    });
  }

  /** Resolves when messages can be sent; rejects with `ConnectError`. */
  async connect(): Promise<void> {
    this.#peer = await this.#dtls.connect(this.#route, this.#psk);
  }

  /** A datagram from the wire. */
  receive(datagram: Buffer): void {
    this.#dtls.receive(datagram, this.#route);
  }

  send(message: Uint8Array): void {
    if (this.#peer) this.#dtls.send(message, this.#peer);
  }

  /** Says goodbye. */
  close(): void {
    this.#dtls.close();
  }
}
