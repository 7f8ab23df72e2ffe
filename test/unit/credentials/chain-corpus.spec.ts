import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { checkPath } from '../../../lib/credentials/chain-check';
import { createLwm2mServer } from '../../../lib/index';
import { createRealClock } from '../../../lib/transport/clock';
import { chainCorpus } from '../../support/chain-corpus';
import { P256 } from '../../support/dtls/fixed-keys';
import { NOW } from '../../support/forge';
import { SecurePeer } from '../index/secure-peer';

const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END ${label}-----\n`;

describe('a corpus of chains, made for the occasion', () => {
  const corpus = chainCorpus();

  it('[CRED-060] is large enough, and has both kinds', () => {
    assert.ok(corpus.length >= 50, String(corpus.length));
    assert.ok(corpus.filter(({ refused }) => refused === undefined).length >= 20);
  });

  for (const { what, chain, anchor, refused } of corpus) {
    it(`${refused ? '[CRED-061] refuses' : '[CRED-060] accepts'} one: ${what}`, async () => {
      const verdict = await checkPath(chain, [new X509Certificate(anchor)], NOW);
      if (refused) assert.match(verdict.accepted ? 'accepted' : `${verdict.alert}: ${verdict.detail}`, refused);
      else assert.equal(verdict.accepted ? 'accepted' : verdict.detail, 'accepted');
    });
  }

  it('[CRED-061] in a handshake each comes to the same: a session, or the reason', async function () {
    this.timeout(60_000);
    const failures: string[] = [];
    for (const { what, chain, anchor, refused, privateKey, publicKey } of corpus) {
      // Who has no key of its own kind cannot even begin.
      if (!privateKey || !publicKey || privateKey.asymmetricKeyType === 'ed25519') continue;
      const server = createLwm2mServer({
        port: 0,
        securePort: 0,
        host: '127.0.0.1',
        transportLog: false,
        serverKey: P256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        serverCertificate: pem('CERTIFICATE', P256.certificate),
        trustAnchors: pem('CERTIFICATE', anchor),
        unknownDevices: 'accept-my-ca',
        clock: at(NOW),
      });
      const reasons: string[] = [];
      server.subscribe((event) => event.kind === 'log' && reasons.push(`${event.reason ?? ''}: ${event.text}`));
      await server.start();
      const own = { privateKey, publicKey: publicKey.export({ type: 'spki', format: 'der' }), chain };
      const trying = await SecurePeer.begin({ port: server.securePort, own, type: 'x509', server: P256.certificate });
      const ended = (): boolean => server.stats().dtlsHandshakesCompleted + server.stats().dtlsHandshakesFailed > 0;
      const until = performance.now() + 5000;
      while (!ended() && performance.now() < until) await new Promise((turn) => setImmediate(turn));
      const completed = server.stats().dtlsHandshakesCompleted === 1;
      if (completed !== (refused === undefined)) failures.push(`${what}: ${completed ? 'a session' : `none. ${reasons.join(' ')}`}`);
      trying.close();
      await server.close();
    }
    assert.deepEqual(failures, []);
  });
});

/** The system's time, but for the day. */
function at(now: number) {
  const clock = createRealClock();
  const offset = now - Date.now();
  return { now: () => clock.now(), wall: () => clock.wall() + offset, alarm: clock.alarm.bind(clock) };
}
