/** DTLS cores at both ends of the virtual network, on the virtual clock; jobs are done at once. */
import { DtlsCore } from '../../../lib/dtls/core';
import type { DtlsLimits } from '../../../lib/dtls/limits';
import type { DtlsReport } from '../../../lib/dtls/types';
import { Driver } from '../../../lib/transport/driver';
import type { Peer, Transport } from '../../../lib/transport/types';
import type { Random } from '../random';
import type { VirtualClock } from '../virtual-clock';
import type { Address, VirtualHost, VirtualNetwork, VirtualTransport } from '../virtual-network';
import { doJob } from './ground';

export interface End {
  readonly core: DtlsCore;
  readonly reports: DtlsReport[];
  readonly received: { readonly data: Buffer; readonly peer: Peer }[];
  readonly errors: unknown[];
}

interface EndOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly limits?: Partial<DtlsLimits> | undefined;
  readonly suites?: readonly string[] | undefined;
  readonly keys?: ReadonlyMap<string, Buffer>;
}

function end(options: EndOptions): End & { driver: Driver } {
  const { clock, random, limits, suites, keys = new Map() } = options;
  const errors: unknown[] = [];
  const reports: DtlsReport[] = [];
  const received: { data: Buffer; peer: Peer }[] = [];
  const driver = new Driver({ clock: clock.createAlarmOwner(), onError: (error) => void errors.push(error) });
  const above: Transport = { send: () => undefined, maxMessage: 1152 };
  const core: DtlsCore = new DtlsCore({
    now: clock.now(),
    transport: above,
    random: { bytes: (count) => random.bytes(count), float: () => random.next() },
    sink: {
      send: (data, route) => route.transport.send(data, route),
      receive: (data, peer) => void received.push({ data, peer }),
      report: (report) => void reports.push(report),
      work: (id, job) => core.done(id, doJob(job, keys), clock.now()),
    },
    ...(limits && { limits }),
    ...(suites && { suites }),
  });
  driver.attach(core);
  return { core, reports, received, errors, driver };
}

/** A server's core behind a transport of the network. */
export function serverEnd(options: EndOptions & { network: VirtualNetwork; at: Address }): End & { transport: VirtualTransport } {
  const made = end(options);
  const { clock, network, at } = options;
  const sink = {
    receive: (data: Buffer, peer: Peer) => {
      try {
        made.core.receive(data, peer, clock.now());
      } catch (error) {
        made.errors.push(error);
      }
      made.driver.changed();
    },
    gone: () => undefined,
  };
  return { ...made, transport: network.transport(at, () => sink) };
}

/** A client's core behind a host of the network. */
export function clientEnd(
  options: EndOptions & { network: VirtualNetwork; at: Address; server: Address },
): End & { host: VirtualHost; connect(psk: { identity: Buffer; key: Buffer }): number; send(data: Buffer, peer: Peer): void } {
  const made = end(options);
  const { clock, network, at, server } = options;
  const below: Transport = { maxMessage: 1152, send: (data) => host.send(data, server) };
  const route: Peer = { key: 'server', ...server, identity: { scheme: 'coap', mode: 'none', name: '' }, transport: below };
  const host: VirtualHost = network.host(at, (data) => {
    try {
      made.core.receive(data, route, clock.now());
    } catch (error) {
      made.errors.push(error);
    }
    made.driver.changed();
  });
  return {
    ...made,
    host,
    connect: (psk) => {
      const id = made.core.connect(route, psk, clock.now());
      made.driver.changed();
      return id;
    },
    send: (data, peer) => {
      made.core.send(data, peer, clock.now());
      made.driver.changed();
    },
  };
}
