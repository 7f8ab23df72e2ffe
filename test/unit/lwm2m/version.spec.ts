import assert from 'node:assert/strict';
import { defaultObjectVersion, parseLwm2mVersion } from '../../../lib/lwm2m/version';

describe('LwM2M versions', () => {
  it('[LANG-020] knows 1.0, 1.1 and 1.2 and nothing else', () => {
    for (const text of ['1.0', '1.1', '1.2']) assert.equal(parseLwm2mVersion(text), text);
    for (const text of ['1.0.0', '1.1.1', '1.2.2']) assert.equal(parseLwm2mVersion(text), text.slice(0, 3));
    for (const text of ['', '1', '1.3', '2.0', '1.10', ' 1.0', '1.0.', '1.0.10', '1.3.0', 'toString'])
      assert.equal(parseLwm2mVersion(text), undefined);
  });

  const objects = [0, 1, 2, 3, 4, 5, 6, 7, 21, 22, 25, 3303];
  const table = {
    '1.0': ['1.0', '1.0', '1.0', '1.0', '1.0', '1.0', '1.0', '1.0', '1.0', '1.0', '1.0', '1.0'],
    '1.1': ['1.1', '1.1', '1.0', '1.1', '1.2', '1.0', '1.0', '1.0', '1.0', '1.0', '1.0', '1.0'],
    '1.2': ['1.2', '1.2', '1.1', '1.2', '1.3', '1.1', '1.0', '1.0', '2.0', '1.0', '1.0', '1.0'],
  } as const;
  for (const version of ['1.0', '1.1', '1.2'] as const) {
    it(`[LANG-021] implies the object versions of LwM2M ${version}`, () => {
      assert.deepEqual(
        objects.map((id) => defaultObjectVersion(id, version)),
        table[version],
      );
    });
  }
});
