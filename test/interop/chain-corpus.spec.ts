import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { chainCorpus } from '../support/chain-corpus';
import { NOW } from '../support/forge';
import { missing } from './dtls-tools';
import { skipWithout } from './suite';

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`;

describe('The corpus of chains, judged by OpenSSL as well', () => {
  let folder = '';

  before(async function () {
    skipWithout(this, 'openssl', missing('openssl'));
    folder = await mkdtemp(path.join(tmpdir(), 'lwm2m-chains-'));
  });
  after(() => folder !== '' && rm(folder, { recursive: true }));

  async function takes(chain: readonly Buffer[], anchor: Buffer): Promise<boolean> {
    const [leaf, ...others] = chain;
    const file = async (name: string, content: string): Promise<string> => {
      await writeFile(path.join(folder, name), content);
      return path.join(folder, name);
    };
    const args = ['verify', '-purpose', 'sslclient', '-partial_chain', '-attime', String(Math.floor(NOW / 1000))];
    args.push('-CAfile', await file('anchor.pem', pem(anchor)));
    if (others.length > 0) args.push('-untrusted', await file('others.pem', others.map(pem).join('')));
    args.push(await file('leaf.pem', leaf ? pem(leaf) : ''));
    return promisify(execFile)('openssl', args).then(
      () => true,
      () => false,
    );
  }

  it('takes what we take and refuses what we refuse, but for what is known', async () => {
    const differences: string[] = [];
    for (const { what, chain, anchor, refused, stricter, milder } of chainCorpus()) {
      const taken = await takes(chain, anchor);
      if (refused === undefined && !taken && !milder) differences.push(`${what}: we alone take it`);
      if (refused && taken && !stricter) differences.push(`${what}: we alone refuse it`);
    }
    assert.deepEqual(differences, []);
  });
});
