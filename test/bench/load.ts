import dgram from 'node:dgram';
import { generate } from 'coap-packet';

const LINKS = '</>;rt="oma.lwm2m";ct="60 110 112",</1/0>,</3/0>,</4/0>,</5/0>,</6/0>,</3303/0>,</3303/1>';

/**
 * Devices that register in a closed loop, one Confirmable request outstanding each, on a socket of their own. Resolves with the
 * seconds it took for `total` answers. A lost datagram is sent again after a second.
 */
export function registerLoad(options: { readonly port: number; readonly devices: number; readonly total: number }): Promise<number> {
  const { port, devices, total } = options;
  const started = performance.now();
  return new Promise((resolve) => {
    let answers = 0;
    const sockets: dgram.Socket[] = [];
    const finish = (): void => {
      clearInterval(rescue);
      for (const socket of sockets) socket.close();
      resolve((performance.now() - started) / 1000);
    };
    const senders: (() => void)[] = [];
    let before = -1;
    const rescue = setInterval(() => {
      if (answers === before) for (const send of senders) send();
      before = answers;
    }, 1000);
    for (let device = 0; device < devices; device++) {
      const socket = dgram.createSocket('udp4');
      sockets.push(socket);
      let messageId = device;
      const send = (): void => {
        const packet = generate({
          code: 'POST',
          confirmable: true,
          messageId,
          token: Buffer.from([device & 0xff, device >> 8]),
          options: [
            { name: 'Uri-Path', value: Buffer.from('rd') },
            { name: 'Content-Format', value: Buffer.from([40]) },
            ...[`ep=bench-${device}`, 'lt=300', 'lwm2m=1.1', 'b=U'].map((text) => ({
              name: 'Uri-Query' as const,
              value: Buffer.from(text),
            })),
          ],
          payload: Buffer.from(LINKS),
        });
        socket.send(packet, port, '127.0.0.1');
      };
      senders.push(send);
      socket.on('message', () => {
        if (++answers === total) finish();
        else if (answers < total) {
          messageId = (messageId + 1) & 0xffff;
          send();
        }
      });
      send();
    }
  });
}
