import assert from 'node:assert/strict';
import { mock } from 'node:test';
import fc from 'fast-check';
import type { Node, NodeStatus } from 'node-red';
import { numberField, textField } from '../../nodes/shared/fields';
import { matchesGlob } from '../../lib/profile/glob';
import { applySteps } from '../../nodes/shared/migrate';
import { StatusLine } from '../../nodes/shared/status';

describe('nodes/shared', () => {
  describe('matchesGlob', () => {
    const table: [string, string, boolean][] = [
      ['*', '', true],
      ['*', 'anything', true],
      ['', '', true],
      ['', 'a', false],
      ['meter-*', 'meter-1', true],
      ['meter-*', 'meter-', true],
      ['meter-*', 'Meter-1', false],
      ['*-1', 'meter-1', true],
      ['*-1', 'meter-12', false],
      ['a*b*c', 'a-b-b-c', true],
      ['a*b*c', 'acb', false],
      ['urn:dev:os:32473-*', 'urn:dev:os:32473-99', true],
      ['a.c', 'abc', false],
      ['**', 'x', true],
    ];
    for (const [pattern, name, expected] of table) {
      it(`"${pattern}" ${expected ? 'fits' : 'does not fit'} "${name}"`, () => assert.equal(matchesGlob(pattern, name), expected));
    }

    it('agrees with a regular expression', () => {
      const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
      fc.assert(
        fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 }), (pattern, name) => {
          assert.equal(matchesGlob(pattern, name), new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name));
        }),
        { seed: 7, numRuns: 500 },
      );
    });
  });

  describe('fields', () => {
    it('reads text and numbers', () => {
      assert.equal(textField('  x '), 'x');
      assert.equal(textField(5), '5');
      for (const other of [undefined, null, {}, [], true]) assert.equal(textField(other), '');
      assert.equal(numberField('5683', 'port', 0, 65535), 5683);
      assert.equal(numberField(' ', 'port', 0, 65535), undefined);
    });
    for (const wrong of ['65536', '-1', '1.5', 'x', '0x', NaN, Infinity]) {
      it(`refuses ${wrong} as a port`, () => assert.throws(() => numberField(wrong, 'port', 0, 65535), /^RangeError: port/));
    }
  });

  describe('applySteps', () => {
    const steps = [(settings: object) => ({ ...settings, a: 1 }), (settings: object) => ({ ...settings, b: 2 })];
    it('brings the oldest settings up to date', () => assert.deepEqual(applySteps({ x: 0 }, steps), { x: 0, a: 1, b: 2, version: 2 }));
    it('does only what is missing', () => assert.deepEqual(applySteps({ version: 1 }, steps), { b: 2, version: 2 }));
    it('leaves settings of a newer version alone', () => assert.deepEqual(applySteps({ version: 9 }, steps), { version: 9 }));
    for (const version of [-1, NaN, '1', null]) {
      it(`takes version ${version} for none`, () => assert.equal(applySteps({ version }, steps)['a'], 1));
    }
    it('does not change its input', () => {
      const input = Object.freeze({ x: 0 });
      applySteps(input, steps);
      assert.deepEqual(input, { x: 0 });
    });
  });

  describe('StatusLine', () => {
    beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
    afterEach(() => mock.timers.reset());

    function line(): { shown: string[]; status: StatusLine } {
      const shown: string[] = [];
      const node = { status: ({ text }: NodeStatus) => shown.push(text ?? '') } as unknown as Node;
      return { shown, status: new StatusLine(node) };
    }

    it('shows the first badge at once and of many the last', () => {
      const { shown, status } = line();
      for (let count = 1; count <= 100; count++) status.set({ text: `${count}` });
      assert.deepEqual(shown, ['1']);
      mock.timers.tick(500);
      assert.deepEqual(shown, ['1', '100']);
    });

    it('does not show the same badge twice', () => {
      const { shown, status } = line();
      for (let turn = 0; turn < 3; turn++) {
        status.set({ text: 'same' });
        mock.timers.tick(500);
      }
      assert.deepEqual(shown, ['same']);
    });

    it('clears the badge and shows nothing after that', () => {
      const { shown, status } = line();
      status.set({ text: 'a' });
      status.set({ text: 'b' });
      status.close();
      status.set({ text: 'c' });
      mock.timers.tick(5_000);
      assert.deepEqual(shown, ['a', '']);
    });
  });
});
