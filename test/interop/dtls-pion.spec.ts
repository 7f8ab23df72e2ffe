import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { EventLog, lineSplitter } from './event-log';
import { IDENTITY, KEY, openSecureGround, type SecureGround } from './secure-ground';
import { skipWithout } from './suite';

const program = path.join(__dirname, '.peers', 'pion', 'pion-client');

function missing(): string | undefined {
  if (existsSync(program)) return undefined;
  const note = path.join(__dirname, '.peers', 'pion.missing');
  return existsSync(note) ? readFileSync(note, 'utf8').trim() : 'not prepared; test/interop/prepare.sh does it';
}

interface Told {
  readonly event: string;
  readonly value: unknown;
}

describe('pion, a DTLS stack in Go, at our server', () => {
  let ground: SecureGround;
  let child: ChildProcessWithoutNullStreams | undefined;
  let told: EventLog<Told>;

  before(function () {
    skipWithout(this, 'pion', missing());
  });

  afterEach(async () => {
    child?.kill();
    await ground.close();
    assert.deepEqual([ground.errors, ground.secure.counters.internalErrors], [[], 0]);
  });

  function start(suite: string, cid: number, more: readonly string[] = []): void {
    told = new EventLog<Told>();
    const args = [
      '-server',
      `127.0.0.1:${ground.port}`,
      '-identity',
      IDENTITY,
      '-key',
      KEY.toString('hex'),
      '-suite',
      suite,
      '-cid',
      String(cid),
    ];
    child = spawn(program, [...args, ...more]);
    child.stdout.on(
      'data',
      lineSplitter((line) => told.push(JSON.parse(line) as Told)),
    );
  }

  const command = (line: string): void => void child?.stdin.write(`${line}\n`);
  const heard = (event: string, value?: unknown): Promise<Told> =>
    told.waitFor((item) => item.event === event && (value === undefined || item.value === value), `${event} ${String(value)}`);

  for (const suite of ['ccm8', 'ccm', 'gcm', 'cbc']) {
    // With connection IDs its HMAC of CBC takes the text twice, against RFC 9146 5.1.
    for (const cid of suite === 'cbc' ? [-1] : [-1, 0, 1, 8]) {
      const name = cid < 0 ? 'without connection IDs' : `with connection IDs of 6 and ${cid} bytes, from three ports`;
      it(`${suite}, ${name}`, async () => {
        ground = await openSecureGround({ echo: true });
        start(suite, cid);
        await heard('connected');
        command('say one');
        await heard('got', 'one');
        for (const text of cid < 0 ? ['two'] : ['two', 'three']) {
          if (cid >= 0) {
            command('move');
            await told.waitFor(({ event }) => event === 'moved', 'moved');
          }
          command(`say ${text}`);
          await heard('got', text);
        }
        command('stop');
        await ground.reports.waitFor((report) => report.kind === 'ended' && report.reason === 'closed-by-peer', 'the end');
        const { moves, handshakesCompleted, forgedRecords } = ground.secure.counters;
        assert.deepEqual([moves, handshakesCompleted, forgedRecords], [cid < 0 ? 0 : 2, 1, 0]);
      });
    }
  }

  it('a small MTU', async () => {
    ground = await openSecureGround({ echo: true, limits: { mtu: 256 } });
    start('ccm8', 8, ['-mtu', '256']);
    await heard('connected');
    command('say small');
    await heard('got', 'small');
  });

  it('a wrong key', async () => {
    ground = await openSecureGround({ echo: true, limits: { wrongKeyGrace: 200 } });
    start('ccm8', 8, ['-key', '00']);
    await heard('error');
    const failed = await ground.reports.waitFor(({ kind }) => kind === 'failed', 'failed');
    assert.equal(failed.kind === 'failed' && failed.reason, 'wrong-key');
  });
});
