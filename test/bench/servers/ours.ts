import { CoapEndpoint } from '../../../lib/coap/endpoint';
import { DeviceTable } from '../../../lib/credentials/device-table';
import { omaModel } from '../../../lib/model/oma';
import { ServerCore } from '../../../lib/server/server';
import { createRealClock } from '../../../lib/transport/clock';
import { Driver } from '../../../lib/transport/driver';
import { UdpTransport } from '../../../lib/transport/udp';
import { report } from './report';

/** Our server as the nodes use it, with one listener for its events. */
async function main(): Promise<void> {
  const onError = (error: unknown): void => console.error(error);
  const driver = new Driver({ clock: createRealClock(), onError });
  const endpoint = new CoapEndpoint({ driver, onError });
  const transport = new UdpTransport({ port: 0, host: '127.0.0.1' }, endpoint);
  const devices = new DeviceTable({ unknownDevices: 'accept-without-security' });
  await transport.open();
  const core = new ServerCore({ name: 'bench', endpoint, driver, model: omaModel(), devices, timeout: 10_000, onError });
  let events = 0;
  core.subscribe(() => events++);
  report(transport.port, () => events);
}

void main();
