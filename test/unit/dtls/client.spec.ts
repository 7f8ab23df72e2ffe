import assert from 'node:assert/strict';
import { IDENTITY } from '../../support/dtls/ground';
import { ScriptedServer } from '../../support/dtls/server';
import * as wire from '../../support/dtls/wire';

const COOKIE = Buffer.from('a cookie of some length');

/** As far as the client has said all it has to say. */
function greeted(server = new ScriptedServer()): ScriptedServer {
  server.invite().say(server.verifyRequest(COOKIE));
  server.say(server.hello(), server.done());
  return server;
}

describe('DTLS: our client at a server that does what it likes', () => {
  it('[DTLS-140] a handshake with a cookie, with and without one, with and without extended master secret', () => {
    for (const cookie of [true, false]) {
      for (const extensions of [undefined, []]) {
        const server = new ScriptedServer().invite();
        if (cookie) server.say(server.verifyRequest(COOKIE));
        assert.deepEqual(server.cookieSeen, cookie ? COOKIE : Buffer.alloc(0));
        server.say(server.hello(extensions && { extensions }), server.done());
        assert.deepEqual([server.clientFinished, server.identity], ['right', IDENTITY]);
        server.say(server.ccs(), server.finished());
        const [established] = server.ground.of('established');
        assert.deepEqual([established?.attempt, established?.role], [server.attempt, 'client']);
        server.say(server.secure(wire.DATA, Buffer.from('down')));
        assert.equal(server.ground.received[0]?.data.toString(), 'down');
        server.ground.core.send(Buffer.from('up'), established!.peer, server.ground.now);
        server.listen();
        assert.deepEqual(server.heard, ['up']);
      }
    }
  });

  it('[DTLS-140] it offers a connection ID and finds the session by it', () => {
    const server = new ScriptedServer({ limits: { cidLength: 4 } }).invite();
    const hello = server.transcript;
    const at = hello.indexOf(Buffer.from([0, 54, 0, 5, 4]));
    assert.ok(at > 0, 'the extension is there');
    const cid = Buffer.from(hello.subarray(at + 5, at + 9));
    server.say(server.hello({ extensions: [[54, Buffer.from([0])]] }), server.done());
    server.clientCid = cid;
    server.say(server.ccs(), server.finished());
    assert.equal(server.ground.of('established')[0]?.cid, true);
    server.ground.receive(server.secure(wire.DATA, Buffer.from('from elsewhere')), server.ground.route('203.0.113.1', 1));
    assert.equal(server.ground.received.length, 1);
  });

  it('[DTLS-141] it repeats what it said until it is answered, and gives up in time', () => {
    const server = new ScriptedServer();
    const { ground } = server;
    const start = ground.now;
    const at: number[] = [];
    ground.onSend = () => void at.push(ground.now - start);
    server.invite();
    ground.advance(200_000);
    assert.deepEqual(at, [0, 2_000, 6_000, 14_000, 30_000, 62_000]);
    assert.deepEqual([ground.of('failed')[0]?.reason, ground.of('failed')[0]?.attempt], ['timeout', server.attempt]);
    assert.deepEqual(ground.core.sizes(), { sessions: 0, handshakes: 0, reassemblyBytes: 0 });
  });

  it('[DTLS-141] a server that asks for ever new cookies is obeyed a few times only', () => {
    const server = new ScriptedServer().invite();
    let answered = 0;
    for (let round = 0; round < 20; round += 1) {
      const cookie = Buffer.alloc(8, round + 1);
      server.say(server.verifyRequest(cookie));
      if (server.cookieSeen.equals(cookie)) answered += 1;
    }
    assert.equal(answered, 4);
  });

  const wrong: [string, (server: ScriptedServer) => Buffer[], number][] = [
    ['a suite that was not offered', (server) => [server.hello({ suite: 0x00a8 })], 47],
    ['a suite that there is not', (server) => [server.hello({ suite: 0x1301 })], 47],
    ['compression', (server) => [server.hello({ compression: 1 })], 47],
    ['DTLS 1.0', (server) => [server.hello({ version: 0xfeff })], 70],
    ['an extension that was not offered', (server) => [server.hello({ extensions: [[22, Buffer.alloc(0)]] })], 110],
    ['a renegotiation that was not', (server) => [server.hello({ extensions: [[0xff01, Buffer.from([1, 1])]] })], 40],
    ['extended_master_secret with content', (server) => [server.hello({ extensions: [[23, Buffer.from([1])]] }), server.done()], 50],
    ['ServerHelloDone at once', (server) => [server.done(server.helloSeq)], 10],
    ['ServerHello twice', (server) => [server.hello(), server.hello({ seq: server.helloSeq + 1 })], 10],
    ['a Certificate', (server) => [server.hello(), server.message(11, server.helloSeq + 1, Buffer.from([0, 0, 0]))], 10],
    ['a CertificateRequest', (server) => [server.hello(), server.message(13, server.helloSeq + 1, Buffer.alloc(8))], 10],
    ['ServerHelloDone with content', (server) => [server.hello(), server.done(server.helloSeq + 1, Buffer.alloc(1))], 50],
    [
      'a ServerKeyExchange that cannot be read',
      (server) => [server.hello(), server.message(12, server.helloSeq + 1, Buffer.from([0, 5, 1]))],
      50,
    ],
    ['Finished in epoch 0', (server) => [server.hello(), server.message(20, server.helloSeq + 1, Buffer.alloc(12))], 10],
  ];
  for (const [name, records, alert] of wrong) {
    it(`[DTLS-142] ${name}: alert ${alert}, and no session`, () => {
      const server = new ScriptedServer().invite();
      server.say(...records(server));
      assert.deepEqual(server.alerts, [alert]);
      assert.equal(server.ground.of('failed')[0]?.reason, 'bad-message');
      assert.equal(server.ground.core.sizes().handshakes, 0);
    });
  }

  it('[DTLS-143] a server that does not know the key is found out', () => {
    const server = greeted();
    server.say(server.ccs(), server.finished(undefined, 1));
    assert.deepEqual(server.alerts, [51]);
    assert.equal(server.ground.of('established').length, 0);
    const other = greeted();
    other.say(other.ccs(), wire.record(wire.HANDSHAKE, 1, 0, Buffer.alloc(40, 1)));
    other.ground.advance(other.ground.core.limits.wrongKeyGrace);
    assert.equal(other.ground.of('failed')[0]?.reason, 'wrong-key');
  });

  it('[DTLS-143] data before Finished is not delivered; Finished without ChangeCipherSpec does not count', () => {
    const server = greeted();
    server.say(server.ccs(), server.secure(wire.DATA, Buffer.from('early')));
    assert.equal(server.ground.received.length, 0);
    server.say(server.finished());
    assert.equal(server.ground.of('established').length, 1);
    const other = greeted();
    other.say(other.finished());
    assert.equal(other.ground.of('established').length, 0);
    other.say(other.ccs());
    assert.equal(other.ground.of('established').length, 1, 'the order on the way does not matter');
  });

  it('[DTLS-144] the identity hint is read over, a HelloRequest within the handshake ignored', () => {
    const server = new ScriptedServer().invite();
    server.say(
      server.hello(),
      server.message(12, server.helloSeq + 1, wire.lengthed(2, Buffer.from('hint'))),
      server.message(0, server.helloSeq + 2, Buffer.alloc(0), true),
      server.done(server.helloSeq + 3),
    );
    assert.equal(server.clientFinished, 'right');
    server.say(server.ccs(), server.finished(server.helloSeq + 4));
    assert.equal(server.ground.of('established').length, 1);
  });

  it('[DTLS-144] an unprotected alert of the server ends the attempt after a while, with what it says', () => {
    const server = new ScriptedServer().invite();
    server.say(wire.record(wire.ALERT, 0, server.plainSeq++, Buffer.from([2, 40])));
    assert.equal(server.ground.of('failed').length, 0);
    server.ground.advance(server.ground.core.limits.wrongKeyGrace);
    assert.deepEqual(
      [server.ground.of('failed')[0]?.reason, server.ground.of('failed')[0]?.detail],
      ['refused-by-peer', 'handshake_failure (40)'],
    );
  });
});
