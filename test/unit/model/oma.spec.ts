import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { omaModel, omaObjects } from '../../../lib/model/oma';
import type { ResourceType } from '../../../lib/lwm2m/types';

const root = path.resolve(__dirname, '../../..');

describe('OMA registry', () => {
  it('[LANG-060] is made once', () => {
    assert.equal(omaModel(), omaModel());
    assert.equal(omaModel().object(3, '1.0'), omaModel().object(3, '1.0'));
  });

  it('[LANG-060] knows the Device object in all its versions', () => {
    const model = omaModel();
    assert.deepEqual(model.resource(3, 9, '1.2'), {
      id: 9,
      name: 'Battery Level',
      operations: 'R',
      multiple: false,
      mandatory: false,
      type: 'integer',
      range: '0..100',
      units: '/100',
    });
    assert.equal(model.resource(3, 6, '1.2')?.multiple, true);
    assert.equal(model.resource(3, 4, '1.2')?.type, 'none');
    assert.equal(model.resource(3, 4, '1.2')?.operations, 'E');
    assert.equal(model.resource(3, 23, '1.0'), undefined);
    assert.deepEqual(
      ['1.0', '1.1', '1.2'].map((version) => model.object(3, version)?.version),
      ['1.0', '1.1', '1.2'],
    );
    assert.equal(model.object(3)?.mandatory, true);
    assert.equal(model.object(3)?.multiple, false);
    assert.equal(model.object(1)?.multiple, true);
    assert.equal(model.resource(3303, 5700)?.type, 'float');
    assert.equal(model.resource(5, 0)?.type, 'opaque');
    assert.equal(model.object(65534), undefined);
  });

  it('[LANG-061] has one line an object version, sorted', () => {
    const lines = readFileSync(path.join(root, 'lib/model/oma-objects.json'), 'utf8').trimEnd().split('\n');
    const objects = omaObjects();
    assert.equal(lines.length, objects.length + 2);
    const ids = objects.map((object) => object.id);
    assert.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    );
    assert.equal(new Set(objects.map((object) => `${object.id}/${object.version}`)).size, objects.length);
    for (const object of objects) {
      assert.match(object.version, /^\d+\.\d+$/);
      for (const resource of object.resources.values()) {
        assert.ok(resource.name.length > 0);
        // An executable has no type; a few old files leave it out elsewhere too.
        assert.match(resource.operations, /^(R?W?E?)$/);
      }
    }
  });

  it('[LANG-062] holds what the XML files say', function () {
    const data = process.env['LWM2M_SHARED_DATA'];
    const folder = data === undefined ? undefined : path.join(data, 'lwm2m-registry');
    if (folder === undefined || !existsSync(folder)) {
      this.skip();
      return;
    }
    const found = new Map(omaObjects().map((object) => [`${object.id}/${object.version}`, object]));
    const seen = new Set<string>();
    for (const sub of ['.', 'version_history']) {
      for (const file of readdirSync(path.join(folder, sub)).filter((name) => name.endsWith('.xml'))) {
        for (const object of objectsOf(readFileSync(path.join(folder, sub, file), 'utf8'))) {
          const key = `${object.id}/${object.version}`;
          if (seen.has(key)) continue;
          seen.add(key);
          const compiled = found.get(key);
          assert.ok(compiled, `${file}: ${key} is missing`);
          assert.equal(compiled.name, object.name, file);
          assert.equal(compiled.multiple, object.multiple, file);
          assert.deepEqual(
            [...compiled.resources.values()].map(({ id, type, operations, multiple }) => [id, type, operations, multiple].join()),
            object.resources,
            file,
          );
        }
      }
    }
    assert.equal(seen.size, found.size);
    assert.ok(seen.size > 400);
  });
});

const TYPE_NAMES: Record<string, ResourceType> = {
  '': 'none',
  'unsigned integer': 'unsigned',
  string: 'string',
  integer: 'integer',
  float: 'float',
  boolean: 'boolean',
  opaque: 'opaque',
  time: 'time',
  objlnk: 'objlnk',
  corelnk: 'corelnk',
};

/** The objects of a file, taken out by patterns: another way than the one that compiled them. */
function objectsOf(xml: string): { id: number; version: string; name: string; multiple: boolean; resources: string[] }[] {
  const plain = xml.replace(/<!--[\s\S]*?-->/g, '').replace(/<!\[CDATA\[[\s\S]*?\]\]>/g, '');
  return plain
    .split('<Object ')
    .slice(1)
    .filter((object) => object.includes('<ObjectID>'))
    .map((object) => {
      const head = object.slice(0, object.indexOf('<Resources'));
      const items = [...object.matchAll(/<Item\s+ID\s*=\s*"\s*(\d+)\s*"\s*>([\s\S]*?)<\/Item>/g)].map(([, id = '', item = '']) => ({
        id: Number(id),
        row: [
          Number(id),
          TYPE_NAMES[element(item, 'Type').toLowerCase()],
          element(item, 'Operations'),
          element(item, 'MultipleInstances') === 'Multiple',
        ],
      }));
      return {
        id: Number(element(head, 'ObjectID')),
        version: element(head, 'ObjectVersion') || '1.0',
        name: element(head, 'Name'),
        multiple: element(head, 'MultipleInstances') === 'Multiple',
        resources: items.sort((a, b) => a.id - b.id).map(({ row }) => row.join()),
      };
    });
}

function element(xml: string, name: string): string {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? '';
  return text.replace(/&amp;/g, '&').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/\s+/g, ' ').trim();
}
