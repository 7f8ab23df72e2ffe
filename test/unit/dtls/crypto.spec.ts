import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Group } from '../../../lib/dtls/constants';
import { open, seal } from '../../../lib/dtls/crypto/aead';
import { agree, generateEphemeral } from '../../../lib/dtls/crypto/ecdh';
import { Hmac } from '../../../lib/dtls/crypto/hmac';
import { masterSecret, prf, pskPremaster, recordKeys, sha256, verifyData } from '../../../lib/dtls/crypto/prf';
import { HandshakeError } from '../../../lib/dtls/errors';
import { wholeMessage } from '../../../lib/dtls/handshake/messages';
import { readRecord } from '../../../lib/dtls/record/codec';
import { SecureLink } from '../../../lib/dtls/record/link';
import { suiteById } from '../../../lib/dtls/constants';
import * as wire from '../../support/dtls/wire';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');
const folder = path.join(__dirname, '../../vectors/dtls');

describe('DTLS: primitives by the vectors of their documents', () => {
  it('[DTLS-001] P_SHA256 as published for TLS 1.2', () => {
    const out = prf(hex('9bbe436ba940f017b17652849a71db35'), 'test label', hex('a0ba9f936cda311827a6f796ffd5198c'), 100);
    assert.equal(
      out.toString('hex'),
      'e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab' +
        '4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66',
    );
  });

  // RFC 4231 4.2, 4.3, 4.4, 4.7, 4.8: key, data, HMAC-SHA-256.
  const macs: readonly (readonly [string, Buffer, Buffer, string])[] = [
    ['1', Buffer.alloc(20, 0x0b), Buffer.from('Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      '2',
      Buffer.from('Jefe'),
      Buffer.from('what do ya want for nothing?'),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    ['3', Buffer.alloc(20, 0xaa), Buffer.alloc(50, 0xdd), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
    [
      '6',
      Buffer.alloc(131, 0xaa),
      Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
  ];
  for (const [number, key, data, expected] of macs) {
    it(`[DTLS-001] HMAC-SHA256, test case ${number} of RFC 4231`, () => {
      assert.equal(Buffer.from(new Hmac(key).of(data), 'latin1').toString('hex'), expected);
    });
  }

  it('[DTLS-001] HMAC-SHA256 with keys and texts of every length as node:crypto has it, one text after the other', () => {
    for (let length = 0; length <= 200; length += 1) {
      const key = randomBytes(length);
      const hmac = new Hmac(key);
      for (const data of [randomBytes(200 - length), randomBytes(32), Buffer.alloc(0)]) {
        assert.equal(Buffer.from(hmac.of(data), 'latin1').toString('hex'), createHmac('sha256', key).update(data).digest('hex'));
      }
    }
  });

  it('[DTLS-002] CCM with a tag of 8 bytes: SP 800-38C, example 3', () => {
    const key = hex('404142434445464748494a4b4c4d4e4f');
    const nonce = hex('101112131415161718191a1b');
    const aad = hex('000102030405060708090a0b0c0d0e0f10111213');
    const plain = hex('202122232425262728292a2b2c2d2e2f3031323334353637');
    const sealed = 'e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951';
    assert.equal(seal('ccm8', key, nonce, plain, aad).toString('hex'), sealed);
    assert.deepEqual(open('ccm8', key, nonce, hex(sealed), aad), plain);
    assert.equal(wire.sealAead('ccm8', key, nonce, aad, plain).toString('hex'), sealed, 'the test support agrees');
  });

  it('[DTLS-002] GCM: test case 4 of its specification', () => {
    const key = hex('feffe9928665731c6d6a8f9467308308');
    const nonce = hex('cafebabefacedbaddecaf888');
    const aad = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2');
    const plain = hex(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    );
    const sealed =
      '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091' +
      '5bc94fbc3221a5db94fae95ae7121a47';
    assert.equal(seal('gcm', key, nonce, plain, aad).toString('hex'), sealed);
    assert.deepEqual(open('gcm', key, nonce, hex(sealed), aad), plain);
  });

  for (const aead of ['ccm', 'ccm8', 'gcm'] as const) {
    it(`[DTLS-002] ${aead}: lengths from 0 to 80 as an implementation out of single blocks has them`, () => {
      for (let length = 0; length <= 80; length += 1) {
        const [key, nonce, aad, plain] = [randomBytes(16), randomBytes(12), randomBytes(13), randomBytes(length)];
        const sealed = seal(aead, key, nonce, plain, aad);
        assert.deepEqual(sealed, wire.sealAead(aead, key, nonce, aad, plain));
        assert.deepEqual(open(aead, key, nonce, sealed, aad), plain);
      }
    });

    it(`[DTLS-003] ${aead}: no forged or shortened tag is accepted, of an empty text least of all`, () => {
      const [key, nonce, aad] = [randomBytes(16), randomBytes(12), randomBytes(13)];
      for (const length of [0, 1, 15, 16, 17, 300]) {
        const sealed = seal(aead, key, nonce, randomBytes(length), aad);
        const bytes = sealed.length - length;
        assert.equal(open(aead, key, nonce, Buffer.concat([sealed.subarray(0, length), Buffer.alloc(bytes)]), aad), undefined);
        for (let at = length; at < sealed.length; at += 1) {
          const forged = Buffer.from(sealed);
          forged[at] = (forged[at] as number) ^ 1;
          assert.equal(open(aead, key, nonce, forged, aad), undefined);
        }
        for (let cut = 1; cut <= bytes; cut += 1) {
          assert.equal(open(aead, key, nonce, sealed.subarray(0, sealed.length - cut), aad), undefined);
        }
        assert.equal(open(aead, key, nonce, sealed, Buffer.alloc(13)), undefined, 'other additional data');
      }
      // A buffer on no memory at all reaches OpenSSL as a null pointer.
      const forged = Buffer.from(new ArrayBuffer(bytesOf(aead)));
      assert.equal(open(aead, key, nonce, forged, aad), undefined);
    });
  }

  it('[DTLS-004] X25519: RFC 7748 5.2', () => {
    const privateKey = createPrivateKey({
      key: {
        kty: 'OKP',
        crv: 'X25519',
        d: hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4').toString('base64url'),
        x: hex('1c9fd88f45606d932a80c71824ae151d15d73e77de38e8e000852e614fae7019').toString('base64url'),
      },
      format: 'jwk',
    } as never);
    const own = { group: Group.X25519, privateKey, point: Buffer.alloc(0) };
    const shared = agree(own, hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c'));
    assert.equal(shared.toString('hex'), 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552');
  });

  it('[DTLS-004] P-256: RFC 5903 8.1', () => {
    const coordinate = (text: string): string => hex(text).toString('base64url');
    const privateKey = createPrivateKey({
      key: {
        kty: 'EC',
        crv: 'P-256',
        d: coordinate('c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433'),
        x: coordinate('dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180'),
        y: coordinate('5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3'),
      },
      format: 'jwk',
    } as never);
    const point = hex(
      '04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab',
    );
    const shared = agree({ group: Group.SECP256R1, privateKey, point: Buffer.alloc(0) }, point);
    assert.equal(shared.toString('hex'), 'd6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de');
  });

  it('[DTLS-004] points of a wrong form, off the curve and of low order are refused', async () => {
    for (const group of [Group.SECP256R1, Group.SECP384R1]) {
      const own = await generateEphemeral(group);
      const { length } = own.point;
      const offCurve = Buffer.from(own.point);
      offCurve[length - 1] = (offCurve[length - 1] as number) ^ 1;
      const compressed = Buffer.concat([Buffer.from([2]), own.point.subarray(1, (length + 1) / 2)]);
      for (const point of [offCurve, compressed, own.point.subarray(0, -1), Buffer.alloc(length), Buffer.from([0]), Buffer.alloc(0)]) {
        assert.throws(() => agree(own, point), HandshakeError);
      }
    }
    const x25519 = await generateEphemeral(Group.X25519);
    const one = Buffer.alloc(32);
    one[0] = 1;
    for (const point of [Buffer.alloc(32), one, Buffer.alloc(31), Buffer.alloc(33)])
      assert.throws(() => agree(x25519, point), HandshakeError);
  });
});

function bytesOf(aead: 'ccm' | 'ccm8' | 'gcm'): number {
  return aead === 'ccm8' ? 8 : 16;
}

/** Recorded conversations of two foreign ends, taken apart with our PRF, transcript and records alone. */
describe('DTLS: recorded conversations of OpenSSL and GnuTLS', () => {
  const psk = Buffer.from('secretPSK');
  for (const [name, suiteId, extended, said] of [
    ['openssl-psk-ccm8', 0xc0a8, true, 'said by the server\n'],
    ['openssl-psk-ccm', 0xc0a4, true, 'said by the server\n'],
    ['openssl-psk-gcm', 0x00a8, true, 'said by the server\n'],
    ['openssl-psk-cbc', 0x00ae, true, 'said by the server\n'],
    ['openssl-psk-cbc-etm', 0x00ae, true, 'said by the server\n'],
    ['gnutls-psk-ccm8-no-ems', 0xc0a8, false, 'first line\n'],
  ] as const) {
    it(`[DTLS-005] ${name}: both Finished messages and what was said`, () => {
      const lines = readFileSync(path.join(folder, `${name}.txt`), 'utf8')
        .trim()
        .split('\n');
      let transcript: Buffer[] = [];
      const finished: Record<string, { data: Buffer; expected: Buffer }> = {};
      const text: Record<string, string> = {};
      let clientRandom = Buffer.alloc(0);
      let serverRandom = Buffer.alloc(0);
      let master: Buffer | undefined;
      const encryptThenMac = name.endsWith('-etm');
      const links: Record<string, SecureLink> = {};
      const suite = suiteById(suiteId);
      assert.ok(suite);
      for (const line of lines) {
        const from = line.startsWith('>') ? 'client' : 'server';
        const datagram = hex(line.slice(2));
        for (let at = 0; at < datagram.length;) {
          const record = readRecord(datagram, at, 0);
          assert.ok(record);
          at = record.end;
          let { type, body: data } = { type: record.type, body: record.body };
          if (record.epoch === 1) {
            const opened = links[from]?.open(record, 0, true);
            assert.ok(typeof opened === 'object', `${from}'s record opens`);
            ({ type, data } = opened);
          }
          if (type === 23) text[from] = (text[from] ?? '') + data.toString();
          if (type !== 22) continue;
          const [message] = wire.messages(data);
          assert.ok(message);
          if (message.type === 3) {
            transcript = [];
            continue;
          }
          if (message.type === 1) clientRandom = Buffer.from(message.data.subarray(2, 34));
          if (message.type === 2) serverRandom = Buffer.from(message.data.subarray(2, 34));
          if (message.type === 20) {
            assert.ok(master);
            finished[from] = { data: message.data, expected: verifyData(master, from, sha256(transcript)) };
          }
          transcript.push(wholeMessage(message.type, message.messageSeq, message.data));
          if (message.type === 16) {
            const premaster = pskPremaster(psk);
            master = masterSecret(premaster, extended ? { sessionHash: sha256(transcript) } : { clientRandom, serverRandom });
            const { client, server } = recordKeys(suite.cipher, master, clientRandom, serverRandom);
            const none = Buffer.alloc(0);
            links['client'] = new SecureLink({ suite, encryptThenMac, read: client, write: server, ownCid: none, peerCid: none });
            links['server'] = new SecureLink({ suite, encryptThenMac, read: server, write: client, ownCid: none, peerCid: none });
          }
        }
      }
      for (const side of ['client', 'server']) assert.deepEqual(finished[side]?.data, finished[side]?.expected, side);
      assert.deepEqual(text, { client: 'first line\n', server: said });
    });
  }
});
