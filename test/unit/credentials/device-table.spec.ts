import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DeviceTable, clashText } from '../../../lib/credentials/device-table';
import { checkDevices, DeviceTableError } from '../../../lib/credentials/entries';
import type { DeviceEntry } from '../../../lib/credentials/types';
import type { Identity } from '../../../lib/transport/types';

const NOBODY: Identity = { scheme: 'coap', mode: 'none', name: '' };
const SOMEBODY: Identity = { scheme: 'coaps', mode: 'psk', name: 'key-1' };

const wrong = (text: RegExp) => (error: unknown) =>
  error instanceof DeviceTableError && Object.is(error.code, 'BAD_DEVICE_TABLE') && text.test(error.message);

describe('device table', () => {
  it('[SRV-055] keeps what belongs to an entry and drops the rest', () => {
    const entry = { endpoint: 'a', mode: 'none', name: 'Boiler', timeout: 5_000, disabled: true, other: 1 } as unknown as DeviceEntry;
    const table = new DeviceTable({
      devices: [entry, { endpoint: 'b' } as unknown as DeviceEntry, { endpoint: 'c', mode: 'none', disabled: false }],
    });
    assert.equal(table.size, 3);
    assert.deepEqual(table.get('a'), { endpoint: 'a', mode: 'none', name: 'Boiler', timeout: 5_000, disabled: true });
    assert.deepEqual(table.get('b'), { endpoint: 'b', mode: 'none' });
    assert.deepEqual(table.get('c'), { endpoint: 'c', mode: 'none' });
    assert.equal(table.get('d'), undefined);
  });

  for (const [what, entry, text] of [
    ['no object', 'dev', /Device 2 .*not an object/],
    ['null', null, /not an object/],
    ['an array', [], /not an object/],
    ['without an endpoint', {}, /"endpoint" must be a text/],
    ['with an empty endpoint', { endpoint: '' }, /"endpoint"/],
    ['with a number for an endpoint', { endpoint: 5 }, /"endpoint"/],
    ['with an endpoint too long', { endpoint: 'x'.repeat(256) }, /"endpoint"/],
    ['of a mode that does not exist', { endpoint: 'dev', mode: 'oscore' }, /"mode" must be "none", "psk", "rpk" or "x509"/],
    ['with a name that is no text', { endpoint: 'dev', name: 5 }, /"name"/],
    ['with a time of 0', { endpoint: 'dev', timeout: 0 }, /"timeout"/],
    ['with a time above a day', { endpoint: 'dev', timeout: 86_400_001 }, /"timeout"/],
    ['with a time that is no number', { endpoint: 'dev', timeout: '5' }, /"timeout"/],
    ['with a time of NaN', { endpoint: 'dev', timeout: Number.NaN }, /"timeout"/],
  ] as const) {
    it(`[SRV-056] refuses an entry ${what}, and names its place`, () => {
      const devices = [{ endpoint: 'first', mode: 'none' }, entry] as unknown as DeviceEntry[];
      assert.throws(() => new DeviceTable({ devices }), wrong(text));
      assert.throws(
        () => new DeviceTable({ devices }),
        wrong(/^Device 2 of the table: .*It should look like \{"endpoint":"my-device","mode":"none"\}/),
      );
    });
  }

  it('[SRV-056] refuses an endpoint that is there twice', () => {
    const twice: DeviceEntry = { endpoint: 'dev', mode: 'none' };
    assert.throws(() => new DeviceTable({ devices: [twice, twice] }), wrong(/"dev" is in the table twice/));
  });

  it('[SRV-057] decides by endpoint and by how the peer proved who it is', () => {
    const devices: DeviceEntry[] = [
      { endpoint: 'open', mode: 'none' },
      { endpoint: 'off', mode: 'none', disabled: true },
    ];
    const strict = new DeviceTable({ devices });
    const lax = new DeviceTable({ devices, unknownDevices: 'accept-without-security' });
    const verdict = (table: DeviceTable, identity: Identity, endpoint: string): string => {
      const { allowed, ...rest } = table.mayActFor(identity, endpoint);
      return allowed ? 'allowed' : (rest as { reason: string }).reason;
    };
    assert.equal(verdict(strict, NOBODY, 'open'), 'allowed');
    assert.equal(verdict(strict, SOMEBODY, 'open'), 'this device must use security mode none');
    assert.equal(verdict(strict, NOBODY, 'off'), 'this device is disabled');
    assert.equal(verdict(strict, NOBODY, 'other'), 'this device is not known');
    assert.equal(verdict(lax, NOBODY, 'other'), 'allowed');
    assert.equal(verdict(lax, SOMEBODY, 'other'), 'this device is not known');
    assert.equal(verdict(lax, NOBODY, 'off'), 'this device is disabled');
  });

  describe('with pre-shared keys', () => {
    const psk = (name: string): Identity => ({ scheme: 'coaps', mode: 'psk', name });
    const device = (endpoint: string, identity: string, key = '00'.repeat(16)): DeviceEntry => ({ endpoint, mode: 'psk', identity, key });
    const allowed = (table: DeviceTable, identity: Identity, endpoint: string): boolean => table.mayActFor(identity, endpoint).allowed;

    it('[CRED-001] binds an identity to its device: neither may have the name of another', () => {
      const table = new DeviceTable({
        devices: [device('a', 'id-a'), device('b', 'id-b'), { endpoint: 'open', mode: 'none' }],
        unknownDevices: 'accept-without-security',
      });
      assert.deepEqual(
        ['a', 'b', 'open', 'stranger'].map((endpoint) =>
          [psk('id-a'), psk('id-b'), psk('id-c'), NOBODY].map((who) => allowed(table, who, endpoint)),
        ),
        [
          [true, false, false, false],
          [false, true, false, false],
          [false, false, false, true],
          [false, false, false, true],
        ],
      );
      assert.equal(table.endpointOf(psk('id-b')), 'b');
      assert.equal(table.endpointOf(NOBODY), undefined);
      assert.equal(table.endpointOf({ scheme: 'coaps', mode: 'x509', name: 'id-b' }), undefined);
      const verdict = table.mayActFor(psk('id-a'), 'b');
      assert.ok(!verdict.allowed);
      assert.match(verdict.hint, /"id-a" belongs to the device "a", which calls itself "b"/);
    });

    it('[CRED-002] an identity is the endpoint where none is given, and one name whatever the spelling', () => {
      const table = new DeviceTable({
        devices: [{ endpoint: 'dev', mode: 'psk', key: '0102' }, device('bin', 'hex:FF00'), device('text', 'hex:6162')],
      });
      assert.deepEqual(
        ['dev', 'bin', 'text'].map((endpoint) => table.get(endpoint)?.identity),
        ['dev', 'hex:ff00', 'ab'],
      );
      assert.deepEqual(table.key('dev'), Buffer.from([1, 2]));
    });

    it('[CRED-003] gives no key back', () => {
      const secret = 'c0ffee'.repeat(6);
      const table = new DeviceTable({ devices: [device('a', 'id-a', secret)] });
      assert.doesNotMatch(JSON.stringify([table.list(), table.get('a'), table.mayActFor(psk('id-a'), 'a'), table]), /c0ffee|"key"/);
    });

    it('[CRED-004] takes file over run time over dialog', () => {
      const table = new DeviceTable({ devices: [device('a', 'dialog', '01'), device('b', 'b', '02')] });
      table.set('runtime', checkDevices([device('a', 'runtime', '03')]));
      assert.deepEqual([table.get('a')?.identity, table.key('dialog'), table.key('runtime')], ['runtime', undefined, Buffer.from([3])]);
      table.set('file', checkDevices([{ endpoint: 'a', mode: 'none' }]));
      assert.deepEqual([table.get('a')?.mode, table.key('runtime')], ['none', undefined]);
      assert.deepEqual(
        table.list().map(({ endpoint, source, overriddenBy }) => [endpoint, source, overriddenBy]),
        [
          ['a', 'file', undefined],
          ['a', 'runtime', 'file'],
          ['a', 'dialog', 'file'],
          ['b', 'dialog', undefined],
        ],
      );
      assert.deepEqual([table.size, table.count('dialog')], [2, 2]);
      table.set('file', []);
      table.remove('runtime', 'a');
      assert.deepEqual(table.key('dialog'), Buffer.from([1]));
    });

    it('[CRED-005] of two sources with one identity the first has it; the other device cannot connect, and nobody has its name', () => {
      const table = new DeviceTable({ devices: [device('late', 'same', '01')], unknownDevices: 'accept-without-security' });
      assert.deepEqual(table.clashes(), []);
      table.set('file', checkDevices([device('first', 'same', '02')]));
      assert.deepEqual(table.clashes(), [
        { what: 'identity "same"', endpoint: 'late', source: 'dialog', holder: 'first', holderSource: 'file' },
      ]);
      assert.match(clashText(table.clashes()[0]!), /"first" \(the devices file\) and "late" \(the device table of the server\)/);
      assert.equal(table.listed('dialog', 'late')?.clashesWith, 'first');
      assert.deepEqual(table.key('same'), Buffer.from([2]));
      assert.deepEqual(
        [allowed(table, psk('same'), 'first'), allowed(table, psk('same'), 'late'), allowed(table, NOBODY, 'late')],
        [true, false, false],
      );
      table.set('file', []);
      assert.deepEqual([table.clashes(), table.key('same')], [[], Buffer.from([1])]);
    });

    it('[CRED-006] says which proofs a change takes away', () => {
      const table = new DeviceTable({ devices: [device('a', 'id-a', '01'), device('b', 'id-b', '02'), device('c', 'id-c', '03')] });
      assert.deepEqual(
        table.set('dialog', checkDevices([device('a', 'id-a', '01'), device('b', 'id-b', '99'), device('d', 'id-c', '03')])),
        [
          { mode: 'psk', identity: 'id-c', endpoint: 'c' },
          { mode: 'psk', identity: 'id-b', endpoint: 'b' },
        ],
      );
      assert.deepEqual(table.put('runtime', checkDevices([{ ...device('a', 'id-a', '01'), name: 'Cellar' }])[0]!), [], 'the same proof');
      assert.deepEqual(table.put('runtime', checkDevices([{ ...device('a', 'id-a', '01'), disabled: true }])[0]!), [
        { mode: 'psk', identity: 'id-a', endpoint: 'a' },
      ]);
      assert.match(table.whyUnknown({ mode: 'psk', name: 'id-a' }), /"a" of this identity is disabled/);
      assert.match(table.whyUnknown({ mode: 'psk', name: 'nobody' }), /No device of the table/);
      assert.deepEqual(table.remove('runtime', 'nobody'), []);
    });

    it('[CRED-006] two devices that swap their identities lose both proofs', () => {
      const table = new DeviceTable({ devices: [device('a', '1', '01'), device('b', '2', '02')] });
      const revoked = table.set('dialog', checkDevices([device('a', '2', '01'), device('b', '1', '02')]));
      assert.deepEqual(revoked, [
        { mode: 'psk', identity: '1', endpoint: 'a' },
        { mode: 'psk', identity: '2', endpoint: 'b' },
      ]);
      assert.deepEqual([table.endpointOf(psk('2')), table.endpointOf(psk('1'))], ['a', 'b']);
    });

    it('[CRED-004] [CRED-005] agrees with a table that is built anew, whatever was put and removed', () => {
      const names = fc.constantFrom('a', 'b', 'c', 'd');
      const change = fc.record({
        source: fc.constantFrom('file', 'runtime', 'dialog'),
        endpoint: names,
        identity: names,
        key: fc.constantFrom('01', '02'),
        kind: fc.constantFrom('put', 'remove', 'disable'),
      });
      fc.assert(
        fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
          const table = new DeviceTable();
          const model: Record<string, Map<string, DeviceEntry>> = { file: new Map(), runtime: new Map(), dialog: new Map() };
          for (const { source, endpoint, identity, key, kind } of changes) {
            const entries = model[source]!;
            const taken = [...entries.values()].some((other) => other.endpoint !== endpoint && other.identity === identity);
            if (kind === 'remove') {
              entries.delete(endpoint);
              table.remove(source, endpoint);
            } else if (!taken) {
              const entry = { ...device(endpoint, identity, key), ...(kind === 'disable' && { disabled: true }) };
              entries.set(endpoint, entry);
              table.put(source, checkDevices([entry])[0]!);
            }
          }
          const order = ['file', 'runtime', 'dialog'];
          const counting = order.flatMap((source, rank) =>
            [...model[source]!.values()].filter(({ endpoint }) => !order.slice(0, rank).some((higher) => model[higher]!.has(endpoint))),
          );
          for (const identity of ['a', 'b', 'c', 'd']) {
            const holder = counting.find((entry) => entry.identity === identity && !entry.disabled);
            assert.equal(table.endpointOf(psk(identity)), holder?.endpoint);
            assert.deepEqual(table.key(identity), holder && Buffer.from(String(holder.key), 'hex'));
          }
          assert.equal(table.size, counting.length);
        }),
        { seed: 7, numRuns: 500 },
      );
    });
  });
});
