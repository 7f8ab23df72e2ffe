'use strict';
// node-red-contrib-lwm2m: a Wakaama fork in C (LwM2M 1.0). The protocol runs in its own native process; the package's Node-RED node keeps
// the objects, so it gets the few functions of Node-RED that it calls.
const { EventEmitter } = require('node:events');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { commands, emit, end, options, peerRequire } = require('./lines.cjs');

const given = options({
  host: '127.0.0.1',
  port: '5683',
  clientPort: '56830',
  endpoint: 'wakaama',
  lifetime: '300',
  identity: '',
  key: '',
  bootstrap: 'false',
  binding: 'U',
});

const objects = {
  // The rest of the Server object is the client's own.
  1: { 0: { 7: { type: 'STRING', acl: 'RWD', value: given.binding } } },
  3: {
    0: {
      0: { type: 'STRING', acl: 'R', value: 'Interop Works' },
      1: { type: 'STRING', acl: 'R', value: 'Model W' },
      4: { type: 'FUNCTION', acl: 'E' },
      6: {
        type: 'MULTIPLE_RESOURCE',
        acl: 'R',
        value: [
          { type: 'INTEGER', value: 1 },
          { type: 'INTEGER', value: 5 },
        ],
      },
      9: { type: 'INTEGER', acl: 'R', value: 88 },
      14: { type: 'STRING', acl: 'RW', value: '+02:00' },
    },
  },
  3303: {
    0: {
      5605: { type: 'FUNCTION', acl: 'E' },
      5700: { type: 'FLOAT', acl: 'R', value: 21.5 },
      5701: { type: 'STRING', acl: 'R', value: 'Cel' },
    },
  },
};

const folder = mkdtempSync(path.join(tmpdir(), 'lwm2m-wakaama-'));
const log = (...words) => process.stderr.write(`${words.map((word) => (word instanceof Error ? word.stack : String(word))).join(' ')}\n`);
const types = new Map();
const RED = {
  settings: { userDir: folder, get: () => 'interop', exitHandlers: [] },
  _: (key) => key,
  nodes: {
    registerType: (name, type) => {
      // In Node-RED every node is an EventEmitter.
      Object.setPrototypeOf(type.prototype, EventEmitter.prototype);
      types.set(name, type);
    },
    createNode: (node) => {
      EventEmitter.call(node);
      Object.assign(node, { log, warn: log, error: log, debug: () => {}, trace: () => {} });
      node.credentials = { pskIdentity: given.identity, presharedKey: given.key };
    },
    getNode: () => undefined,
  },
};
const load = peerRequire('wakaama')('node-red-contrib-lwm2m');
(load.default ?? load)(RED);

const Client = types.get('lwm2m client');
const client = new Client({
  clientName: given.endpoint,
  clientPort: given.clientPort,
  serverHost: given.host,
  serverPort: given.port,
  serverId: 123,
  lifetimeSec: given.lifetime,
  // It ends on its own now and then and starts again after this time.
  reconnectSec: 1,
  enableDTLS: given.key !== '',
  requestBootstrap: given.bootstrap === 'true',
  useIPv4: true,
  hideSensitiveInfo: true,
  objects: JSON.stringify(objects),
});

let registered = false;
client.on('clientStateChanged', (state) => {
  if (state === 'ready' && !registered) {
    registered = true;
    emit('registered', {});
  }
});
client.on('object-event', ({ uri, value, eventType, remote }) => {
  if (!remote) return;
  if (eventType === 'updated') emit('written', { path: uri, value: plain(value) });
  if (eventType === 'executed') emit('executed', { path: uri, args: value ? Buffer.from(value).toString('utf8') : '' });
  if (eventType === 'created' || eventType === 'deleted') emit(eventType, { path: uri });
});

function plain(resource) {
  const value = resource && typeof resource === 'object' && 'value' in resource ? resource.value : resource;
  return Buffer.isBuffer(value) ? value.toString('utf8') : value;
}

emit('started', { endpoint: given.endpoint });
commands({
  async set(uri, ...words) {
    const text = words.join(' ');
    const value = Number.isFinite(Number(text)) ? Number(text) : text;
    await client.objectStore.write(uri, value, false);
    emit('set', { path: uri });
  },
  async update() {
    throw new Error('this client has no command for it; it updates by its lifetime, or on Execute of /1/0/8');
  },
  async stop() {
    // It ends its native process with a De-register.
    await client.operations.shutdown();
    emit('deregistered', {});
    rmSync(folder, { recursive: true, force: true });
    end();
  },
});
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
