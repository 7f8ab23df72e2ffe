import assert from 'node:assert/strict';
import { acquireListener, listenerKey, releaseListener, type Listener } from '../../../lib/transport/listeners';

interface Resolvers {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function withResolvers(): Resolvers {
  let resolve: () => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** A listener that opens and closes when the test says so. */
class Gate implements Listener {
  readonly steps: string[] = [];
  opening = withResolvers();
  closing = withResolvers();
  async open(): Promise<void> {
    this.steps.push('open');
    await this.opening.promise;
    this.steps.push('opened');
  }
  async close(): Promise<void> {
    this.steps.push('close');
    await this.closing.promise;
  }
}

function openGate(): Gate {
  const gate = new Gate();
  gate.opening.resolve();
  gate.closing.resolve();
  return gate;
}

let keys = 0;
const newKey = (): string => `listeners.spec|${++keys}`;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const unused = (): Listener => assert.fail('a second listener was made');

describe('listeners', () => {
  it('[COAP-105] share one socket per key, closed when its last user leaves', async () => {
    const key = newKey();
    const gate = openGate();
    assert.equal(await acquireListener(key, () => gate), gate);
    assert.equal(await acquireListener(key, unused), gate);
    await releaseListener(key);
    assert.deepEqual(gate.steps, ['open', 'opened']);
    await releaseListener(key);
    assert.deepEqual(gate.steps, ['open', 'opened', 'close']);
    const next = openGate();
    assert.equal(await acquireListener(key, () => next), next);
    await releaseListener(key);
  });

  it('[COAP-105] make everybody wait for one opening', async () => {
    const key = newKey();
    const gate = new Gate();
    gate.closing.resolve();
    const got: string[] = [];
    const first = acquireListener(key, () => gate).then(() => got.push('first'));
    const second = acquireListener(key, unused as () => Gate).then(() => got.push('second'));
    await turn();
    assert.deepEqual(got, []);
    gate.opening.resolve();
    await Promise.all([first, second]);
    assert.deepEqual(got.sort(), ['first', 'second']);
    await releaseListener(key);
    assert.ok(!gate.steps.includes('close'));
    await releaseListener(key);
    assert.ok(gate.steps.includes('close'));
  });

  it('[COAP-106] a failure to open is told to all and leaves nothing behind', async () => {
    const key = newKey();
    const gate = new Gate();
    const all = [acquireListener(key, () => gate), acquireListener(key, unused as () => Gate)];
    gate.opening.reject(new Error('EADDRINUSE'));
    for (const result of await Promise.allSettled(all)) assert.equal(result.status, 'rejected');
    await releaseListener(key);
    assert.ok(!gate.steps.includes('close'));
    const next = openGate();
    assert.equal(await acquireListener(key, () => next), next);
    await releaseListener(key);
  });

  it('[COAP-105] a new user waits until the socket before is closed', async () => {
    const key = newKey();
    const old = new Gate();
    old.opening.resolve();
    await acquireListener(key, () => old);
    const released = releaseListener(key);
    const next = openGate();
    let made = false;
    const acquired = acquireListener(key, () => {
      made = true;
      return next;
    });
    await turn();
    assert.equal(made, false, 'the port is still taken');
    old.closing.resolve();
    await released;
    assert.equal(await acquired, next);
    await releaseListener(key);
    assert.deepEqual(next.steps, ['open', 'opened', 'close']);
  });

  it('[COAP-106] a socket that fails to close is told to who closes it, not to the next user', async () => {
    const key = newKey();
    const old = new Gate();
    old.opening.resolve();
    await acquireListener(key, () => old);
    const released = releaseListener(key);
    const next = openGate();
    const acquired = acquireListener(key, () => next);
    old.closing.reject(new Error('cannot close'));
    await assert.rejects(released, /cannot close/);
    assert.equal(await acquired, next);
    await releaseListener(key);
  });

  it('[COAP-106] one that is given back while it opens is closed once it is open', async () => {
    const key = newKey();
    const gate = new Gate();
    gate.closing.resolve();
    const acquired = acquireListener(key, () => gate);
    const released = releaseListener(key);
    await turn();
    gate.opening.resolve();
    await Promise.all([acquired, released]);
    assert.deepEqual(gate.steps, ['open', 'opened', 'close']);
  });

  it('[COAP-106] one that is given back while it fails to open has nothing to close', async () => {
    const key = newKey();
    const gate = new Gate();
    const acquired = acquireListener(key, () => gate);
    const released = releaseListener(key);
    gate.opening.reject(new Error('EACCES'));
    await assert.rejects(acquired, /EACCES/);
    await released;
    assert.deepEqual(gate.steps, ['open']);
  });

  it('releasing what nobody holds does nothing', async () => {
    await releaseListener(newKey());
  });

  it('have one key per socket address', () => {
    const keysOf = [
      listenerKey(undefined, 5683),
      listenerKey('0.0.0.0', 5683),
      listenerKey('::', 5683),
      listenerKey('::1', 5683),
      listenerKey('::1', 5684),
    ];
    assert.equal(new Set(keysOf).size, keysOf.length);
    assert.equal(listenerKey('', 5683), listenerKey(undefined, 5683));
  });
});
