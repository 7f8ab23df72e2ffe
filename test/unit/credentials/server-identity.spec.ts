import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ServerIdentity, type ServerKeySettings } from '../../../lib/credentials/server-identity';
import { readAnchors, readServerKeys, ServerKeyError } from '../../../lib/credentials/server-keys';
import { INTERMEDIATE, LEAF, LEAF_KEY, ROOT } from '../../support/chain';
import { P256, P384, RSA, type FixedKey } from '../../support/dtls/fixed-keys';
import { forge } from '../../support/forge';

const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
const certificateOf = ({ certificate }: FixedKey): string => pem('CERTIFICATE', certificate);
const keyOf = ({ privateKey }: FixedKey): string => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const raw = (text: string): Buffer => new X509Certificate(text).raw;
const key = (text: string) => ({ place: 'the server key', text });
const certificate = (text: string) => ({ place: 'the server certificate', text });
const wrong = (text: RegExp) => (error: unknown) =>
  error instanceof ServerKeyError && text.test(error.message) && !/MIG|[A-Za-z0-9+/]{40}/.test(error.message);

/** Two certificates for the same key and name, made by openssl: until 2021 and until 2040. */
const RENEWED = [
  `-----BEGIN CERTIFICATE-----
MIIBazCCARKgAwIBAgIGAaIInapcMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB3Jl
bmV3ZWQwHhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjASMRAwDgYDVQQD
DAdyZW5ld2VkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUjEk9dQS73KBgFIK
hFLTqtxD3KbQGPkLmq4xYpGfJWJyY/vNRcJQTWSZvy8rDEtL8zisuz7PUFBxjf+6
1UzWiqNUMFIwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAww
CgYIKwYBBQUHAwIwHQYDVR0OBBYEFN/uU1U4PsEFCWfOee+C//Z2e04qMAoGCCqG
SM49BAMCA0cAMEQCIDAwMQHyfP6Df6v+tuqcUv0vmYYuH3UCNbMzLaBn0nvJAiBB
nvuWAM2FKTOgKaKoaiPoGBd0bDh9lBOsAtrs955gAw==
-----END CERTIFICATE-----
`,
  `-----BEGIN CERTIFICATE-----
MIIBbDCCARKgAwIBAgIGAaIInapdMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB3Jl
bmV3ZWQwHhcNMjAwMTAxMDAwMDAwWhcNNDAwMTAxMDAwMDAwWjASMRAwDgYDVQQD
DAdyZW5ld2VkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUjEk9dQS73KBgFIK
hFLTqtxD3KbQGPkLmq4xYpGfJWJyY/vNRcJQTWSZvy8rDEtL8zisuz7PUFBxjf+6
1UzWiqNUMFIwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAww
CgYIKwYBBQUHAwIwHQYDVR0OBBYEFN/uU1U4PsEFCWfOee+C//Z2e04qMAoGCCqG
SM49BAMCA0gAMEUCIHTLVbaIzwQyx7WAzUI5I+bGHUD1FQa5FrHkPIS+2oFzAiEA
2WvA3tdPU9x8TCti6/caUWC1z5QZnL1zOtkUPGq2Z6U=
-----END CERTIFICATE-----
`,
] as const;

