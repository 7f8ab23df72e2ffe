import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { missing, talk } from './dtls-tools';
import { IDENTITY, KEY, openSecureGround, type SecureGround } from './secure-ground';
import { skipWithout } from './suite';

const hexKey = KEY.toString('hex');

describe('Foreign DTLS clients at our server', () => {
  let ground: SecureGround;

  afterEach(async () => {
    await ground.close();
    assert.deepEqual([ground.errors, ground.secure.counters.internalErrors], [[], 0]);
  });

  describe('openssl s_client', () => {
    before(function () {
      skipWithout(this, 'openssl', missing('openssl'));
    });
    beforeEach(async () => (ground = await openSecureGround({ echo: true, limits: { wrongKeyGrace: 200 } })));

    const client = (cipher: string, key = hexKey, identity = IDENTITY): string[] => [
      ...['s_client', '-dtls1_2', '-connect', `127.0.0.1:${ground.port}`, '-psk', key, '-psk_identity', identity],
      ...['-cipher', `${cipher}:@SECLEVEL=0`],
    ];

    for (const [cipher, suite, ...more] of [
      ['PSK-AES128-CCM8', 'TLS_PSK_WITH_AES_128_CCM_8'],
      ['PSK-AES128-CCM', 'TLS_PSK_WITH_AES_128_CCM'],
      ['PSK-AES128-GCM-SHA256', 'TLS_PSK_WITH_AES_128_GCM_SHA256'],
      ['PSK-AES128-CBC-SHA256', 'TLS_PSK_WITH_AES_128_CBC_SHA256'],
      ['PSK-AES128-CBC-SHA256', 'TLS_PSK_WITH_AES_128_CBC_SHA256', '-no_etm'],
      ['ECDHE-PSK-AES128-CBC-SHA256', 'TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256'],
      ['ECDHE-PSK-AES128-CBC-SHA256', 'TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256', '-no_etm'],
      ['PSK-AES128-CBC-SHA256:PSK-AES128-CCM8', 'TLS_PSK_WITH_AES_128_CCM_8'],
    ] as const) {
      it(`${cipher} ${more.join(' ')}: a line there and back`, async () => {
        const output = await talk('openssl', [...client(cipher), ...more], {
          say: 'there and back\n',
          ready: /Verify return code|DONE|---\s*$/,
          until: /there and back/,
        });
        assert.match(output, /there and back/);
        const established = await ground.reports.waitFor(({ kind }) => kind === 'established', 'established');
        assert.ok(established.kind === 'established');
        assert.equal(established.suite, suite);
      });
    }

    it('a wrong key and an unknown identity get the same alert', async () => {
      for (const args of [client('PSK-AES128-CCM8', '00'), client('PSK-AES128-CCM8', hexKey, 'nobody')]) {
        assert.match(await talk('openssl', args, { say: '' }), /alert decrypt error/);
      }
    });

    it('no common suite is an alert at once', async () => {
      assert.match(await talk('openssl', client('PSK-AES256-CCM8'), { say: '' }), /handshake failure/);
    });
  });

  describe('gnutls-cli', () => {
    before(function () {
      skipWithout(this, 'gnutls-cli', missing('gnutls-cli'));
    });
    beforeEach(async () => (ground = await openSecureGround({ echo: true })));

    for (const [kx, cipher, suite] of [
      ['PSK', 'AES-128-CCM-8', 'TLS_PSK_WITH_AES_128_CCM_8'],
      ['PSK', 'AES-128-CCM', 'TLS_PSK_WITH_AES_128_CCM'],
      ['PSK', 'AES-128-GCM', 'TLS_PSK_WITH_AES_128_GCM_SHA256'],
      ['PSK', 'AES-128-CBC:-MAC-ALL:+SHA256', 'TLS_PSK_WITH_AES_128_CBC_SHA256'],
      ['PSK', 'AES-128-CBC:-MAC-ALL:+SHA256:%NO_ETM', 'TLS_PSK_WITH_AES_128_CBC_SHA256'],
      ['ECDHE-PSK', 'AES-128-CBC:-MAC-ALL:+SHA256', 'TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256'],
      ['ECDHE-PSK', 'AES-128-CBC:-MAC-ALL:+SHA256:%NO_ETM', 'TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256'],
    ] as const) {
      for (const more of ['', ':%NO_SESSION_HASH']) {
        it(`${kx}, ${cipher}${more}: ${kx === 'PSK' ? 'a line there and back' : 'a session'}`, async () => {
          const priority = `NORMAL:-KX-ALL:+${kx}:-VERS-ALL:+VERS-DTLS1.2:-CIPHER-ALL:+${cipher}${more}`;
          const args = [
            '-u',
            '-p',
            String(ground.port),
            '127.0.0.1',
            '--pskusername',
            IDENTITY,
            '--pskkey',
            hexKey,
            '--priority',
            priority,
          ];
          const output = await talk('gnutls-cli', args, { say: 'there and back\n', ready: /Simple Client Mode/, until: /there and back/ });
          // The program itself falls over when it wants to tell about such a session.
          if (kx === 'PSK') assert.match(output, /there and back/);
          const established = await ground.reports.waitFor(({ kind }) => kind === 'established', 'established');
          assert.ok(established.kind === 'established');
          assert.deepEqual([established.suite, established.extendedMasterSecret], [suite, more === '']);
        });
      }
    }
  });

  for (const program of ['coap-client-openssl', 'coap-client-gnutls']) {
    describe(program, () => {
      let folder: string | undefined;

      before(async function () {
        skipWithout(this, program, missing(program));
        folder = await mkdtemp(path.join(tmpdir(), 'lwm2m-coaps-'));
      });
      after(async () => {
        if (folder !== undefined) await rm(folder, { recursive: true });
      });
      beforeEach(async () => (ground = await openSecureGround()));

      const uri = (where: string): string => `coaps://127.0.0.1:${ground.port}${where}`;
      const client = (...args: string[]): Promise<string> => talk(program, ['-u', IDENTITY, '-k', KEY.toString(), ...args]);

      it('GET', async () => {
        assert.match(await client('-m', 'get', uri('/hello')), /hello/);
        const established = await ground.reports.waitFor(({ kind }) => kind === 'established', 'established');
        assert.equal(established.kind === 'established' && established.peer.identity.name, IDENTITY);
      });

      for (const block of [64, 1024]) {
        it(`POST of 5 000 bytes there and back in blocks of ${block}`, async () => {
          const [sent, got] = ['sent', 'got'].map((name) => path.join(folder ?? '', name)) as [string, string];
          const body = randomBytes(5_000);
          await writeFile(sent, body);
          await client('-m', 'post', '-b', String(block), '-f', sent, '-o', got, uri('/echo'));
          assert.ok(body.equals(await readFile(got)));
        });
      }
    });
  }
});
