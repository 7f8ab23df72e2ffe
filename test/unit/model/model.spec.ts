import assert from 'node:assert/strict';
import { createModel } from '../../../lib/model/model';
import type { ObjectDefinition } from '../../../lib/model/types';

function definition(id: number, version: string, name = `${id} ${version}`): ObjectDefinition {
  const resource = { id: 1, name, operations: 'R', multiple: false, mandatory: true, type: 'string' } as const;
  return { id, name, version, multiple: false, mandatory: false, resources: new Map([[1, resource]]) };
}

describe('object model', () => {
  const model = createModel([
    definition(7, '1.0'),
    definition(7, '1.3'),
    definition(7, '2.1'),
    definition(7, '1.1'),
    definition(7, '1.10'),
    definition(8, '3.0'),
  ]);

  // [LANG-050] [LANG-051]
  const cases: [number, string | undefined, string | undefined][] = [
    [7, '1.0', '1.0'],
    [7, '1.1', '1.1'],
    [7, '1.10', '1.10'],
    [7, '2.1', '2.1'],
    [7, '1.2', '1.1'],
    [7, '1.9', '1.3'],
    [7, '1.99', '1.10'],
    [7, '2.0', '2.1'],
    [7, '2.5', '2.1'],
    [7, '3.0', '2.1'],
    [7, '0.1', '2.1'],
    [7, undefined, '2.1'],
    [7, 'nonsense', '2.1'],
    [8, '1.0', '3.0'],
    [9, '1.0', undefined],
    [9, undefined, undefined],
    [-1, undefined, undefined],
  ];
  for (const [id, asked, found] of cases) {
    it(`[LANG-050] object ${id} version ${asked ?? '-'} is described by ${found ?? 'nothing'}`, () => {
      assert.equal(model.object(id, asked)?.version, found);
      assert.equal(model.resource(id, 1, asked)?.name, found === undefined ? undefined : `${id} ${found}`);
      assert.equal(model.resource(id, 2, asked), undefined);
    });
  }

  it('[LANG-051] takes the lowest minor above when there is none below', () => {
    assert.equal(createModel([definition(7, '1.4'), definition(7, '1.2'), definition(7, '1.3')]).object(7, '1.1')?.version, '1.2');
  });

  it('[LANG-052] prefers the later of two equal definitions', () => {
    assert.equal(createModel([definition(7, '1.0', 'registry'), definition(7, '1.0', 'own')]).object(7, '1.0')?.name, 'own');
  });
});
