import assert from 'node:assert/strict';
import { Credentials, CredentialsError, type DeviceKeeper } from '../../../lib/credentials/credentials';
import type { Revoked } from '../../../lib/credentials/claims';
import { checkDevices, DeviceTableError } from '../../../lib/credentials/entries';
import type { DeviceEntry } from '../../../lib/credentials/types';

const KEY = '0f'.repeat(16);
const psk = (endpoint: string, identity = endpoint, key = KEY): DeviceEntry => ({ endpoint, mode: 'psk', identity, key });

interface Ground {
  readonly credentials: Credentials;
  readonly kept: Map<string, Uint8Array>;
  readonly changes: (readonly Revoked[])[];
  readonly notices: string[];
}

function ground(devices: readonly DeviceEntry[] = [], file: readonly DeviceEntry[] = []): Ground {
  const kept = new Map<string, Uint8Array>();
  const changes: (readonly Revoked[])[] = [];
  const notices: string[] = [];
  const keeper: DeviceKeeper = { put: (endpoint, bytes) => kept.set(endpoint, bytes), remove: (endpoint) => kept.delete(endpoint) };
  const credentials = new Credentials({
    devices,
    unknownDevices: 'refuse',
    file: checkDevices(file),
    keeper,
    onChange: (revoked) => changes.push(revoked),
    onNotice: (text) => notices.push(text),
  });
  return { credentials, kept, changes, notices };
}

const code =
  (wanted: string, text = /./) =>
  (error: unknown) =>
    error instanceof CredentialsError && error.code === wanted && text.test(error.message);

describe('credentials at run time', () => {
  it('[CRED-030] are added, replaced, removed and listed, without keys', () => {
    const { credentials, changes } = ground([psk('dialog')]);
    assert.deepEqual(credentials.add(psk('a')), { endpoint: 'a', mode: 'psk', identity: 'a', source: 'runtime' });
    assert.deepEqual(credentials.replace({ ...psk('a', 'other'), name: 'Cellar' }), {
      endpoint: 'a',
      mode: 'psk',
      identity: 'other',
      name: 'Cellar',
      source: 'runtime',
    });
    credentials.add({ endpoint: 'open', mode: 'none' });
    assert.deepEqual(
      credentials.table.list().map(({ endpoint, source }) => [endpoint, source]),
      [
        ['a', 'runtime'],
        ['open', 'runtime'],
        ['dialog', 'dialog'],
      ],
    );
    credentials.remove('a');
    assert.equal(credentials.table.get('a'), undefined);
    assert.deepEqual(changes, [
      [],
      [{ mode: 'psk', identity: 'a', endpoint: 'a' }],
      [],
      [{ mode: 'psk', identity: 'other', endpoint: 'a' }],
    ]);
  });

  it('[CRED-031] are refused by name of the reason, and then nothing has changed', () => {
    const { credentials, changes, kept } = ground([psk('dialog', 'taken')], [psk('filed')]);
    credentials.add(psk('a'));
    const before = credentials.table.list();
    assert.throws(() => credentials.add(psk('a')), code('EXISTS', /"a" is there already/));
    assert.throws(() => credentials.replace(psk('b')), code('UNKNOWN_ENDPOINT', /"b"/));
    assert.throws(() => credentials.remove('b'), code('UNKNOWN_ENDPOINT'));
    assert.throws(() => credentials.remove('dialog'), code('UNKNOWN_ENDPOINT', /added at run time/));
    assert.throws(() => credentials.add(psk('b', 'taken')), code('IDENTITY_TAKEN', /"dialog" has the identity "taken"/));
    assert.throws(() => credentials.add(psk('b', 'filed')), code('IDENTITY_TAKEN', /"filed"/));
    assert.throws(() => credentials.replace(psk('a', 'filed')), code('IDENTITY_TAKEN'));
    for (const bad of [undefined, null, 5, 'a', {}, { endpoint: 'x', mode: 'psk' }, { endpoint: 'x', mode: 'psk', key: 'abc' }]) {
      assert.throws(() => credentials.add(bad), code('BAD_ENTRY', /^The device: /));
    }
    assert.deepEqual(credentials.table.list(), before);
    assert.deepEqual([changes.length, [...kept.keys()]], [1, ['a']]);
  });

  it('[CRED-032] may be in the shadow of the file, and says so', () => {
    const { credentials } = ground([], [psk('a', 'filed')]);
    assert.equal(credentials.add(psk('a', 'mine')).overriddenBy, 'file');
    assert.equal(credentials.table.endpointOf({ scheme: 'coaps', mode: 'psk', name: 'mine' }), undefined);
    credentials.setFile([]);
    assert.equal(credentials.table.endpointOf({ scheme: 'coaps', mode: 'psk', name: 'mine' }), 'a');
  });

  it('[CRED-033] outlast the process through their keeper; what is damaged is left out', () => {
    const { credentials, kept } = ground();
    credentials.add({ ...psk('a', 'hex:ff01'), name: 'Cellar', timeout: 5_000 });
    credentials.add(psk('gone'));
    credentials.remove('gone');
    credentials.add({ endpoint: 'open', mode: 'none', disabled: true });
    const next = ground();
    next.credentials.restore([...kept.values(), Buffer.from('{'), Buffer.from('{"endpoint":5}'), Buffer.alloc(0)]);
    assert.deepEqual(next.credentials.table.list(), credentials.table.list());
    assert.deepEqual(next.credentials.table.key('hex:ff01'), Buffer.from(KEY, 'hex'));
    assert.deepEqual(next.changes, []);
  });

  it('[CRED-034] clashes between sources and weak keys are told once, by name and without keys', () => {
    const { credentials, notices } = ground([psk('late', 'same'), psk('weak', 'weak', 'c0ffee')]);
    credentials.announce();
    credentials.announce();
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /The key of "weak" has only 3 bytes/);
    credentials.setFile(checkDevices([psk('first', 'same')]));
    assert.match(notices[1] ?? '', /"first".*"late".*identity "same"/);
    credentials.add(psk('weaker', 'weaker', 'ff'));
    assert.match(notices[2] ?? '', /"weaker" has only 1 bytes/);
    assert.equal(notices.length, 3);
    assert.doesNotMatch(notices.join(), /c0ffee/);
  });

  it('[CRED-035] a dialog that makes no sense changes nothing', () => {
    const { credentials, changes } = ground([psk('a')]);
    assert.throws(
      () => credentials.setDialog({ devices: [psk('b'), psk('b')], unknownDevices: 'accept-without-security' }),
      DeviceTableError,
    );
    assert.equal(credentials.table.get('a')?.identity, 'a');
    assert.equal(credentials.table.unknownDevices, 'refuse');
    credentials.setDialog({ devices: [psk('b')], unknownDevices: 'accept-without-security' });
    assert.deepEqual(changes, [[{ mode: 'psk', identity: 'a', endpoint: 'a' }]]);
    assert.equal(credentials.table.unknownDevices, 'accept-without-security');
  });
});
