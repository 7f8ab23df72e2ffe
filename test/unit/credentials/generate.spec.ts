import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFacts } from '../../../lib/credentials/certificate-facts';
import { checkDevice } from '../../../lib/credentials/entries';
import { checkPath } from '../../../lib/credentials/chain-check';
import { generateAuthority, generateDeviceCertificate } from '../../../lib/credentials/generate';

describe('certificates made here', () => {
  it('[CRED-064] has the endpoint for a name, its own key, ten years, and may act as a client', async () => {
    const now = Date.parse('2027-01-02T03:04:05Z');
    for (const endpoint of ['urn:dev:meter-1', 'Zähler 7', 'x'.repeat(64)]) {
      const made = await generateDeviceCertificate(endpoint, now);
      const certificate = new X509Certificate(made.certificate);
      assert.equal(certificate.subject, `CN=${endpoint}`);
      assert.ok(certificate.verify(certificate.publicKey));
      assert.ok(certificate.checkPrivateKey(createPrivateKey(made.privateKey)));
      assert.equal(certificate.ca, false);
      assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
      assert.deepEqual(
        [new Date(certificate.validFrom).toISOString(), new Date(certificate.validTo).toISOString()],
        ['2027-01-01T03:04:05.000Z', '2036-12-30T03:04:05.000Z'],
      );
      assert.deepEqual((await readFacts(certificate))?.names, [{ kind: 'cn', name: endpoint }]);
      assert.deepEqual(checkDevice({ endpoint, mode: 'x509', certificate: made.certificate }, 'Here').key, certificate.raw);
    }
    await assert.rejects(generateDeviceCertificate('x'.repeat(65)), RangeError);
    await assert.rejects(generateDeviceCertificate(''), RangeError);
    const far = new X509Certificate((await generateDeviceCertificate('a', Date.parse('2045-06-01'))).certificate);
    assert.equal(new Date(far.validTo).getUTCFullYear(), 2055);
  });

  it('[CRED-065] a small CA signs the certificates of devices, of which each counts by it; it signs no further CA', async () => {
    const now = Date.parse('2027-01-02T03:04:05Z');
    const ca = await generateAuthority('Meters of Häusel', now);
    const root = new X509Certificate(ca.certificate);
    assert.ok(root.ca && root.verify(root.publicKey));
    const made = await generateDeviceCertificate('dev-1', now, ca);
    const device = new X509Certificate(made.certificate);
    assert.equal(device.issuer, root.subject);
    assert.ok(device.checkIssued(root) && device.verify(root.publicKey) && !device.verify(device.publicKey));
    assert.equal((await checkPath([device.raw], [root], now)).accepted, true);
    const below = await generateDeviceCertificate('dev-2', now, ca);
    await assert.rejects(generateDeviceCertificate('dev-3', now, below), /no CA/);
    const late = new X509Certificate((await generateDeviceCertificate('dev-4', now + 9 * 365 * 86_400_000, ca)).certificate);
    assert.equal(late.validTo, root.validTo, 'not longer than its CA');
    await assert.rejects(generateDeviceCertificate('dev-4', Date.parse(root.validTo), ca), /has ended/);
    const other = await generateAuthority('Other', now);
    await assert.rejects(generateDeviceCertificate('dev-5', now, { ...ca, privateKey: other.privateKey }), /not that of the certificate/);
    for (const name of ['dev*', 'dev\n7', 'dev\0']) await assert.rejects(generateDeviceCertificate(name, now, ca), RangeError);
    await assert.rejects(generateDeviceCertificate('dev-6', now, { certificate: 'x', privateKey: 'y' }), { code: 'BAD_ISSUER' });
  });
});
