import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { remark, REMARKS } from '../../../lib/profile/remarks';

const texts = (language: string): Record<string, string> => {
  const file = path.join(__dirname, '../../../nodes/lwm2m-profile/locales', language, 'lwm2m-profile.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { 'lwm2m-profile': { remarks: Record<string, string> } })['lwm2m-profile'].remarks;
};
const facts = (text: string): string[] => [...text.matchAll(/__(\w+?)__/g)].map(([, name]) => name!).sort();

describe('remarks about profiles', () => {
  it('say in words what their facts are', () => {
    assert.deepEqual(remark('newerAttribute', { path: '/3/0', name: 'hqmax', since: '1.2', version: '1.1' }), {
      id: 'newerAttribute',
      facts: { path: '/3/0', name: 'hqmax', since: '1.2', version: '1.1' },
      text: '/3/0: hqmax came with LwM2M 1.2, and the device has 1.1. It is left out.',
    });
    assert.equal(remark('badKey', { path: '__key__', key: '"$&"' }).text, '__key__ cannot have the key "$&": it gets the one of its name.');
  });

  it('are the same in the English of the dialog', () => {
    assert.deepEqual(texts('en-US'), { ...REMARKS });
  });

  it('are there in German, with the same facts', () => {
    const german = texts('de');
    assert.deepEqual(Object.keys(german), Object.keys(REMARKS));
    for (const [id, text] of Object.entries(REMARKS)) assert.deepEqual(facts(german[id] ?? ''), facts(text), id);
  });
});
