import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DeviceTable, DeviceTableError, readDevicesFile } from '../../../lib/credentials/device-table';
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
    ['of a mode that is not there yet', { endpoint: 'dev', mode: 'psk' }, /"mode" must be "none"/],
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
});

describe('devices file', () => {
  let folder = '';
  before(() => (folder = mkdtempSync(path.join(tmpdir(), 'devices-'))));
  after(() => rmSync(folder, { recursive: true }));

  const file = (content: string | Buffer): string => {
    const name = path.join(folder, 'devices.json');
    writeFileSync(name, content);
    return name;
  };

  for (const [what, content] of [
    ['an array', '[{"endpoint":"a"},{"endpoint":"b","mode":"none","timeout":5}]'],
    ['an object with devices', '{"comment":"x","devices":[{"endpoint":"a"},{"endpoint":"b","timeout":5}]}'],
    ['an array after a byte order mark, as some editors write it', '\ufeff[{"endpoint":"a"},{"endpoint":"b","timeout":5}]'],
  ] as const) {
    it(`[SRV-058] may hold ${what}`, () => {
      assert.deepEqual(readDevicesFile(file(content)), [
        { endpoint: 'a', mode: 'none' },
        { endpoint: 'b', mode: 'none', timeout: 5 },
      ]);
    });
  }

  for (const [what, content, text] of [
    ['no JSON', 'endpoint: a', /cannot be read/],
    ['nothing', '', /cannot be read/],
    ['a text', '"a"', /must hold an array/],
    ['null', 'null', /must hold an array/],
    ['devices that are no array', '{"devices":{"endpoint":"a"}}', /must hold an array/],
    ['a wrong entry', '[{"endpoint":"a"},{"endpoint":""}]', /Device 2 .*"endpoint"/],
  ] as const) {
    it(`[SRV-058] with ${what} is refused`, () => assert.throws(() => readDevicesFile(file(content)), wrong(text)));
  }

  it('[SRV-058] that is not there is refused, with its name', () => {
    assert.throws(() => readDevicesFile(path.join(folder, 'no-such.json')), wrong(/no-such\.json" cannot be read/));
  });
});
