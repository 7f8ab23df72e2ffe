import assert from 'node:assert/strict';
import { isPrivate } from '../../nodes/lwm2m-server/keys.editor';
import { DEVICE, P256, P384, RSA } from '../support/dtls/fixed-keys';

describe('the fields of the lwm2m-server dialog for what is public', () => {
  const forms = (der: Buffer): string[] => {
    const [digits, base64] = [der.toString('hex'), der.toString('base64')];
    const lines = base64.replace(/.{64}/g, '$&\r\n');
    const colons = digits.replace(/..(?=.)/g, '$&:');
    return [base64, lines, `base64:${base64}`, der.toString('base64url'), digits, ` hex:${digits}`, `0x${digits.toUpperCase()}`, colons];
  };

  it('[CRED-015] know a private key in every form that a public one may have', () => {
    for (const { privateKey } of [DEVICE, P384, RSA]) {
      const ders = [privateKey.export({ type: 'pkcs8', format: 'der' })];
      if (privateKey.asymmetricKeyType === 'ec') ders.push(privateKey.export({ type: 'sec1', format: 'der' }));
      const json = JSON.stringify(privateKey.export({ format: 'jwk' }), undefined, 2);
      for (const text of [...ders.flatMap(forms), json]) assert.ok(isPrivate(text), text.slice(0, 30));
    }
  });

  it('[CRED-015] take no public key and no certificate for one', () => {
    for (const { publicKey, certificate } of [DEVICE, P256, P384, RSA]) {
      for (const text of [publicKey, certificate].flatMap(forms)) assert.ok(!isPrivate(text), text.slice(0, 30));
    }
  });
});
