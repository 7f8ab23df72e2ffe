import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { hostList, listenAddresses } from '../../../lib/transport/addresses';

describe('local addresses', () => {
  const table: [string | string[] | undefined, (string | undefined)[]][] = [
    [undefined, [undefined]],
    ['', [undefined]],
    [' ', [undefined]],
    [[], [undefined]],
    [['', ' '], [undefined]],
    ['127.0.0.1', ['127.0.0.1']],
    [' ::1 ', ['::1']],
    [
      ['::1', '127.0.0.1', '', ' ::1'],
      ['127.0.0.1', '::1'],
    ],
  ];
  for (const [host, expected] of table) {
    it(`[SRV-193] ${JSON.stringify(host)} stands for ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(listenAddresses(hostList(host)), expected);
    });
  }

  it('[SRV-195] *each stands for every address the machine has, link-local ones with their interface', () => {
    const all = Object.entries(networkInterfaces()).flatMap(([name, entries = []]) =>
      entries.map(({ address }) => (/^fe[89ab]/i.test(address) ? `${address}%${name}` : address)),
    );
    assert.ok(all.includes('127.0.0.1'));
    assert.deepEqual(listenAddresses(['*each']), [...new Set(all)].sort());
    assert.deepEqual(listenAddresses(['*each', 'localhost']), [...new Set([...all, 'localhost'])].sort());
  });
});
