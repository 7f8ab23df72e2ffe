import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { FUZZ } from '../support/fuzz';

const COUNT = FUZZ.count;
const program = `
  const { agree, generateEphemeral } = require('./lib/dtls/crypto/ecdh');
  const { Group } = require('./lib/dtls/constants');
  (async () => {
    for (let made = 0; made < ${COUNT}; made += 10) {
      const group = made % 100 === 0 ? Group.X25519 : Group.SECP256R1;
      const [first, ...others] = await Promise.all(Array.from({ length: 10 }, () => generateEphemeral(group)));
      if (!agree(first, others[8].point).equals(agree(others[8], first.point))) throw new Error('they do not agree');
    }
    console.log('made');
  })();
`;

describe(`DTLS: ${COUNT} ephemeral keys, in little memory`, () => {
  it('are made without Node.js ever waiting for itself', async () => {
    // Small semi-spaces: garbage is collected all the time, amid everything that happens to a key.
    const child = spawn(process.execPath, ['--max-semi-space-size=1', '--require', 'tsx/cjs', '--eval', program], {
      cwd: path.join(__dirname, '../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 60_000 + COUNT * 5,
      killSignal: 'SIGKILL',
    });
    let said = '';
    child.stdout.on('data', (data: Buffer) => (said += data.toString()));
    const [code, signal] = await new Promise<unknown[]>((resolve) => child.once('close', (...how) => resolve(how)));
    assert.deepEqual([code, signal, said.trim()], [0, null, 'made']);
  });
});
