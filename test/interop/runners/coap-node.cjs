'use strict';
// coap-node: LwM2M 1.0 with extensions of its own (`mac=` in Register, `hb` links, objects named by text).
const { commands, emit, end, options, peerRequire, split } = require('./lines.cjs');

const { host, port, endpoint, lifetime, version } = options({
  host: '127.0.0.1',
  port: '5683',
  endpoint: 'coap-node',
  lifetime: '300',
  // What it says by itself: no such version exists.
  version: '1.0.0',
});
const load = peerRequire('sloppy');
const CoapNode = load('coap-node');
const SmartObject = load('smartobject');

const values = { 5700: 21.5, onOff: false };
const readable = (path, key) => ({
  read: (done) => done(null, values[key]),
  write: (value, done) => {
    values[key] = value;
    emit('written', { path, value });
    done(null, value);
  },
});

const objects = new SmartObject();
objects.init('temperature', 0, {
  sensorValue: { read: (done) => done(null, values[5700]) },
  units: 'Cel',
  5605: {
    exec: (...words) => {
      const done = words.pop();
      emit('executed', { path: '/3303/0/5605', args: words.join(',') });
      done(null);
    },
  },
});
objects.init('lightCtrl', 0, { onOff: readable('/3311/0/5850', 'onOff') });

const client = new CoapNode(endpoint, objects, { lifetime: Number(lifetime), version, manuf: 'Interop Works', model: 'Model C' });
client.on('error', (error) => emit('error', { message: String(error?.message ?? error) }));

const call = (work) => new Promise((resolve, reject) => work((error, result) => (error ? reject(error) : resolve(result))));

async function start() {
  emit('started', { endpoint });
  const answer = await call((done) => client.register(host, Number(port), done));
  if (answer.status !== '2.01') throw new Error(`refused with ${answer.status}`);
  emit('registered', { location: client.locationPath });
}

commands({
  async set(path, value) {
    const [uri, resource] = split(path);
    if (path !== '/3303/0/5700') throw new Error('only /3303/0/5700 can be set');
    values[5700] = Number(value);
    const [, object, instance] = uri.split('/');
    // Reading it is how this library notices a change and notifies its observers.
    await call((done) => objects.read(object, instance, resource, done));
    emit('set', { path });
  },
  async update() {
    const answer = await call((done) => client.update({ lifetime: client.lifetime + 1 }, done));
    emit(answer.status === '2.04' ? 'updated' : 'error', { operation: 'update', code: answer.status });
  },
  async stop() {
    const answer = await call((done) => client.deregister(done));
    if (answer.status === '2.02') emit('deregistered', {});
    end();
  },
});
start().catch((error) => emit('error', { operation: 'register', message: String(error?.message ?? error) }));
