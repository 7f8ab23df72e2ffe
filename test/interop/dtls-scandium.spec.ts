/** Californium on Scandium with every cipher suite that we have in common, one after the other in one Java machine. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import path from 'node:path';
import { CIPHER_SUITES, usesPsk } from '../../lib/dtls/constants';
import { ownKey, testStore } from '../support/dtls/certificate-store';
import { DEVICE, P256, RSA, type FixedKey } from '../support/dtls/fixed-keys';
import { EventLog, lineSplitter } from './event-log';
import { reasonMissing } from './peers';
import { IDENTITY, KEY, openSecureGround, type SecureGround } from './secure-ground';
import { skipWithout } from './suite';

interface Told {
  readonly event: 'started' | 'done' | 'failed';
  readonly hello?: string;
  readonly same?: boolean;
  readonly suite?: string;
  readonly message?: string;
}

type Mode = 'psk' | 'rpk' | 'x509';

const known = new Map([
  [DEVICE.publicKey.toString('hex'), 'device'],
  [DEVICE.certificate.toString('hex'), 'device'],
]);
/** Without connection IDs; with one for us alone; with one each. */
const CONNECTION_IDS = [undefined, 0, 4] as const;
const BYTES = 3_000;

describe('Californium on Scandium at our server', () => {
  let ground: SecureGround;
  let child: ChildProcessWithoutNullStreams | undefined;
  let told = new EventLog<Told>();
  let log = '';

  before(async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    const folder = path.join(__dirname, '.peers', 'leshan');
    const classes = [path.join(folder, 'leshan-client.jar'), path.join(folder, 'lib', '*')].join(path.delimiter);
    child = spawn('java', ['-cp', classes, 'nodered.lwm2m.interop.Californium']);
    told = new EventLog<Told>();
    child.stdout.on(
      'data',
      lineSplitter((line) => told.push(JSON.parse(line) as Told)),
    );
    child.stderr.on('data', (text: Buffer) => (log = (log + text.toString()).slice(-4_000)));
    child.once('close', () => told.end(`it has ended: ${log}`));
    try {
      await told.waitFor(({ event }) => event === 'started', 'started');
    } catch (error) {
      // What was prepared before this class was written has the other alone.
      if (!log.includes('Could not find or load main class')) throw error;
      skipWithout(this, 'leshan', 'prepared from older sources; test/interop/prepare.sh does it anew');
    }
  });
  after(() => child?.kill());
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.error(log);
    await ground.close();
    assert.deepEqual([ground.errors, ground.secure.counters.internalErrors], [[], 0]);
  });

  /** One session with a GET and a POST of 3 000 bytes that come back. */
  async function talk(mode: Mode, suite: string, server: FixedKey, more: object = {}): Promise<Told> {
    const shown = ({ publicKey, certificate }: FixedKey): string => (mode === 'rpk' ? publicKey : certificate).toString('hex');
    const privateKey = DEVICE.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('hex');
    const proof =
      mode === 'psk' ? { identity: IDENTITY, key: KEY.toString('hex') } : { privateKey, shown: shown(DEVICE), server: shown(server) };
    const from = told.seen.length;
    child?.stdin.write(`${JSON.stringify({ mode, suite, port: ground.port, bytes: BYTES, ...proof, ...more })}\n`);
    return told.waitFor(({ event }) => event === 'done' || event === 'failed', 'end', { from });
  }

  for (const { name: suite, keyExchange } of CIPHER_SUITES) {
    const rsa = keyExchange === 'ecdhe_rsa';
    // Its raw public keys are of EC only.
    const modes: Mode[] = usesPsk({ keyExchange } as never) ? ['psk'] : rsa ? ['x509'] : ['rpk', 'x509'];
    for (const mode of modes) {
      for (const cid of CONNECTION_IDS) {
        it(`${suite}, ${mode}, ${cid === undefined ? 'without connection IDs' : `connection IDs of 6 and ${cid} bytes`}: a GET, and 3,000 bytes there and back`, async () => {
          const server = rsa ? RSA : P256;
          // Its own default is to ask for them.
          const limits = cid === undefined ? { cid: 0 } : {};
          ground = await openSecureGround({ limits, certificates: testStore({ own: [ownKey(server)], known }) });
          const { event, hello, same, message } = await talk(mode, suite, server, { ...(cid !== undefined && { cid }) });
          assert.deepEqual([event, hello, same, message], ['done', 'hello', true, undefined]);
          const [established] = ground.reports.seen.filter((report) => report.kind === 'established');
          assert.ok(established?.kind === 'established');
          assert.deepEqual([established.suite, established.cid], [suite, cid !== undefined]);
          assert.deepEqual(established.peer.identity, { scheme: 'coaps', mode, name: mode === 'psk' ? IDENTITY : 'device' });
          assert.equal(ground.secure.counters.handshakesCompleted, 1);
        });
      }
    }
  }

  for (const [what, size, limit] of [
    ['max_fragment_length of 512', { fragment: 512 }, 511],
    ['max_fragment_length of 1,024', { fragment: 1_024 }, 1_023],
    ['record_size_limit of 100', { recordSize: 100 }, 99],
    ['record_size_limit of 700', { recordSize: 700 }, 699],
  ] as const) {
    it(`${what}: a certificate, and 3,000 bytes there and back in smaller blocks`, async () => {
      ground = await openSecureGround({ certificates: testStore({ own: [ownKey(P256)], known }) });
      const { event, same, message } = await talk('x509', 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8', P256, { ...size, cid: 4 });
      assert.deepEqual([event, same, message], ['done', true, undefined]);
      const established = ground.reports.seen.find((report) => report.kind === 'established');
      assert.equal(established?.kind === 'established' && established.peer.maxMessage, limit);
      assert.equal(ground.secure.counters.sendsRefused, 0);
    });
  }
});
