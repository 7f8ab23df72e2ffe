import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { checkFloors, importsOf } from './support/floors';

const root = path.resolve(__dirname, '..');

function sources(...folders: string[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const entry of readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
      const file = path.join(entry.parentPath, entry.name);
      files.set(path.relative(root, file).split(path.sep).join('/'), readFileSync(file, 'utf8'));
    }
  }
  return files;
}

describe('floors', () => {
  it('lib/ and nodes/ keep to the table', () => {
    const files = sources('lib', 'nodes');
    assert.ok(files.has('lib/index.ts') && files.size > 20, 'the sources were found');
    assert.deepEqual(checkFloors(files), []);
  });

  describe('the check itself', () => {
    const good: [string, string, string][] = [
      ['down', 'lib/server/a.ts', "import { x } from '../coap/types';"],
      ['sideways, as listed', 'lib/server/a.ts', "import { x } from '../credentials/types';"],
      ['the composition root', 'lib/index.ts', "import { x } from './coap/types';"],
      ['a node and the library', 'nodes/lwm2m-in/lwm2m-in.ts', "import { x } from '../../lib/index';"],
      ['the device and the clock', 'lib/device/a.ts', "import type { Clock } from '../transport/types';"],
      ['the device and coap', 'lib/device/a.ts', "import coap from 'coap';"],
      [
        'the store, the clock and the database',
        'lib/store/a.ts',
        "import type { Clock } from '../transport/types'; import 'classic-level';",
      ],
      ['the transport and sockets', 'lib/transport/a.ts', "import dgram from 'node:dgram';"],
      ['types alone make no circle', 'lib/coap/types.ts', "import type { x } from './message';"],
    ];
    for (const [name, file, text] of good) {
      it(`lets through: ${name}`, () => assert.deepEqual(checkFloors(withWorld(file, text)), []));
    }

    const bad: [string, string, string, RegExp][] = [
      ['up', 'lib/coap/a.ts', "import { x } from '../server/types';", /down only/],
      ['up, as a type', 'lib/coap/a.ts', "import type { x } from '../server/types';", /down only/],
      ['up, as an import type', 'lib/coap/a.ts', "type X = import('../server/types').X;", /down only/],
      ['up, exported', 'lib/coap/a.ts', "export * from '../server/types';", /down only/],
      ['up, at run time', 'lib/coap/a.ts', "void import('../server/types');", /down only/],
      ['up, by require', 'lib/coap/a.ts', "const x = require('../server/types');", /down only/],
      ['sideways', 'lib/credentials/a.ts', "import { x } from '../server/types';", /sideways/],
      ['language knows CoAP', 'lib/codec/a.ts', "import { x } from '../coap/types';", /may not know/],
      ['language does I/O', 'lib/codec/a.ts', "import fs from 'node:fs';", /no I\/O/],
      ['device knows our CoAP', 'lib/device/a.ts', "import { x } from '../coap/types';", /may not know/],
      ['server uses npm coap', 'lib/server/a.ts', "import coap from 'coap';", /simulated device/],
      ['server uses the database', 'lib/server/a.ts', "import { ClassicLevel } from 'classic-level';", /only the store/],
      ['the store knows the server', 'lib/store/a.ts', "import type { x } from '../server/types';", /may not know/],
      ['server opens a socket', 'lib/server/a.ts', "import dgram from 'node:dgram';", /open sockets/],
      ['lib knows Node-RED', 'lib/rpc/a.ts', "import type { Node } from 'node-red';", /Node-RED/],
      ['lib knows the nodes', 'lib/rpc/a.ts', "import { x } from '../../nodes/shared/status';", /outside/],
      ['a floor knows the root', 'lib/server/a.ts', "import { x } from '../index';", /no floor/],
      ['a room without a floor', 'lib/attic/a.ts', "import { x } from '../coap/types';", /no floor/],
      ['a node knows a floor', 'nodes/lwm2m-in/a.ts', "import { x } from '../../lib/server/types';", /lib\/index/],
      ['a node knows another', 'nodes/lwm2m-in/a.ts', "import { x } from '../lwm2m-rpc/lwm2m-rpc';", /lib\/index/],
      ['a node opens a socket', 'nodes/lwm2m-in/a.ts', "import dgram from 'node:dgram';", /sockets/],
      ['editor loads the library', 'nodes/lwm2m-in/a.editor.ts', "import { x } from '../../lib/index';", /lib\/index/],
      ['a circle', 'lib/coap/types.ts', "import { x } from './message';", /circle: .*types\.ts -> .*message\.ts/],
    ];
    for (const [name, file, text, expected] of bad) {
      it(`refuses: ${name}`, () => {
        const problems = checkFloors(withWorld(file, text));
        assert.equal(problems.length, 1, problems.join('\n'));
        assert.match(problems[0]!, expected);
      });
    }

    it('sees every form of import', () => {
      const text = `import a from 'a'; import type b from 'b'; export { c } from 'c'; import d = require('d');
        const e = require('e'); void import('f'); type G = import('g').G; import 'h';`;
      assert.deepEqual(
        importsOf('x.ts', text).map((item) => `${item.specifier}${item.typeOnly ? ' (type)' : ''}`),
        ['a', 'b (type)', 'c', 'd', 'e', 'f', 'g (type)', 'h'],
      );
    });
  });
});

/** A small house in which one file is replaced. */
function withWorld(file: string, text: string): Map<string, string> {
  const world = new Map([
    ['lib/index.ts', ''],
    ['lib/transport/types.ts', ''],
    ['lib/coap/types.ts', ''],
    ['lib/coap/message.ts', "import { y } from './types';"],
    ['lib/server/types.ts', ''],
    ['lib/credentials/types.ts', ''],
    ['nodes/shared/status.ts', ''],
    ['nodes/lwm2m-rpc/lwm2m-rpc.ts', ''],
  ]);
  return world.set(file, text);
}