describe('keys and certificates of the server', () => {
  it('[CRED-040] puts a chain in order whatever the order of its parts, and keeps the root to itself', () => {
    for (const parts of [
      [LEAF, INTERMEDIATE, ROOT],
      [ROOT, LEAF, INTERMEDIATE],
      [INTERMEDIATE, ROOT, LEAF],
    ]) {
      const { own, certificates } = readServerKeys([key(LEAF_KEY)], [certificate(`Some words\n${parts.join('\n')}`)]);
      assert.deepEqual(
        own.map(({ chain }) => chain),
        [[raw(LEAF), raw(INTERMEDIATE)]],
      );
      assert.equal(certificates.length, 3);
    }
  });

  it('[CRED-040] finds each key its certificate, of RSA and EC together; one alone is shown as it is', () => {
    const keys = [keyOf(RSA), keyOf(P256)].map(key);
    const { own } = readServerKeys(keys, [certificateOf(P256), certificateOf(RSA)].map(certificate));
    assert.deepEqual(
      own.map(({ publicKey, chain }) => [publicKey, chain]),
      [
        [RSA.publicKey, [RSA.certificate]],
        [P256.publicKey, [P256.certificate]],
      ],
    );
    assert.deepEqual(readServerKeys([key(keyOf(P384))], []).own[0]?.chain, []);
    assert.deepEqual(readServerKeys([key(keyOf(P384) + certificateOf(P384))], []).own[0]?.chain, [P384.certificate], 'both in one file');
    const line = (text: string): string => text.replaceAll('\n', ' ');
    assert.equal(readServerKeys([key(line(LEAF_KEY))], [certificate(line(LEAF + INTERMEDIATE))]).own[0]?.chain.length, 2, 'in one line');
    assert.deepEqual(readServerKeys([], []), { own: [], certificates: [], until: Infinity });
  });

  it('[CRED-040] opens an encrypted key with its passphrase', () => {
    const locked = P256.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' }).toString();
    assert.deepEqual(readServerKeys([key(locked)], [], 'secret').own[0]?.publicKey, P256.publicKey);
    assert.throws(() => readServerKeys([key(locked)], [], 'other'), wrong(/^The server key cannot be opened: the passphrase is wrong/));
    assert.throws(() => readServerKeys([key(locked)], []), wrong(/^The server key cannot be opened: it needs a passphrase/));
  });

  it('[CRED-040] opens a key that is encrypted in the form of old', () => {
    const locked = P256.privateKey.export({ type: 'sec1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' }).toString();
    assert.match(locked, /DEK-Info: AES-256-CBC/);
    assert.deepEqual(readServerKeys([key(locked)], [], 'secret').own[0]?.publicKey, P256.publicKey);
    assert.throws(() => readServerKeys([key(locked)], [], 'other'), wrong(/^The server key cannot be opened: the passphrase is wrong/));
    assert.throws(() => readServerKeys([key(locked)], []), wrong(/^The server key cannot be opened: it needs a passphrase/));
  });

  for (const [what, change] of [
    ['indented', (text: string) => text.replace(/^/gm, '    ')],
    ['with the ends of its lines written out', (text: string) => text.replaceAll('\n', '\\n')],
    ['with the ends of lines of Windows', (text: string) => text.replaceAll('\n', '\r\n')],
  ] as const) {
    it(`[CRED-040] reads PEM ${what}`, () => {
      const { own } = readServerKeys([key(change(LEAF_KEY))], [certificate(change(LEAF + INTERMEDIATE))]);
      assert.deepEqual(own[0]?.chain, [raw(LEAF), raw(INTERMEDIATE)]);
    });
  }

  it('[CRED-040] takes a certificate that is there twice for one', () => {
    for (const [keys, certificates] of [
      [LEAF_KEY, LEAF + INTERMEDIATE + LEAF + INTERMEDIATE],
      [LEAF_KEY + LEAF + INTERMEDIATE, LEAF + INTERMEDIATE],
    ] as const) {
      const { own, certificates: used } = readServerKeys([key(keys)], [certificate(certificates)]);
      assert.deepEqual([own[0]?.chain, used.length], [[raw(LEAF), raw(INTERMEDIATE)], 2]);
    }
  });

  it('[CRED-040] of two certificates for one key shows the one that ends last, and of two of one issuer as well', () => {
    const [old, renewed] = RENEWED;
    for (const texts of [old + renewed, renewed + old]) {
      const { own, certificates } = readServerKeys([key(keyOf(P256))], [certificate(texts)]);
      assert.deepEqual([own[0]?.chain, certificates.map((each) => each.raw)], [[raw(renewed)], [raw(renewed)]]);
    }
  });

  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const curve = generateKeyPairSync('ec', { namedCurve: 'secp521r1' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const ed = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  for (const [what, keys, certificates, text] of [
    [
      'a key of another certificate',
      [keyOf(P384)],
      [LEAF],
      /^The server key belongs to none of the server certificates \("O=Example, CN=lwm2m.example"\)/,
    ],
    ['a certificate of no key', [LEAF_KEY], [LEAF, certificateOf(P384)], /^The server certificate of "CN=ec384" belongs to none/],
    ['certificates without a key', [], [LEAF], /the private key they belong to is missing/],
    ['a certificate for a key', [LEAF], [], /^The server key is a certificate, where a private key belongs/],
    [
      'a public key for a key',
      [pem('PUBLIC KEY', P256.publicKey)],
      [],
      /^The server key is a public key; the server needs its private key/,
    ],
    ['a key for a certificate', [LEAF_KEY], [LEAF_KEY], /^The server certificate is a private key, where a certificate belongs/],
    ['a root without the CA between', [LEAF_KEY], [LEAF, ROOT], /belongs to none .* the certificate between is missing\.$/],
    ['an empty key', [' \n'], [], /^The server key is empty/],
    ['an empty certificate', [LEAF_KEY], ['\n'], /^The server certificate is empty/],
    ['half a key', [LEAF_KEY.slice(0, 100)], [], /^The server key is cut off/],
    ['half a chain', [LEAF_KEY], [LEAF + INTERMEDIATE.slice(0, 200)], /^The server certificate is cut off/],
    ['other words', ['hello'], [], /^The server key has no private key in PEM/],
    ['other words for a certificate', [LEAF_KEY], ['hello'], /^The server certificate has no certificate in PEM/],
    ['a damaged key', [LEAF_KEY.replace('MIG', 'AAA')], [], /^The server key cannot be read: it is damaged/],
    ['a damaged certificate', [LEAF_KEY], [LEAF + LEAF.replace('MII', 'AAA')], /^Certificate 2 in the server certificate cannot be read/],
    ['a short key of RSA', [small], [], /^The server key is one of RSA with 1024 bits; 2048 are the least/],
    ['another curve', [curve], [], /^The server key is on secp521r1/],
    ['another kind', [ed], [], /^The server key is of the type ed25519/],
  ] as const) {
    it(`[CRED-041] refuses ${what}, and names which it is`, () =>
      assert.throws(() => readServerKeys(keys.map(key), certificates.map(certificate)), wrong(text)));
  }

  it('[CRED-042] trusts CAs, each once, and nothing that may not sign others', () => {
    const texts = [{ place: 'the trusted certificate', text: ROOT + INTERMEDIATE + ROOT }];
    assert.deepEqual(
      readAnchors(texts).map((each) => each.raw),
      [raw(ROOT), raw(INTERMEDIATE)],
    );
    assert.throws(
      () => readAnchors([{ place: 'here', text: LEAF }]),
      wrong(/certificate of "O=Example, CN=lwm2m.example" is not that of a CA/),
    );
  });
});

describe('server keys in files', () => {
  let folder: string;
  const file = (name: string): string => path.join(folder, name);
  const open: ServerIdentity[] = [];

  beforeEach(async () => (folder = await mkdtemp(path.join(tmpdir(), 'lwm2m-server-keys-'))));
  afterEach(async () => {
    for (const each of open.splice(0)) each.close();
    await rm(folder, { recursive: true });
  });

  function identity(settings: ServerKeySettings, now = () => Date.parse('2027-01-01')) {
    const changes: boolean[] = [];
    const notices: string[] = [];
    const made = new ServerIdentity({
      ...settings,
      onChange: (distrusted) => changes.push(distrusted),
      onNotice: (text) => notices.push(text),
      now,
      rescan: 2 ** 30,
    });
    open.push(made);
    made.start();
    return { identity: made, changes, notices };
  }

  it('[CRED-043] are read again when they change: key and certificate in turn, told of nothing', async () => {
    await writeFile(file('key.pem'), keyOf(P256));
    await writeFile(file('chain.pem'), certificateOf(P256));
    const { identity: made, changes, notices } = identity({ serverKey: file('key.pem'), serverCertificate: [file('chain.pem')] });
    await made.refresh();
    assert.deepEqual(made.own[0]?.chain, [P256.certificate]);
    await writeFile(file('key.pem'), keyOf(RSA));
    await made.refresh();
    assert.deepEqual(made.own[0].chain, [P256.certificate], 'only one of the two is there');
    await writeFile(file('chain.pem'), certificateOf(RSA));
    await made.refresh();
    assert.deepEqual(made.own[0].chain, [RSA.certificate]);
    assert.deepEqual([changes, notices], [[false], []]);
    await made.refresh();
    assert.deepEqual(changes, [false], 'nothing new');
  });

  it('[CRED-043] that are broken or gone change nothing, and are told of once', async () => {
    await writeFile(file('key.pem'), keyOf(P256));
    const { identity: made, changes, notices } = identity({ serverKey: file('key.pem') });
    await writeFile(file('key.pem'), 'half');
    for (let look = 0; look < 4; look += 1) await made.refresh();
    assert.equal(notices.length, 1);
    assert.match(
      notices[0]!,
      /^The server key in ".*key\.pem" has no private key .* Until it is right again, what was there before counts\.$/,
    );
    await rm(file('key.pem'));
    for (let look = 0; look < 3; look += 1) await made.refresh();
    assert.match(notices[1]!, /cannot be read/);
    assert.deepEqual([made.own[0]?.publicKey, changes, notices.length], [P256.publicKey, [], 2]);
    await writeFile(file('key.pem'), keyOf(P384));
    await made.refresh();
    assert.deepEqual([made.own[0]?.publicKey, changes], [P384.publicKey, [false]]);
  });

  it('[CRED-043] a CA that is gone is told apart from one that came', async () => {
    await writeFile(file('cas.pem'), ROOT);
    const { identity: made, changes } = identity({ trustAnchors: file('cas.pem') });
    const marks = new Set([made.anchorsMark]);
    await writeFile(file('cas.pem'), `${INTERMEDIATE}${ROOT}`);
    await made.refresh();
    await writeFile(file('cas.pem'), `${ROOT}${INTERMEDIATE}\n`);
    await made.refresh();
    assert.equal(marks.has(made.anchorsMark), false);
    marks.add(made.anchorsMark);
    await writeFile(file('cas.pem'), INTERMEDIATE);
    await made.refresh();
    assert.deepEqual([changes, marks.has(made.anchorsMark), made.anchors.length], [[false, false, true], false, 1]);
  });

  it('[CRED-043] a file of CAs that is being written does not end the trust in those that come later in it', async () => {
    await writeFile(file('cas.pem'), ROOT + INTERMEDIATE);
    const { identity: made, changes, notices } = identity({ trustAnchors: file('cas.pem') });
    for (const half of ['', '\n', ROOT.slice(0, 100), ROOT + INTERMEDIATE.slice(0, 100)]) {
      await writeFile(file('cas.pem'), half);
      await made.refresh();
      assert.deepEqual([made.anchors.length, changes], [2, []], JSON.stringify(half.slice(-20)));
    }
    await writeFile(file('cas.pem'), ROOT + INTERMEDIATE);
    await made.refresh();
    assert.deepEqual([made.anchors.length, changes, notices.length <= 2], [2, [], true]);
  });

  it('[CRED-043] are refused at the start, by the name of the file', () => {
    assert.throws(() => identity({ serverKey: file('none.pem') }), wrong(/^The server key in ".*none\.pem" cannot be read: ENOENT/));
  });

  const der = P256.privateKey.export({ type: 'pkcs8', format: 'der' });
  const jwk = P256.privateKey.export({ format: 'jwk' });
  for (const [what, text] of [
    ['base64', der.toString('base64')],
    ['part of its base64', der.toString('base64').slice(40, 90)],
    ['base64 without the lines around it', keyOf(P256).replace(/-----.*-----/g, '')],
    ['PEM without its first line', keyOf(P256).split('\n').slice(1).join('\n')],
    ['PEM with a dash too few', keyOf(P256).replace('-----BEGIN', '----BEGIN')],
    ['digits', der.toString('hex')],
    [
      'digits with colons',
      der
        .toString('hex')
        .replace(/..(?=.)/g, '$&:')
        .slice(0, 120),
    ],
    ['JSON', JSON.stringify(jwk)],
    ['its bare number in base64url', jwk.d ?? ''],
    ['bytes taken for text', der.toString('utf8')],
  ] as const) {
    it(`[CRED-041] a key in the form of ${what} is no name of a file, and is not repeated`, () => {
      for (const field of ['serverKey', 'serverCertificate', 'trustAnchors'] as const) {
        assert.throws(
          () => identity({ [field]: text }),
          (error) =>
            wrong(/^The \w+ \w+ is neither text in PEM, .* nor the name of a file that is there\.$/)(error) &&
            !String(error).includes(text.slice(-8)),
        );
      }
    });
  }

  it('[CRED-041] a name of a file that is not there is repeated', () => {
    for (const name of ['none.pem', '/etc/lwm2m/none.pem', 'C:\\keys\\none.pem', './a folder/server key', 'production/server-key']) {
      assert.throws(
        () => identity({ serverKey: name }),
        (error) => error instanceof ServerKeyError && error.message.includes(`"${name}"`),
      );
    }
  });

  it('[CRED-044] tells of certificates that end within 30 days, once a day', async () => {
    const end = Date.parse(new X509Certificate(LEAF).validTo);
    const day = 86_400_000;
    let now = end - 31 * day;
    const { identity: made, notices } = identity(
      { serverKey: LEAF_KEY, serverCertificate: LEAF, trustAnchors: certificateOf(P384) },
      () => now,
    );
    await made.refresh();
    assert.deepEqual(notices, []);
    now = end - 29.5 * day;
    await made.refresh();
    await made.refresh();
    assert.equal(notices.length, 2);
    assert.match(notices[1]!, /^The trusted CA "CN=ec384" ends on /);
    assert.match(
      notices[0]!,
      /^The server certificate of "O=Example, CN=lwm2m.example" ends on \d{4}-\d\d-\d\d, in 29 days\. Replace it in time\.$/,
    );
    now = end + day;
    await made.refresh();
    assert.match(notices.slice(2).join(' '), /lwm2m.example" ended on .*: devices refuse it/);
  });

  it('[CRED-043] a certificate for later, for the same key, is shown once it is valid, without a change of anything', async () => {
    const day = 86_400_000;
    const start = Date.parse('2026-03-01T00:00:00Z');
    // Of one name they have one key.
    const signed = (from: number, days: number) => forge({ subject: 'server', from: new Date(from), to: new Date(from + days * day) });
    const [{ der: present, privateKey: key }, { der: later }] = [signed(start, 60), signed(start + 50 * day, 400)];
    const pem = (der: Buffer): string => new X509Certificate(der).toString();
    let now = start + day;
    const settings = { serverKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(), serverCertificate: pem(later) + pem(present) };
    const { identity: made } = identity(settings, () => now);
    const shown = () => made.own.flatMap(({ chain }) => chain);
    assert.deepEqual(shown(), [present]);
    await made.refresh();
    assert.deepEqual(shown(), [present]);
    now = start + 51 * day;
    await made.refresh();
    assert.deepEqual(shown(), [later]);
  });

  it('[CRED-043] knows the settings it was made from', () => {
    const { identity: made } = identity({ serverKey: LEAF_KEY });
    assert.ok(made.isFrom({ serverKey: [`${LEAF_KEY}\n`], trustAnchors: '' }));
    assert.ok(!made.isFrom({ serverKey: LEAF_KEY, serverKeyPassphrase: 'x' }));
    assert.ok(!made.isFrom({}));
  });
});
