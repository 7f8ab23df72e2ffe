import dgram from 'node:dgram';
import { createServer } from 'coap';
import { report } from './report';

/** The least a server on npm `coap` can do with a Register: read the query and answer 2.01. */
const socket = dgram.createSocket('udp4');
let registered = 0;
socket.bind(0, '127.0.0.1', () => {
  const server = createServer((request, response) => {
    const query = new URLSearchParams(request.url.split('?')[1] ?? '');
    response.code = '2.01';
    response.setOption('Location-Path', [Buffer.from('rd'), Buffer.from(query.get('ep') ?? '')]);
    response.end();
    registered++;
  });
  server.listen(socket);
  report(socket.address().port, () => registered);
});
