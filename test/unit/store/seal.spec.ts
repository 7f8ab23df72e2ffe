import assert from 'node:assert/strict';
import { createDecipheriv, createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openSealer, openStore } from '../../../lib/store/index';
import type { OpenSealerOptions } from '../../../lib/store/index';
import { storeFolder } from '../../support/store-folder';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const secret = Buffer.from('a pre-shared key');
const posix = process.platform !== 'win32';

describe('sealing', () => {
  const place = storeFolder();
  let keyFile: string;
  beforeEach(() => (keyFile = path.join(place(), 'lwm2m-seal.key')));
  const open = (options: Partial<OpenSealerOptions> = {}): ReturnType<typeof openSealer> =>
    openSealer({ keyFile, wall: () => NOW, ...options });
  const codes = ({ notices }: Awaited<ReturnType<typeof openSealer>>): string[] => notices.map(({ code }) => code);

  it('[STORE-040] makes a key of 32 random bytes that only its owner can read, once', async () => {
    const first = await open();
    assert.deepEqual(first.notices, []);
    const text = readFileSync(keyFile, 'utf8');
    assert.equal(Buffer.from(/^lwm2m-seal-1 (\S+)\n$/.exec(text)![1]!, 'base64').length, 32);
    if (posix) assert.equal(statSync(keyFile).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(path.dirname(keyFile)), ['lwm2m-seal.key'], 'no drafts are left');
    const sealed = first.sealer.seal('s/1', secret);
    const again = await open();
    assert.deepEqual(again.notices, []);
    assert.equal(readFileSync(keyFile, 'utf8'), text);
    assert.deepEqual(again.sealer.unseal('s/1', sealed), { ok: true, value: secret });
  });

  it('[STORE-040] several that start at once agree on one key', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => open()));
    const sealed = all[0]!.sealer.seal('s/1', secret);
    for (const { sealer, notices } of all) assert.deepEqual([sealer.unseal('s/1', sealed).ok, notices], [true, []]);
  });

  it('[STORE-041] is AES-256-GCM over version, key name, nonce, tag and text, bound to the key of the entry', async () => {
    const { sealer } = await open();
    const key = Buffer.from(readFileSync(keyFile, 'utf8').split(' ')[1]!, 'base64');
    const sealed = sealer.seal('s/\u00e9', secret);
    const name = createHash('sha256').update(key).digest().subarray(0, 4);
    assert.deepEqual(sealed.subarray(0, 5), Buffer.concat([Buffer.of(1), name]));
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(5, 17));
    decipher.setAAD(Buffer.concat([Buffer.of(1), name, Buffer.from('s/\u00e9')])).setAuthTag(sealed.subarray(17, 33));
    assert.deepEqual(Buffer.concat([decipher.update(sealed.subarray(33)), decipher.final()]), secret);
    assert.equal(sealed.includes(secret), false);
  });

  it('[STORE-041] never uses a nonce twice', async () => {
    const { sealer } = await open();
    const nonces = new Set(Array.from({ length: 1_000 }, () => sealer.seal('s/1', secret).subarray(5, 17).toString('hex')));
    assert.equal(nonces.size, 1_000);
  });

  it('[STORE-042] opens nothing that was changed, cut, swapped or sealed by others, and says which', async () => {
    const { sealer } = await open();
    const sealed = sealer.seal('s/1', secret);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      const reason = at >= 1 && at < 5 ? 'OTHER_KEY' : 'DAMAGED';
      assert.deepEqual(sealer.unseal('s/1', changed), { ok: false, reason }, `byte ${at}`);
      assert.deepEqual(sealer.unseal('s/1', sealed.subarray(0, at)), { ok: false, reason: 'DAMAGED' }, `${at} bytes`);
    }
    assert.deepEqual(sealer.unseal('s/2', sealed), { ok: false, reason: 'DAMAGED' });
    assert.deepEqual(sealer.unseal('s/1', Buffer.concat([Buffer.of(2), sealed.subarray(1)])), { ok: false, reason: 'NEWER_FORMAT' });
    const others = await openSealer({ keyFile: path.join(place(), 'other.key') });
    assert.deepEqual(others.sealer.unseal('s/1', sealed), { ok: false, reason: 'OTHER_KEY' });
    assert.deepEqual(sealer.unseal('s/1', sealer.seal('s/1', Buffer.alloc(0))), { ok: true, value: Buffer.alloc(0) });
  });

  it('[STORE-043] takes rights from a key file that others could read, and says so', async function () {
    if (!posix) this.skip();
    await open();
    chmodSync(keyFile, 0o644);
    const opened = await open();
    assert.deepEqual(codes(opened), ['KEY_MODE']);
    assert.match(opened.notices[0]!.text, /had mode 0644; it is 0600 now/);
    assert.equal(statSync(keyFile).mode & 0o777, 0o600);
    assert.deepEqual(codes(await open()), []);
  });

  it('[STORE-044] a key file that is gone: says how many entries cannot be read, keeps them, and goes on', async () => {
    const { store } = await openStore();
    const first = await open();
    for (const key of ['s/1', 's/2', 's/3']) await store.put(key, first.sealer.seal(key, secret));
    await store.put('r/1', Buffer.from('not sealed'));
    keyFile = path.join(place(), 'lwm2m-seal.key');
    const second = await open({ store, prefixes: ['s/'] });
    assert.deepEqual(codes(second), ['KEY_LOST']);
    assert.equal(second.notices[0]!.lost, 3);
    assert.deepEqual(second.sealer.unseal('s/1', (await store.get('s/1'))!.value), { ok: false, reason: 'OTHER_KEY' });
    assert.deepEqual(codes(await open({ store, prefixes: ['s/'] })), [], 'said once');
    await store.close();
  });

  it('[STORE-044] no key file and nothing sealed: nothing to say', async () => {
    const { store } = await openStore();
    assert.deepEqual(codes(await open({ store, prefixes: ['s/'] })), []);
    await store.close();
  });

  for (const [name, content] of [
    ['empty', ''],
    ['cut', 'lwm2m-seal-1 AAAA'],
    ['noise', '\u0000\u0001\u0002'],
    ['of another kind', '-----BEGIN PRIVATE KEY-----\n'],
  ] as const) {
    it(`[STORE-045] a damaged key file (${name}): set aside, a new key, and a notice`, async () => {
      const { store } = await openStore();
      await store.put('s/1', Buffer.from('sealed by nobody knows whom'));
      mkdirSync(path.dirname(keyFile), { recursive: true });
      writeFileSync(keyFile, content, { mode: 0o600 });
      const opened = await open({ store, prefixes: ['s/'] });
      const aside = `${keyFile}.damaged-2026-01-02T03-04-05Z`;
      assert.deepEqual(
        opened.notices.map(({ code, path: file, lost }) => [code, file, lost]),
        [['KEY_DAMAGED', aside, 1]],
      );
      assert.equal(readFileSync(aside, 'utf8'), content);
      assert.equal(opened.notices[0]!.text.includes(content.trim() || '?nothing'), false, 'the text does not tell the content');
      const sealed = opened.sealer.seal('s/1', secret);
      assert.deepEqual((await open()).sealer.unseal('s/1', sealed), { ok: true, value: secret });
      await store.close();
    });
  }

  it('[STORE-046] a key that cannot be written lasts as long as the process, and a notice says so', async () => {
    const folder = place();
    writeFileSync(folder, 'a file where the folder should be');
    const { sealer, notices } = await openSealer({ keyFile: path.join(folder, 'seal.key') });
    assert.deepEqual(
      notices.map(({ code }) => code),
      ['KEY_NOT_KEPT'],
    );
    assert.deepEqual(sealer.unseal('s/1', sealer.seal('s/1', secret)), { ok: true, value: secret });
    assert.equal(existsSync(path.join(folder, 'seal.key')), false);
  });
});
