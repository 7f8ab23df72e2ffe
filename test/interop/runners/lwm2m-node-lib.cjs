'use strict';
// lwm2m-node-lib: LwM2M 1.0, text only, no Content-Format on anything it sends.
const { commands, emit, end, options, peerRequire, split } = require('./lines.cjs');

const { host, port, endpoint, lifetime } = options({ host: '127.0.0.1', port: '5683', endpoint: 'lwm2m-node-lib', lifetime: '300' });
const load = peerRequire('sloppy');
const { client } = load('lwm2m-node-lib');
load('logops').setLevel('FATAL');

const objects = {
  '/3/0': { 0: 'Interop Works', 1: 'Model N', 9: '77', 14: '+02:00' },
  '/3303/0': { 5700: '21.5', 5701: 'Cel' },
};
let device;

client.init({
  client: {
    lifetime,
    version: '1.0',
    logLevel: 'FATAL',
    observe: { period: 3000 },
    ipProtocol: 'udp4',
    serverProtocol: 'udp4',
    formats: [{ name: 'lightweightm2m/text', value: 1541 }],
    writeFormat: 'lightweightm2m/text',
  },
});

const call = (work) => new Promise((resolve, reject) => work((error, result) => (error ? reject(error) : resolve(result))));

function listen(registered) {
  device = registered;
  client.setHandler(device.serverInfo, 'read', (object, instance, resource, value, done) => done(null));
  client.setHandler(device.serverInfo, 'write', (object, instance, resource, value, done) => {
    emit('written', { path: `/${object}/${instance}/${resource}`, value: String(value) });
    done(null);
  });
  client.setHandler(device.serverInfo, 'execute', (object, instance, resource, args, done) => {
    emit('executed', { path: `/${object}/${instance}/${resource}`, args: String(args ?? '') });
    done(null);
  });
}

async function start() {
  for (const [uri, values] of Object.entries(objects)) {
    await call((done) => client.registry.create(uri, done));
    for (const [resource, value] of Object.entries(values)) {
      await call((done) => client.registry.setResource(uri, resource, value, done));
    }
  }
  emit('started', { endpoint });
  listen(await call((done) => client.register(host, port, '', endpoint, done)));
  emit('registered', { location: device.location });
}

commands({
  async set(path, value) {
    const [uri, resource] = split(path);
    await call((done) => client.registry.setResource(uri, resource, value, done));
    emit('set', { path });
  },
  async update() {
    const location = device.location;
    listen(await call((done) => client.update(device, done)));
    // It appends the Location-Path of an Update's answer to its own; there is none, so this only guards it.
    device.location = location;
    emit('updated', { location });
  },
  async stop() {
    if (device) {
      await call((done) => client.unregister(device, done));
      emit('deregistered', {});
    }
    end();
  },
});
start().catch((error) => emit('error', { operation: 'register', message: String(error?.message ?? error) }));
