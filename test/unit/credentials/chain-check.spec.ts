import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { readFacts } from '../../../lib/credentials/certificate-der';
import { endpointNames, parseNameRules } from '../../../lib/credentials/certificate-names';
import { checkPath } from '../../../lib/credentials/chain-check';
import { CORPUS, INTERMEDIATE, LEAF, ROOT } from '../../support/chain';
import { P256, RSA } from '../../support/dtls/fixed-keys';

const root = new X509Certificate(ROOT);
const middle = new X509Certificate(INTERMEDIATE).raw;
const leaf = new X509Certificate(LEAF).raw;
const NOW = Date.parse(new X509Certificate(CORPUS.expired).validFrom) + 30 * 86_400_000;
const check = (chain: readonly Buffer[], now = NOW, anchors = [root]) => checkPath(chain, anchors, now);
const told = (chain: readonly Buffer[], now = NOW, anchors = [root]): string => {
  const verdict = check(chain, now, anchors);
  return verdict.accepted ? 'accepted' : `${verdict.alert}: ${verdict.detail}`;
};

describe('chains of certificates', () => {
  for (const [what, chain] of [
    ['signed by a CA that counts', [CORPUS.direct]],
    ['signed by a CA between', [CORPUS.device, middle]],
    ['with the root shown as well', [CORPUS.device, middle, root.raw]],
    ['in another order, with others that have nothing to do with it', [CORPUS.device, CORPUS.noSigner, P256.certificate, middle]],
    ['with an extension that need not be understood', [CORPUS.plain, middle]],
    ['without extended key usage', [leaf, middle]],
  ] as const) {
    it(`[CRED-060] accepts a certificate ${what}`, () => assert.equal(told(chain), 'accepted'));
  }

  it('[CRED-060] accepts a certificate whose issuer counts by itself, whoever signed that', () => {
    assert.equal(told([CORPUS.device], NOW, [new X509Certificate(INTERMEDIATE)]), 'accepted');
  });

  for (const [what, chain, text] of [
    ['whose issuer is missing', [CORPUS.device], /^48: no trusted CA has signed the certificate of "O=Example, OU=Meters, CN=dev-1"/],
    ['signed by another CA of the same name', [CORPUS.forged], /^48: /],
    ['signed by itself', [CORPUS.selfSigned], /^48: /],
    ['signed by one that is no CA', [CORPUS.byLeaf, leaf, middle], /^42: .*lwm2m\.example" is not that of a CA, but has signed another/],
    [
      'with more CAs than allowed',
      [CORPUS.tooLow, CORPUS.below, middle],
      /^42: .*Test intermediate" allows 0 CAs below it, and there are 1/,
    ],
    ['signed by a CA that must not sign', [CORPUS.byNoSigner, CORPUS.noSigner], /^42: .*No signer" must not sign others/],
    ['for servers', [CORPUS.forServers, middle], /^42: .* is not for clients/],
    ['that must not sign handshakes', [CORPUS.agreeOnly, middle], /^42: .*lacks digitalSignature/],
    ['with a critical extension that is not known', [CORPUS.critical, middle], /^43: .*a constraint that is not understood/],
    ['of a CA with name constraints', [CORPUS.byConstrained, CORPUS.constrained], /^43: .*"CN=Constrained" has a constraint/],
    ['signed with SHA-1', [CORPUS.sha1, middle], /^43: .* is signed in a way that is not safe/],
    ['with a short key', [CORPUS.shortRsa, middle], /^43: .* has a key that is not safe/],
    ['that has ended', [CORPUS.expired, middle], /^45: the certificate of "CN=dev-1" ended on /],
    ['that is none', [Buffer.from('hello')], /^42: the certificate that was shown cannot be read/],
    ['of too many', Array.from({ length: 9 }, () => middle), /^42: the device shows 9 certificates; 8 are the most/],
  ] as const) {
    it(`[CRED-061] refuses a certificate ${what}, with the reason`, () => assert.match(told(chain), text));
  }

  it('[CRED-061] asks for the dates of every certificate of the way, at the time of the handshake', () => {
    const early = Date.parse(root.validFrom) - 1000;
    assert.match(told([CORPUS.direct], early), /^42: .* is valid from .* on only/);
    assert.match(told([CORPUS.direct], Date.parse(root.validTo) + 86_400_000), /^45: /);
    assert.equal(told([CORPUS.expired, middle], NOW - 29.5 * 86_400_000), 'accepted');
    assert.match(told([CORPUS.direct], Number.NaN), /^42: /, 'a clock that tells nothing');
  });

  it('[CRED-061] a changed byte anywhere is noticed', () => {
    fc.assert(
      fc.property(fc.nat(CORPUS.direct.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const spoiled = Buffer.from(CORPUS.direct);
        spoiled[at] = spoiled[at]! ^ flip;
        assert.equal(check([spoiled]).accepted, false);
      }),
      { seed: 8, numRuns: 400 },
    );
  });

  it('[CRED-061] no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.equal(check([Buffer.from(bytes), middle]).accepted, false)),
      { seed: 9, numRuns: 300 },
    );
    assert.equal(readFacts(Buffer.alloc(20_000, 0x30)), undefined);
  });

  it('[CRED-062] reads the names of a certificate: common name, URIs, DNS names without stars', () => {
    assert.deepEqual(readFacts(CORPUS.device)?.names, [
      { kind: 'cn', name: 'dev-1' },
      { kind: 'uri', name: 'urn:dev:dev-1' },
      { kind: 'dns', name: 'dev-1.devices.example' },
    ]);
    assert.deepEqual(readFacts(CORPUS.noName)?.names, []);
    assert.deepEqual(readFacts(RSA.certificate)?.keyUsage, undefined);
  });

  it('[CRED-063] names are endpoint names as they are, or by rules with a star', () => {
    const { names } = readFacts(CORPUS.device)!;
    for (const [rules, expected] of [
      ['', ['dev-1', 'urn:dev:dev-1', 'dev-1.devices.example']],
      ['dns:*.devices.example', ['dev-1']],
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
