import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import * as asn from '@peculiar/asn1-x509';
import fc from 'fast-check';
import { readCertificate, readFacts } from '../../../lib/credentials/certificate-facts';
import { endpointNames, parseNameRules } from '../../../lib/credentials/certificate-names';
import { checkPath } from '../../../lib/credentials/chain-check';
import { DEVICE_CERTIFICATE } from '../../support/chain';
import { RSA } from '../../support/dtls/fixed-keys';
import { DAY, forge, NOW, type Forged } from '../../support/forge';

const root = forge({ subject: 'Root', ca: true });
const middle = forge({ subject: 'Middle', ca: 0, by: root }).der;
const direct = forge({ subject: 'dev-1', by: root }).der;
const named = new X509Certificate(DEVICE_CERTIFICATE);
const check = (chain: readonly Buffer[], now = NOW) => checkPath(chain, [new X509Certificate(root.der)], now);
const told = async (chain: readonly Buffer[], now = NOW): Promise<string> => {
  const verdict = await check(chain, now);
  return verdict.accepted ? 'accepted' : `${verdict.alert}: ${verdict.detail}`;
};

describe('chains of certificates', () => {
  it('[CRED-060] a CA that was renewed under its old key is found beside the one that has ended, trusted or shown, in any order', async () => {
    const old = { from: new Date(NOW - 20 * DAY), to: new Date(NOW - 10 * DAY) };
    const ended = forge({ subject: 'Renewed', ca: true, ...old });
    const renewed = forge({ subject: 'Renewed', ca: true, pair: ended });
    const between = forge({ subject: 'Between', ca: 0, by: renewed, ...old });
    const betweenNow = forge({ subject: 'Between', ca: 0, by: renewed, pair: between });
    const { der } = forge({ subject: 'dev', by: betweenNow });
    for (const anchors of [
      [ended, renewed],
      [renewed, ended],
    ]) {
      for (const shown of [
        [between, betweenNow],
        [betweenNow, between],
      ]) {
        const cas = anchors.map((each) => new X509Certificate(each.der));
        const verdict = await checkPath([der, ...shown.map((each) => each.der)], cas, NOW);
        assert.equal(verdict.accepted ? 'accepted' : verdict.detail, 'accepted');
        const late = await checkPath([der, ...shown.map((each) => each.der)], cas.slice(0, 1), NOW);
        assert.equal(late.accepted, anchors[0] === renewed);
      }
    }
    const verdict = await checkPath([der, between.der], [new X509Certificate(ended.der), new X509Certificate(renewed.der)], NOW);
    assert.match(verdict.accepted ? 'accepted' : verdict.detail, /"CN=Between" ended on/, 'the first that is wrong is told of');
  });

  it('[CRED-060] of many CAs of one name the right one is found by the id of its key', async () => {
    const extension = (extnID: string, value: unknown) =>
      new asn.Extension({ extnID, extnValue: new OctetString(AsnConvert.serialize(value)) });
    const idOf = (index: number) => new Uint8Array([index, 1, 2, 3]).buffer;
    const cas = Array.from({ length: 40 }, (_, index) => {
      const more = [extension(asn.id_ce_subjectKeyIdentifier, new asn.SubjectKeyIdentifier(idOf(index)))];
      return forge({ subject: 'Same', ca: true, pair: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }), more });
    });
    const id = new asn.AuthorityKeyIdentifier({ keyIdentifier: new asn.KeyIdentifier(idOf(39)) });
    const { der } = forge({ subject: 'dev', by: cas[39]!, more: [extension(asn.id_ce_authorityKeyIdentifier, id)] });
    const anchors = cas.map((each) => new X509Certificate(each.der));
    assert.equal((await checkPath([der], anchors, NOW)).accepted, true);
    assert.equal((await checkPath([der], anchors.slice(0, 39), NOW)).accepted, false);
  });

  it('[CRED-061] says where the way to a trusted CA ends', async () => {
    const other = forge({ subject: 'Other', ca: true });
    const below = forge({ subject: 'Below', ca: true, by: root });
    const strange = forge({ subject: 'Strange', ca: true, by: other });
    const device = (by: Forged) => forge({ subject: 'dev', by }).der;
    const what = '48: no trusted CA has signed the certificate of "CN=dev"';
    for (const [chain, rest] of [
      [[device(below)], ': "CN=Below", above it, is not trusted, and its certificate is not shown by the device'],
      [[device(strange), strange.der], ': "CN=Other", above it, is not trusted, and its certificate is not shown by the device'],
      [[device(strange), strange.der, other.der], ': "CN=Other", above it, is not trusted'],
      [[forge({ subject: 'dev' }).der], ': it is signed by itself'],
      [[forge({ subject: 'dev', by: other, issuer: 'Root' }).der], ': one is called "CN=Root", but the key that signed is another'],
    ] as const) {
      assert.equal(await told(chain), what + rest);
    }
  });

  it('[CRED-061] asks for the dates at the time of the handshake', async () => {
    assert.equal(await told([direct]), 'accepted');
    assert.match(await told([direct], NOW - 31 * DAY), /^42: .* is valid from .* on only/);
    assert.match(await told([direct], NOW + 31 * DAY), /^45: /);
    assert.match(await told([direct], Number.NaN), /^42: /, 'a clock that tells nothing');
  });

  it('[CRED-056] a chain is good until the first of it ends, the CA included', async () => {
    const until = async (chain: readonly Buffer[], anchor = root.der): Promise<number> => {
      const verdict = await checkPath(chain, [new X509Certificate(anchor)], NOW);
      assert.ok(verdict.accepted);
      return verdict.until;
    };
    const [device, between, top] = [3, 5, 7].map((days) => new Date(NOW + days * DAY));
    const above = forge({ subject: 'Above', ca: true, to: top! });
    const next = forge({ subject: 'Next', ca: 0, by: above, to: between! });
    assert.equal(await until([forge({ subject: 'd', by: next, to: device! }).der, next.der], above.der), device!.getTime());
    assert.equal(await until([forge({ subject: 'd', by: next }).der, next.der], above.der), between!.getTime());
    assert.equal(await until([forge({ subject: 'd', by: above }).der], above.der), top!.getTime());
  });

  it('[CRED-061] a changed byte anywhere is noticed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(direct.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const spoiled = Buffer.from(direct);
        spoiled[at] = spoiled[at]! ^ flip;
        assert.equal((await check([spoiled])).accepted, false);
      }),
      { seed: 8, numRuns: 400 },
    );
  });

  it('[CRED-061] no bytes make it throw', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) =>
        assert.equal((await check([Buffer.from(bytes), middle])).accepted, false),
      ),
      { seed: 9, numRuns: 300 },
    );
    assert.equal(readCertificate(Buffer.alloc(20_000, 0x30)), undefined);
  });

  it('[CRED-062] reads the names of a certificate: common name, URIs, DNS names without stars', async () => {
    assert.deepEqual((await readFacts(named))?.names, [
      { kind: 'cn', name: 'dev-1' },
      { kind: 'uri', name: 'urn:dev:dev-1' },
      { kind: 'dns', name: 'dev-1.devices.example' },
    ]);
    assert.deepEqual((await readFacts(new X509Certificate(forge({ subject: '', by: root }).der)))?.names, []);
    assert.deepEqual((await readFacts(new X509Certificate(RSA.certificate)))?.keyUsage, undefined);
  });

  it('[CRED-063] names are endpoint names as they are, or by rules with a star', async () => {
    const { names } = (await readFacts(named))!;
    for (const [rules, expected] of [
      ['', ['dev-1', 'urn:dev:dev-1', 'dev-1.devices.example']],
      ['dns:*.devices.example', ['dev-1']],
      ['dns:*.Devices.EXAMPLE', ['dev-1']],
      ['cn:DEV-*', []],
      ['URI:urn:dev:*, cn:*', ['dev-1']],
      ['dns:*, cn:dev-*', ['dev-1.devices.example', '1']],
      ['uri:urn:imei:*', []],
      ['cn:dev-1*', []],
      ['cn:dev-1*dev-1', []],
    ] as const) {
      assert.deepEqual(endpointNames(names, parseNameRules(rules)), expected, rules);
    }
    for (const wrong of ['cn', 'cn:x', 'mail:*', 'cn:*-*']) {
      assert.throws(() => parseNameRules(wrong), /must look like cn:\*, uri:urn:dev:\* or dns:\*\.devices\.example/, wrong);
    }
  });
});
