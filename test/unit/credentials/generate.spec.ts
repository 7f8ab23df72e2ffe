import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFacts } from '../../../lib/credentials/certificate-der';
import { checkDevice } from '../../../lib/credentials/entries';
import { generateDeviceCertificate } from '../../../lib/credentials/generate';

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
      assert.deepEqual(readFacts(certificate.raw)?.names, [{ kind: 'cn', name: endpoint }]);
      assert.deepEqual(checkDevice({ endpoint, mode: 'x509', certificate: made.certificate }, 'Here').key, certificate.raw);
    }
    await assert.rejects(generateDeviceCertificate('x'.repeat(65)), RangeError);
    await assert.rejects(generateDeviceCertificate(''), RangeError);
    const far = new X509Certificate((await generateDeviceCertificate('a', Date.parse('2045-06-01'))).certificate);
    assert.equal(new Date(far.validTo).getUTCFullYear(), 2055);
  });
});
