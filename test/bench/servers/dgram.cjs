'use strict';
// The floor for anything in Node.js: one socket, and answers made before the load begins. Only message id and token are copied, and the
// Location-Path of a Register is a constant.
const dgram = require('node:dgram');
const net = require('node:net');
const { report, TIME } = require('./report.cjs');

const CONTENT = Buffer.concat([Buffer.from('64450000' + '00000000' + 'c0ff', 'hex'), TIME]);
const CREATED = Buffer.concat([Buffer.from('64410000' + '00000000' + '827264' + '0a', 'hex'), Buffer.from('0123456789')]);
// As in our transport: addresses need no look-up.
const lookup = (name, options, callback) => callback(null, name, net.isIP(name));

const socket = dgram.createSocket({ type: 'udp4', lookup });
socket.on('message', (data, from) => {
  const answer = Buffer.from(data[1] === 1 ? CONTENT : CREATED);
  data.copy(answer, 2, 2, 8);
  socket.send(answer, from.port, from.address, done);
});
function done() {}
socket.bind(0, '127.0.0.1', () => report(socket.address().port, {}));
