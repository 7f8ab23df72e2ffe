/** A LwM2M server of ours behind DTLS on a real socket, in this process, and a way to it that changes its port as a NAT does. */
import dgram from 'node:dgram';
import { Code } from '../../lib/coap/codes';
import { CoapEndpoint } from '../../lib/coap/endpoint';
import { DeviceTable } from '../../lib/credentials/device-table';
import { pskName } from '../../lib/transport/identity';
import type { DtlsLimits } from '../../lib/dtls/limits';
import { DtlsTransport } from '../../lib/dtls/transport';
import type { CertificateStore, DtlsReport } from '../../lib/dtls/types';
import { omaModel } from '../../lib/model/oma';
import { ServerCore } from '../../lib/server/server';
import type { ServerEvent } from '../../lib/server/types';
import { createRealClock } from '../../lib/transport/clock';
import { Driver } from '../../lib/transport/driver';
import { UdpTransport } from '../../lib/transport/udp';
import { EventLog } from './event-log';

export const IDENTITY = 'Client_identity';
export const KEY = Buffer.from('secretPSK');

export interface SecureGround {
  readonly port: number;
  readonly secure: DtlsTransport;
  readonly server: ServerCore;
  readonly reports: EventLog<DtlsReport>;
  readonly events: EventLog<ServerEvent>;
  readonly errors: unknown[];
  close(): Promise<void>;
}

export interface SecureOptions {
  readonly limits?: Partial<DtlsLimits>;
  /** What is not CoAP, such as the lines of openssl s_client, goes back as it came. */
  readonly echo?: boolean;
  readonly certificates?: CertificateStore;
}

/** Besides LwM2M it serves `/hello` (GET) and `/echo` (POST: gives the body back). */
export async function openSecureGround(options: SecureOptions = {}): Promise<SecureGround> {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const driver = new Driver({ clock: createRealClock(), onError });
  const endpoint = new CoapEndpoint({ driver, onError });
  const reports = new EventLog<DtlsReport>();
  const secure: DtlsTransport = new DtlsTransport({
    driver,
    onError,
    keys: { psk: (identity) => (pskName(identity) === IDENTITY ? KEY : undefined) },
    sink: options.echo ? { receive: (data, peer) => secure.send(data, peer), gone: () => undefined } : endpoint,
    onReport: (report) => {
      reports.push(report);
      if (report.kind === 'rebind') endpoint.rebind(report.from, report.to);
    },
    ...(options.limits && { limits: options.limits }),
    ...(options.certificates && { certificates: options.certificates }),
  });
  const udp = new UdpTransport({ port: 0, host: '127.0.0.1' }, secure);
  await udp.open();
  const devices = new DeviceTable({});
  // Who may act for whom is not what is tested here: whoever has the key may.
  devices.mayActFor = () => ({ allowed: true });
  const server = new ServerCore({ name: 'interop', endpoint, driver, model: omaModel(), devices, timeout: 30_000, onError });
  const events = new EventLog<ServerEvent>();
  server.subscribe((event) => events.push(event));
  const { GET, POST, CONTENT, CHANGED } = Code;
  const hello = Buffer.from('hello');
  endpoint.route('hello', { methods: [GET], handle: ({ id }) => endpoint.respond(id, { code: CONTENT, payload: hello }) }, 'interop');
  endpoint.route('echo', { methods: [POST], handle: ({ id, payload }) => endpoint.respond(id, { code: CHANGED, payload }) }, 'interop');
  return {
    port: udp.port,
    secure,
    server,
    reports,
    events,
    errors,
    close: async () => {
      server.close();
      endpoint.close();
      secure.close();
      await udp.close();
    },
  };
}

export interface Nat {
  readonly port: number;
  /** The next datagram to the server leaves from another port. */
  rebind(): Promise<void>;
  /** From now on the port changes after so many datagrams to the server; 0: no more. */
  everyNth: number;
  readonly rebinds: number;
  close(): Promise<void>;
}

/** Forwards datagrams of one client to the server, from a port that changes. What comes to an old port is lost. */
export async function openNat(serverPort: number): Promise<Nat> {
  const inside = dgram.createSocket('udp4');
  let client: dgram.RemoteInfo | undefined;
  let outside: dgram.Socket | undefined;
  let sent = 0;
  let rebinds = 0;
  let everyNth = 0;
  let ready: Promise<void> = Promise.resolve();

  const openOutside = async (): Promise<void> => {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (data) => {
      if (client && socket === outside) inside.send(data, client.port, client.address);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const before = outside;
    outside = socket;
    // Until now the old one was there; what is still to come to it finds nobody.
    if (before) await new Promise<void>((resolve) => before.close(() => resolve()));
  };
  const rebind = (): Promise<void> => {
    rebinds += 1;
    ready = ready.then(openOutside);
    return ready;
  };
  inside.on('message', (data, from) => {
    client = from;
    sent += 1;
    if (everyNth > 0 && sent % everyNth === 0) void rebind();
    void ready.then(() => outside?.send(data, serverPort, '127.0.0.1'));
  });
  await openOutside();
  await new Promise<void>((resolve) => inside.bind(0, '127.0.0.1', resolve));
  return {
    port: inside.address().port,
    rebind,
    get everyNth() {
      return everyNth;
    },
    set everyNth(count) {
      everyNth = count;
    },
    get rebinds() {
      return rebinds;
    },
    close: async () => {
      await ready;
      outside?.close();
      await new Promise<void>((resolve) => inside.close(() => resolve()));
    },
  };
}
