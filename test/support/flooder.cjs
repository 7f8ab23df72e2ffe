// A thread that sends datagrams from one address as fast as it can, from several ports in turn, and then says how many.
'use strict';
const { createSocket } = require('node:dgram');
const { once } = require('node:events');
const { parentPort, workerData } = require('node:worker_threads');

const { datagrams, count, from, ports, to } = workerData;
const AT_ONCE = 100;

async function flood() {
  const sockets = [];
  for (let index = 0; index < ports; index += 1) {
    const socket = createSocket('udp4');
    // What is answered does not matter, nor that the system had no room for a datagram.
    socket.on('error', () => undefined);
    socket.bind(0, from);
    await once(socket, 'listening');
    sockets.push(socket);
  }
  for (let sent = 0; sent < count; sent += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - sent) }, (_, index) => sent + index);
    await Promise.all(
      batch.map(
        (index) =>
          new Promise((done) =>
            sockets[index % ports].send(datagrams[index % datagrams.length], to.port, to.address, () => done(undefined)),
          ),
      ),
    );
  }
  for (const socket of sockets) socket.close();
  parentPort.postMessage(count);
}

void flood();
