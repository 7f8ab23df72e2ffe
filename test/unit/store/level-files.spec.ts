import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { crc32c, unmask } from '../../../lib/store/crc32c';
import { checkFiles } from '../../../lib/store/level-files';
import { checkTable } from '../../../lib/store/level-table';
import { uncompress } from '../../../lib/store/snappy';
import { createRandom } from '../../support/random';

describe('the files of LevelDB', () => {
  it('CRC-32C has the vectors of RFC 3720 B.4', () => {
    const vectors: [Buffer, number][] = [
      [Buffer.alloc(32), 0x8a9136aa],
      [Buffer.alloc(32, 0xff), 0x62a8ab43],
      [Buffer.from(Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e],
      [Buffer.from(Array.from({ length: 32 }, (_, at) => 31 - at)), 0x113fdb5c],
      [Buffer.from('123456789'), 0xe3069283],
      [Buffer.alloc(0), 0],
    ];
    for (const [bytes, sum] of vectors) {
      assert.equal(crc32c(bytes, 0, bytes.length), sum);
      const framed = Buffer.concat([Buffer.from('abc'), bytes, Buffer.from('d')]);
      assert.equal(crc32c(framed, 3, 3 + bytes.length), sum);
    }
    // ((crc >> 15) | (crc << 17)) + 0xa282ead8, worked out by hand for 1.
    assert.equal(unmask(0xa284ead8), 1);
  });

  it('Snappy texts are read, and bad ones refused', () => {
    const good: [string, string][] = [
      ['00', ''],
      ['0308616263', 'abc'],
      // literal "ab", then a copy of 6 from 2 back: one, two and four bytes of offset
      ['0804616209 02'.replace(' ', ''), 'abababab'],
      ['080461621602 00'.replace(' ', ''), 'abababab'],
      ['080461621702000000', 'abababab'],
      [`64f063${'61'.repeat(100)}`, 'a'.repeat(100)],
    ];
    for (const [hex, text] of good) assert.equal(uncompress(Buffer.from(hex, 'hex')).toString(), text, hex);
    for (const hex of [
      '',
      '04086162',
      '0408616263',
      '0208616263',
      '08046162090 3'.replace(' ', ''),
      '0804616209',
      '0804616201ff',
      'ffffffffff7f00',
    ]) {
      assert.throws(() => uncompress(Buffer.from(hex, 'hex')), RangeError, hex);
    }
  });

  describe('written by LevelDB itself', () => {
    let folder: string;
    before(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'lwm2m-level-'));
      const random = createRandom(11);
      for (const compression of [true, false]) {
        const level = new ClassicLevel<string, Buffer>(path.join(folder, String(compression)), {
          compression,
          writeBufferSize: 100_000,
          valueEncoding: 'buffer',
        });
        for (let at = 0; at < 2_000; at += 1)
          await level.put(`key ${at % 700}`, random.chance(0.5) ? random.bytes(300) : Buffer.alloc(300, 'x'));
        await level.put('large', random.bytes(700_000));
        await level.compactRange('', 'z');
        for (let at = 0; at < 200; at += 1) await level.put(`key ${at}`, random.bytes(200));
        await level.close();
      }
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    for (const compression of ['true', 'false']) {
      it(`are as they were written (compression: ${compression})`, async () => {
        const check = await checkFiles(path.join(folder, compression));
        assert.deepEqual(check.problems, []);
        assert.ok(check.tables.length > 0);
        assert.ok(check.logs.some(({ good }) => good > 40_000));
      });

      it(`any changed byte of a table is seen (compression: ${compression})`, async () => {
        const source = path.join(folder, compression);
        const name = readdirSync(source).find((file) => file.endsWith('.ldb'))!;
        const content = readFileSync(path.join(source, name));
        const copy = path.join(folder, 'spoiled.ldb');
        const random = createRandom(5);
        for (let count = 0; count < 100; count += 1) {
          // Half of them in the last bytes, where the table says where everything is; the padding of the footer means nothing.
          const at = random.chance(0.5) ? random.int(content.length - 48) : content.length - 48 - random.int(2_000) - 1;
          const spoiled = Buffer.from(content);
          spoiled[at]! ^= 1 << random.int(8);
          writeFileSync(copy, spoiled);
          const file = await open(copy);
          assert.equal(await checkTable(file), false, `byte ${at} of ${content.length}`);
          await file.close();
        }
      });
    }
  });

  it('no folder, no problem; an empty one neither', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'lwm2m-level-'));
    assert.deepEqual((await checkFiles(folder)).problems, []);
    mkdirSync(path.join(folder, 'strange'));
    assert.deepEqual((await checkFiles(folder)).problems, []);
    rmSync(folder, { recursive: true });
  });
});
