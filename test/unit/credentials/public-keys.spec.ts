import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { DeviceTable } from '../../../lib/credentials/device-table';
import { checkDevice, checkDevices, DeviceTableError } from '../../../lib/credentials/entries';
import { fingerprintOf } from '../../../lib/credentials/public-keys';
import type { DeviceEntry } from '../../../lib/credentials/types';
import type { Identity } from '../../../lib/transport/types';
import { DEVICE, P256, P384, RSA } from '../../support/dtls/fixed-keys';
import { forge } from '../../support/forge';

const wrong = (text: RegExp, secret?: string) => (error: unknown) =>
  error instanceof DeviceTableError && text.test(error.message) && (secret === undefined || !error.message.includes(secret));
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
const check = (entry: object) => checkDevice({ endpoint: 'dev', ...entry }, 'Device 3 of the table');

const pkcs8 = DEVICE.privateKey.export({ type: 'pkcs8', format: 'der' });
const sec1 = DEVICE.privateKey.export({ type: 'sec1', format: 'pem' }).toString();
const locked = DEVICE.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' }).toString();
const k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ type: 'spki', format: 'der' });

describe('devices with raw public keys and certificates', () => {
  for (const [form, publicKey] of [
    ['PEM', pem('PUBLIC KEY', DEVICE.publicKey)],
    ['PEM after a heading', `my key\n${pem('PUBLIC KEY', DEVICE.publicKey).replaceAll('\n', '\r\n')}`],
    ['base64', DEVICE.publicKey.toString('base64')],
    ['base64 of several lines', DEVICE.publicKey.toString('base64').replace(/.{20}/g, '$&\n')],
    ['base64 that says so', `base64:${DEVICE.publicKey.toString('base64url')}`],
    ['hexadecimal digits', DEVICE.publicKey.toString('hex')],
    ['digits that say so', `hex:${DEVICE.publicKey.toString('hex')}`],
    ['digits as C writes them', `0x${DEVICE.publicKey.toString('hex')}`],
    ['digits with blanks', DEVICE.publicKey.toString('hex').toUpperCase().replace(/.{8}/g, '$& \r\n')],
    ['PEM with the ends of its lines written out', pem('PUBLIC KEY', DEVICE.publicKey).replaceAll('\n', '\\n')],
    ['digits with colons', DEVICE.publicKey.toString('hex').replace(/..(?=.)/g, '$&:')],
    ['bytes', new Uint8Array(DEVICE.publicKey)],
    ['the bytes of a file in PEM', Buffer.from(`\ufeff${pem('PUBLIC KEY', DEVICE.publicKey)}`)],
    ['bytes with others after them', Buffer.concat([DEVICE.publicKey, Buffer.from('more')])],
  ] as const) {
    it(`[CRED-015] reads a public key from ${form}; its name is its SHA-256`, () => {
      const { entry, key } = check({ mode: 'rpk', publicKey });
      assert.deepEqual(entry, { endpoint: 'dev', mode: 'rpk', identity: sha256(DEVICE.publicKey) });
      assert.deepEqual(key, DEVICE.publicKey);
    });
  }

  for (const [what, from, to] of [
    // Made by openssl pkey -pubout, with -ec_conv_form compressed, and with -ec_param_enc explicit.
    [
      'a compressed point',
      'MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgACzXG2sZXapESHIHeYVvfaQzYjWQPf4D9PbemOUI+Z9pc=',
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEzXG2sZXapESHIHeYVvfaQzYjWQPf4D9PbemOUI+Z9petAvk2mQFnCmoQgrdiR//NFN2FQDEQvhe4mSg+GOnm6A==',
    ],
    [
      'a curve in full',
      'MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAAAAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA///////////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABM1xtrGV2qREhyB3mFb32kM2I1kD3+A/T23pjlCPmfaXrQL5NpkBZwpqEIK3Ykf/zRTdhUAxEL4XuJkoPhjp5ug=',
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEzXG2sZXapESHIHeYVvfaQzYjWQPf4D9PbemOUI+Z9petAvk2mQFnCmoQgrdiR//NFN2FQDEQvhe4mSg+GOnm6A==',
    ],
  ] as const) {
    it(`[CRED-015] a key with ${what} is the same key`, () => {
      const { entry, key } = check({ mode: 'rpk', publicKey: from });
      assert.equal(key?.toString('base64'), to);
      assert.equal(entry.identity, sha256(Buffer.from(to, 'base64')));
    });
  }

  it('[CRED-015] takes keys on P-384 too, and any other in the place where the IoT Hub has it', () => {
    assert.deepEqual(check({ mode: 'rpk', publicKey: P384.publicKey }).key, P384.publicKey);
    assert.deepEqual(check({ mode: 'rpk', key: P384.publicKey.toString('base64') }).key, P384.publicKey);
  });

  for (const [what, publicKey, text] of [
    ['missing', undefined, /"dev": its public key is missing/],
    ['blank', ' ', /its public key is missing/],
    ['a number', 7, /its public key must be text: PEM, or DER in base64/],
    ['no base64', '%%%%', /its public key is neither PEM nor base64 nor hexadecimal digits/],
    ['other DER', Buffer.from('3003020101', 'hex'), /its public key is no SubjectPublicKeyInfo/],
    ['half a PEM', '-----BEGIN PUBLIC KEY-----\nMFkw', /begins like PEM, but does not end like it/],
    ['two keys', pem('PUBLIC KEY', P256.publicKey) + pem('PUBLIC KEY', P384.publicKey), /has 2 parts in PEM/],
    ['a key of RSA', RSA.publicKey, /of the type rsa; it must be one of ECDSA on P-256 or P-384/],
    ['on another curve', k1, /is on secp256k1; it must be on P-256 or P-384/],
    ['a bare point', DEVICE.publicKey.subarray(-65).toString('hex'), /is a bare point of a curve/],
    ['a certificate', pem('CERTIFICATE', DEVICE.certificate), /is a certificate; devices with certificates have mode "x509"/],
    ['a certificate in base64', DEVICE.certificate.toString('base64'), /is a certificate/],
    ['a private key', pem('PRIVATE KEY', pkcs8), /is a private key/],
    ['a private key in base64', pkcs8.toString('base64'), /is a private key/],
    ['a private key in digits', pkcs8.toString('hex'), /is a private key/],
    ['a private key of the older form', sec1, /is a private key/],
    ['a private key in the bytes of a file', Buffer.from(sec1), /is a private key/],
    ['a private key under a passphrase', locked, /is a private key/],
    ['a private key that was cut', sec1.slice(0, -40), /is a private key/],
    ['far too long', 'M'.repeat(70_000), /is too long/],
  ] as const) {
    it(`[CRED-016] refuses a public key that is ${what}, in plain words and without repeating it`, () => {
      const secret = typeof publicKey === 'string' && publicKey.length > 40 ? publicKey.slice(30, 50) : undefined;
      assert.throws(() => check({ mode: 'rpk', publicKey }), wrong(text, secret));
      assert.throws(() => check({ mode: 'rpk', publicKey }), wrong(/^Device 3 of the table: "dev": /, secret));
    });
  }

  it('[CRED-017] of mode x509 needs nothing, or one certificate that alone counts', () => {
    assert.deepEqual(check({ mode: 'x509' }), { entry: { endpoint: 'dev', mode: 'x509' }, key: undefined });
    assert.deepEqual(check({ mode: 'x509', certificate: '' }).key, undefined);
    for (const certificate of [DEVICE.certificate, pem('CERTIFICATE', DEVICE.certificate), DEVICE.certificate.toString('base64')]) {
      assert.deepEqual(check({ mode: 'x509', certificate }), {
        entry: { endpoint: 'dev', mode: 'x509', fingerprint: sha256(DEVICE.certificate) },
        key: DEVICE.certificate,
      });
    }
  });

  for (const [what, certificate, text] of [
    ['a public key', pem('PUBLIC KEY', DEVICE.publicKey), /is only a public key; devices with raw public keys have mode "rpk"/],
    ['a private key', pkcs8, /its certificate is a private key/],
    ['a certificate and its private key', pem('CERTIFICATE', DEVICE.certificate) + sec1, /its certificate is a private key/],
    ['a chain', pem('CERTIFICATE', DEVICE.certificate).repeat(2), /its certificate has 2 parts in PEM; it must be one/],
    ['of a key on Ed25519', forge({ subject: 'ed', key: 'ed25519' }).der, /a key of the type ed25519; it must be one of ECDSA or RSA/],
    ['of a short key of RSA', forge({ subject: 'short', key: 'rsa1024' }).der, /a key of RSA with 1024 bits; 2048 are the least/],
    ['nothing of the kind', 'aGVsbG8=', /is no X.509 certificate in DER or PEM/],
  ] as const) {
    it(`[CRED-016] refuses a certificate that is ${what}`, () => assert.throws(() => check({ mode: 'x509', certificate }), wrong(text)));
  }

  it('[CRED-013] reads RPK and X509 of the IoT Hub, also inside a text', () => {
    const rpk = { client: { securityConfigClientMode: 'RPK', endpoint: 'LwRpk1', key: DEVICE.publicKey.toString('base64') } };
    const fixed = { client: { securityConfigClientMode: 'X509', endpoint: 'LwX1', cert: DEVICE.certificate.toString('base64') } };
    const named = { client: { securityConfigClientMode: 'X509', endpoint: 'LwX2', cert: '' } };
    const devices = checkDevices([rpk, { credentialsValue: JSON.stringify(fixed) }, named]);
    assert.deepEqual(
      devices.map(({ entry: { endpoint, mode }, key }) => [endpoint, mode, key]),
      [
        ['LwRpk1', 'rpk', DEVICE.publicKey],
        ['LwX1', 'x509', DEVICE.certificate],
        ['LwX2', 'x509', undefined],
      ],
    );
  });

  it('[CRED-012] refuses a public key or a certificate that two devices have', () => {
    const rpk = (endpoint: string) => ({ endpoint, mode: 'rpk', publicKey: DEVICE.publicKey });
    const x509 = (endpoint: string) => ({ endpoint, mode: 'x509', certificate: DEVICE.certificate });
    assert.throws(() => checkDevices([rpk('a'), rpk('b')]), wrong(/"a" and "b" have the same public key \(SHA-256 [0-9a-f]{64}\)/));
    assert.throws(() => checkDevices([x509('a'), x509('b')]), wrong(/"a" and "b" have the same certificate/));
    assert.equal(checkDevices([rpk('a'), x509('b'), { endpoint: 'c', mode: 'x509' }]).length, 3);
  });
});

