import { attachLive, parkedLive, type Attachment } from '../server/live';
import { hostList } from '../transport/addresses';
import { createLwm2mServer, securityOf } from './create-server';
import { Security } from './security';
import { DEFAULT_PORT, settings } from './settings';
import type { Lwm2mServer, Lwm2mServerOptions } from './types';

/** A server that outlasts a Deploy; see `release`. */
export interface LiveServer extends Attachment<Lwm2mServer> {
  /** Endpoint names of devices that are registered with the server whose place this one took, on other sockets. */
  readonly displaced: readonly string[];
}

/**
 * The live server of a configuration node: the one its predecessor left parked, when port, addresses, receive buffer,
 * limits and folders are the same (other settings are taken over), else a new one. Throws `DeviceTableError`.
 */
export function acquireServer(id: string, options: Lwm2mServerOptions): LiveServer {
  const { port = DEFAULT_PORT, host, receiveBuffer = 0, limits = {}, modelsDir = '', ownModelsDir = '' } = options;
  // Before anything is taken: a server that is adopted and then not used would run on without an owner.
  const { storeDir = '', storeId = '', securePort, dtlsLimits = {}, sealFile = '', keyLogFile = '' } = options;
  settings(options);
  // A file that is broken just now matters only to a server that has not read it.
  const parked = parkedLive(id);
  const running = parked && securityOf(parked);
  const { devicesFile = '', serverKey, serverKeyPassphrase, serverCertificate, trustAnchors, ...others } = options;
  const keys = { serverKey, serverKeyPassphrase, serverCertificate, trustAnchors };
  const unread = { ...(running?.reads(devicesFile) ? {} : { devicesFile }), ...(running?.has(keys) ? {} : keys) };
  new Security({ ...others, ...unread }, { onNotice: () => undefined, onError: () => undefined });
  const secure = [securePort ?? 'none', dtlsLimits, sealFile, keyLogFile];
  const key = JSON.stringify([port, hostList(host), receiveBuffer, limits, storeDir, storeId, modelsDir, ownModelsDir, secure]);
  let displaced: string[] = [];
  const live = attachLive<Lwm2mServer>(id, key, (previous) => {
    const server = createLwm2mServer(options);
    displaced = previous?.registrations().map(({ endpoint }) => endpoint) ?? [];
    if (previous) server.inheritEvents(previous.takeEvents());
    return server;
  });
  if (live.adopted) live.server.configure(options);
  return { ...live, displaced };
}
