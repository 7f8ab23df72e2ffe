import assert from 'node:assert/strict';
import { LiveModel, layeredModel } from '../../../lib/model/layers';
import { createModel } from '../../../lib/model/model';
import { omaModel } from '../../../lib/model/oma';
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

  describe('in layers', () => {
    const forAll = [
      definition(3, '1.1', 'for all'),
      definition(33333, '1.0', 'for all'),
      definition(33333, '1.4', 'for all'),
      definition(33334, '1.0'),
    ];
    const own = [definition(33333, '1.0', 'own'), definition(3, '1.2', 'own'), definition(33335, '2.0', 'own')];
    const layered = layeredModel(forAll, own);
    const cases: [number, string | undefined, string | undefined][] = [
      // exact versions, the last layer first
      [33333, '1.0', 'own'],
      [33333, '1.4', 'for all'],
      [3, '1.0', 'Device'],
      [3, '1.1', 'for all'],
      [3, '1.2', 'own'],
      // the highest minor not above, wherever it is
      [33333, '1.3', 'own'],
      [33333, '1.9', 'for all'],
      [3, '1.9', 'own'],
      // any: of the last layer that has one
      [33333, '2.0', 'own'],
      [33333, undefined, 'own'],
      [3, '7.0', 'own'],
      [33335, '1.0', 'own'],
      // of one layer, or of the registry alone
      [33334, '1.0', '33334 1.0'],
      [3303, '1.0', 'Temperature'],
      [33336, '1.0', undefined],
    ];
    for (const [id, version, found] of cases) {
      it(`[LANG-053] object ${id} version ${version ?? '-'} is that of ${found ?? 'nobody'}`, () => {
        assert.equal(layered.object(id, version)?.name, found);
        // Looked up once more, it is remembered.
        assert.equal(layered.object(id, version), layered.object(id, version));
      });
    }

    it('[LANG-053] versions beyond those that are remembered are found as well', () => {
      for (let minor = 0; minor < 100; minor++) assert.equal(layered.object(33333, `1.${minor}`)?.name, minor < 4 ? 'own' : 'for all');
    });

    it('[LANG-054] a live model gives the new definitions at the next look-up', () => {
      const live = new LiveModel(omaModel());
      assert.equal(live.object(33333, '1.0'), undefined);
      assert.equal(live.resource(33333, 1), undefined);
      live.replace(layered);
      assert.equal(live.object(33333, '1.0')?.name, 'own');
      assert.equal(live.resource(33333, 1, '1.0')?.name, 'own');
      live.replace(omaModel());
      assert.equal(live.object(33333, '1.0'), undefined);
    });
  });
});
