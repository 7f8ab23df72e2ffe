import assert from 'node:assert/strict';
import { checkDevice, checkDevices, DeviceTableError } from '../../../lib/credentials/entries';
import { generateKey, isWrong, readKey } from '../../../lib/credentials/psk';

const wrong = (text: RegExp) => (error: unknown) => error instanceof DeviceTableError && text.test(error.message);
const KEY = '73656372657450534b73656372657450';

describe('device entries with pre-shared keys', () => {
  for (const [given, bytes] of [
    ['00ad45', '00ad45'],
    ['00:AD:45', '00ad45'],
    [' 00 ad 45\n', '00ad45'],
    ['base64:AK1F', '00ad45'],
    ['base64:AK1FZw==', '00ad4567'],
    ['base64:AK1FZw', '00ad4567'],
    ['base64:_-8=', 'ffef'],
    [Uint8Array.of(0, 0xad), '00ad'],
    ['ab'.repeat(64), 'ab'.repeat(64)],
  ] as const) {
    it(`[CRED-010] reads the key ${String(given).slice(0, 20)}`, () => {
      const key = readKey(given);
      assert.ok(!isWrong(key));
      assert.equal(key.toString('hex'), bytes);
    });
  }

  for (const [what, key, text] of [
    ['missing', undefined, /"dev": its key is missing/],
    ['empty', '', /its key is missing/],
    ['of blanks', '  ', /its key is missing/],
    ['a number', 1234, /its key must be text: hexadecimal digits, or "base64:"/],
    ['with a digit missing', 'abc', /its key has 3 hexadecimal digits; two make a byte, so one is missing/],
    ['of other letters', 'xyzw', /other characters than hexadecimal digits \(0-9, a-f\); a key in base64 begins with "base64:"/],
    ['in base64 without saying so', 'AK1FZw==', /begins with "base64:"/],
    ['that is no base64', 'base64:%%%%', /begins with "base64:", but is no base64/],
    ['too long', 'ab'.repeat(65), /its key has 65 bytes; 64 are the most/],
  ] as const) {
    it(`[CRED-011] refuses a key that is ${what}, in plain words and without the key`, () => {
      const entry = { endpoint: 'dev', mode: 'psk', key };
      assert.throws(() => checkDevice(entry, 'Device 1 of the table'), wrong(text));
      if (typeof key === 'string' && key.trim().length > 3) {
        assert.throws(
          () => checkDevice(entry, 'Here'),
          (error: Error) => !error.message.includes(key),
        );
      }
    });
  }

  for (const [what, identity, text] of [
    ['no text', 5, /"identity" must be a text/],
    ['too long', 'ä'.repeat(65), /its identity has 130 bytes; 128 are the most/],
  ] as const) {
    it(`[CRED-012] refuses an identity that is ${what}`, () =>
      assert.throws(() => checkDevice({ endpoint: 'dev', mode: 'psk', identity, key: KEY }, 'Here'), wrong(text)));
  }

  it('[CRED-012] refuses an identity that two devices of a list have, and names both', () => {
    const devices = [
      { endpoint: 'a', mode: 'psk', identity: 'x', key: KEY },
      { endpoint: 'b', mode: 'psk', identity: 'hex:78', key: KEY },
    ];
    assert.throws(() => checkDevices(devices), wrong(/"a" and "b" have the same identity "x"/));
  });

  it('[CRED-013] reads the form of the IoT Hub, as object and as text, and lets its bootstrap part be', () => {
    const inner = {
      client: { securityConfigClientMode: 'PSK', endpoint: 'LwPsk00000000', identity: 'SOME_PSK_ID', key: KEY },
      bootstrap: { bootstrapServer: { securityMode: 'PSK', clientSecretKey: 'not looked at' }, lwm2mServer: { securityMode: 'NO_SEC' } },
    };
    const expected = { entry: { endpoint: 'LwPsk00000000', mode: 'psk', identity: 'SOME_PSK_ID' }, key: Buffer.from(KEY, 'hex') };
    assert.deepEqual(checkDevice(inner, 'Here'), expected);
    assert.deepEqual(checkDevice({ credentialsType: 'LWM2M_CREDENTIALS', credentialsValue: JSON.stringify(inner) }, 'Here'), expected);
    assert.deepEqual(checkDevice({ client: { securityConfigClientMode: 'NO_SEC', endpoint: 'urn:dev:1' } }, 'Here').entry, {
      endpoint: 'urn:dev:1',
      mode: 'none',
    });
    for (const mode of ['OSCORE', 'psk?', undefined, 5]) {
      const entry = { client: { securityConfigClientMode: mode, endpoint: 'dev', key: KEY } };
      assert.throws(() => checkDevice(entry, 'Here'), wrong(/"mode" must be "none", "psk", "rpk" or "x509"/), String(mode));
    }
    for (const credentialsValue of ['{', '5', '{}', '{"client":5}']) {
      assert.throws(() => checkDevice({ credentialsValue }, 'Here'), wrong(/"endpoint" must be a text/), credentialsValue);
    }
  });

  it('[CRED-014] makes keys of 16 random bytes', () => {
    const keys = new Set(Array.from({ length: 100 }, generateKey));
    assert.equal(keys.size, 100);
    for (const key of keys) assert.match(key, /^[0-9a-f]{32}$/);
  });
});