describe('device table with all modes', () => {
  const PSK: DeviceEntry = { endpoint: 'p', mode: 'psk', identity: fingerprintOf(DEVICE.publicKey), key: '00112233' };
  const RPK: DeviceEntry = { endpoint: 'r', mode: 'rpk', publicKey: DEVICE.publicKey };
  const NAMED: DeviceEntry = { endpoint: 'x', mode: 'x509' };
  const FIXED: DeviceEntry = { endpoint: 'f', mode: 'x509', certificate: DEVICE.certificate };
  const OPEN: DeviceEntry = { endpoint: 'o', mode: 'none' };
  const devices = [PSK, RPK, NAMED, FIXED, OPEN];
  const nobody: Identity = { scheme: 'coap', mode: 'none', name: '' };
  const psk: Identity = { scheme: 'coaps', mode: 'psk', name: PSK.identity! };
  const rpk: Identity = { scheme: 'coaps', mode: 'rpk', name: fingerprintOf(DEVICE.publicKey) };
  const x509 = (name: string, ...aliases: string[]): Identity => ({ scheme: 'coaps', mode: 'x509', name, aliases });
  const put = (table: DeviceTable, entry: DeviceEntry) => table.put('dialog', checkDevices([entry])[0]!);

  it('[CRED-007] each proof acts for its own device alone, even where the names of identities are the same', () => {
    for (const unknownDevices of ['refuse', 'accept-without-security', 'accept-my-ca'] as const) {
      const table = new DeviceTable({ devices, unknownDevices });
      const who = new Map<Identity, string>([
        [nobody, 'o'],
        [psk, 'p'],
        [rpk, 'r'],
        [x509('x'), 'x'],
        [x509('f'), 'f'],
      ]);
      for (const [identity, own] of who) {
        const may = devices.filter(({ endpoint }) => table.mayActFor(identity, endpoint).allowed).map(({ endpoint }) => endpoint);
        assert.deepEqual(may, [own], `${identity.mode} ${unknownDevices}`);
        assert.equal(table.endpointOf(identity), identity.mode === 'none' ? undefined : own);
      }
    }
  });

  it('[CRED-008] a certificate with several names acts for each device of mode x509 among them', () => {
    const table = new DeviceTable({
      devices: [NAMED, OPEN, { endpoint: 'y', mode: 'x509' }, { endpoint: 'z', mode: 'x509', disabled: true }],
    });
    const identity = x509('host.example', 'o', 'z', 'y', 'x');
    assert.equal(table.endpointOf(identity), 'y', 'the first that is known');
    const verdicts = ['x', 'y', 'z', 'o', 'host.example', 'w'].map((endpoint) => table.mayActFor(identity, endpoint));
    assert.deepEqual(
      verdicts.map((verdict) => (verdict.allowed ? '' : verdict.reason)),
      [
        '',
        '',
        'this device is disabled',
        'this device must use security mode none',
        'this device is not known',
        'this endpoint name is not in the certificate',
      ],
    );
    const last = verdicts.at(-1)!;
    assert.match(last.allowed ? '' : last.hint, /certificate is for "host.example", "o", "z", "y", "x", but the device calls itself "w"/);
  });

  it('[CRED-009] an unknown device with a certificate is accepted where the setting says so, and no other unknown one', () => {
    const table = new DeviceTable({ devices, unknownDevices: 'accept-my-ca' });
    assert.deepEqual(table.mayActFor(x509('new'), 'new'), { allowed: true });
    assert.deepEqual(table.mayActFor(x509('other', 'new'), 'new'), { allowed: true });
    assert.equal(table.mayActFor(x509('new'), 'newer').allowed, false);
    for (const identity of [nobody, psk, rpk]) assert.equal(table.mayActFor(identity, 'new').allowed, false, identity.mode);
    const verdict = table.mayActFor(nobody, 'new');
    assert.match(verdict.allowed ? '' : verdict.hint, /Only devices with a certificate of a trusted CA/);
    table.unknownDevices = 'accept-without-security';
    const refused = table.mayActFor(x509('new'), 'new');
    assert.match(refused.allowed ? '' : refused.hint, /set "Unknown devices" to "accept certificates of my CA"/);
  });

  it('[CRED-006] a public key or certificate that was removed, changed or disabled proves nothing from then on', () => {
    const table = new DeviceTable({ devices });
    const other = { ...RPK, publicKey: P256.publicKey };
    assert.deepEqual(put(table, other), [{ mode: 'rpk', identity: rpk.name, endpoint: 'r' }]);
    assert.equal(table.proof(rpk), undefined);
    assert.deepEqual(put(table, { ...other, name: 'Cellar' }), [], 'the same key');
    assert.deepEqual(put(table, { ...other, disabled: true }), [{ mode: 'rpk', identity: fingerprintOf(P256.publicKey), endpoint: 'r' }]);
    assert.match(table.whyUnknown({ mode: 'rpk', name: fingerprintOf(P256.publicKey) }), /"r" of this key is disabled/);
    assert.match(table.whyUnknown(rpk), /No device of the table has this public key/);
    assert.deepEqual(put(table, { ...FIXED, certificate: P256.certificate }), [
      { mode: 'x509', identity: 'f', endpoint: 'f' },
      { mode: 'x509', identity: 'f', endpoint: 'f' },
    ]);
    assert.deepEqual(table.remove('dialog', 'f'), [{ mode: 'x509', identity: 'f', endpoint: 'f' }]);
    assert.deepEqual(table.remove('dialog', 'x'), [{ mode: 'x509', identity: 'x', endpoint: 'x' }]);
  });

  it('[CRED-006] a certificate that alone counts from now on ends what a CA said of the name before', () => {
    const table = new DeviceTable({ devices: [NAMED], unknownDevices: 'accept-my-ca' });
    assert.deepEqual(put(table, FIXED), [{ mode: 'x509', identity: 'f', endpoint: 'f' }], 'unknown before');
    assert.deepEqual(put(table, { ...NAMED, endpoint: 'n' }), [], 'a CA may go on saying it');
    const revoked = put(table, { ...NAMED, certificate: P256.certificate });
    assert.ok(revoked.length > 0 && revoked.every(({ mode, identity }) => mode === 'x509' && identity === 'x'));
  });

  it('[CRED-003] lists fingerprints, and counts what can be proven', () => {
    const table = new DeviceTable({ devices });
    assert.deepEqual(table.proofs, { psk: 1, rpk: 1, x509: 1, certificate: 1 });
    assert.deepEqual(
      table.list().map(({ endpoint, identity, fingerprint }) => [endpoint, identity ?? fingerprint]),
      [
        ['p', psk.name],
        ['r', rpk.name],
        ['x', undefined],
        ['f', fingerprintOf(DEVICE.certificate)],
        ['o', undefined],
      ],
    );
    assert.ok(!JSON.stringify(table.list()).includes('00112233'));
    put(table, { ...FIXED, disabled: true });
    table.remove('dialog', 'r');
    assert.deepEqual(table.proofs, { psk: 1, rpk: 0, x509: 1, certificate: 0 });
  });
});
