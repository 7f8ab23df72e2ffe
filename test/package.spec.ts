import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import type { ExecFileSyncOptionsWithStringEncoding } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { packageRoot as root, startNodeRed } from './support/node-red';
import type { NodeRed } from './support/node-red';

interface Manifest {
  name: string;
  version: string;
  license: string;
  repository: { url: string };
  keywords: string[];
  engines: { node: string };
  files: string[];
  bin: Record<string, string>;
  main: string;
  types: string;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  'node-red': { version: string; nodes: Record<string, string> };
}
type FlowNode = Record<string, unknown> & { id: string; type: string; z?: string; wires?: string[][] };

const manifest = JSON.parse(read('package.json')) as Manifest;
const types = Object.keys(manifest['node-red'].nodes);
const examples = readdirSync(path.join(root, 'examples')).filter((file) => file.endsWith('.json'));
const languages = ['en-US', 'de'];
const maxDependencies = 6;
const coreNodes = [
  'tab',
  'group',
  'comment',
  'inject',
  'debug',
  'switch',
  'change',
  'function',
  'catch',
  'status',
  'complete',
  'link in',
  'link out',
  'delay',
  'template',
  'junction',
];

/** npm warns about settings of the machine; that is not ours to judge. */
const quiet: ExecFileSyncOptionsWithStringEncoding = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };

function read(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

function keysOf(value: unknown, prefix = ''): string[] {
  if (typeof value !== 'object' || value === null) return [prefix];
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, `${prefix}.${key}`));
}

/** The files npm would publish. */
function packed(): string[] {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], quiet);
  const [result] = JSON.parse(output) as [{ files: { path: string }[] }];
  return result.files.map((file) => file.path);
}

describe('package', () => {
  let files: string[];
  before(function () {
    this.timeout(60_000);
    assert.ok(existsSync(path.join(root, 'dist')), 'dist is missing: run npm run build');
    files = packed();
  });

  describe('package.json', () => {
    it('has dependencies that fit each other: npm 10 installs nothing otherwise', () => {
      const { stdout } = spawnSync('npm', ['ls', '--all'], { ...quiet, cwd: root });
      assert.match(stdout, /node-red@/);
      assert.deepEqual(
        stdout.split('\n').filter((line) => line.includes('invalid:')),
        [],
      );
    });

    it('has what the flow library asks for', () => {
      assert.match(manifest.name, /^@[a-z0-9-]+\/[a-z0-9-]+$/);
      assert.equal(manifest.license, 'Apache-2.0');
      assert.match(manifest.repository.url, /^git\+https:/);
      assert.ok(manifest.keywords.includes('node-red'));
      assert.match(manifest.engines.node, /^>=20/);
      assert.match(manifest['node-red'].version, /^>=4/);
    });

    it('has few dependencies, each in one exact version', () => {
      const versions = Object.entries({ ...manifest.dependencies, ...manifest.optionalDependencies });
      assert.ok(versions.length <= maxDependencies);
      for (const [name, version] of versions) assert.match(version, /^\d+\.\d+\.\d+$/, name);
    });

    it('has dependencies that compile nothing at install', () => {
      for (const name of Object.keys(manifest.dependencies)) {
        const { scripts = {} } = JSON.parse(read(`node_modules/${name}/package.json`)) as { scripts?: Record<string, string> };
        for (const script of ['preinstall', 'install', 'postinstall']) assert.equal(scripts[script], undefined, `${name}: ${script}`);
        assert.equal(existsSync(path.join(root, 'node_modules', name, 'binding.gyp')), false, name);
      }
    });

    it('has an embedded store with binaries for every platform, and installs without it', () => {
      const folder = 'node_modules/classic-level';
      const { scripts = {} } = JSON.parse(read(`${folder}/package.json`)) as { scripts?: Record<string, string> };
      assert.deepEqual(
        [Object.keys(manifest.optionalDependencies), manifest.dependencies['classic-level']],
        [['classic-level'], undefined],
      );
      // It compiles only where no binary fits, and where that fails npm goes on without it.
      assert.deepEqual([scripts['preinstall'], scripts['install'], scripts['postinstall']], [undefined, 'node-gyp-build', undefined]);
      const binaries = readdirSync(path.join(root, folder, 'prebuilds'), { recursive: true, encoding: 'utf8' }).map((file) =>
        file.replaceAll('\\', '/'),
      );
      for (const platform of ['linux-x64', 'linux-arm', 'linux-arm64', 'darwin-x64+arm64', 'win32-x64']) {
        assert.ok(
          binaries.some((file) => file.startsWith(`${platform}/`) && file.endsWith('.node')),
          platform,
        );
      }
      assert.ok(binaries.includes('linux-x64/classic-level.musl.node'));
    });

    it('lists the nodes that are there', () => {
      const folders = readdirSync(path.join(root, 'nodes')).filter((name) => name.startsWith('lwm2m-'));
      assert.deepEqual([...types].sort(), folders.sort());
    });
  });

  describe('what is published', () => {
    it('has every node with its page, texts and icon, and the library', () => {
      const wanted = types.flatMap((type) => {
        const folder = `dist/nodes/${type}`;
        const texts = languages.flatMap((language) => [
          `${folder}/locales/${language}/${type}.json`,
          `${folder}/locales/${language}/${type}.html`,
        ]);
        return [`${folder}/${type}.js`, `${folder}/${type}.html`, `${folder}/icons/${type}.svg`, ...texts];
      });
      const all = [...wanted, manifest.main, manifest.types, 'README.md', 'CHANGELOG.md', ...examples.map((file) => `examples/${file}`)];
      assert.deepEqual(
        all.filter((file) => !files.includes(file)),
        [],
      );
    });

    it('has a command that runs', () => {
      const [[name, file] = ['', '']] = Object.entries(manifest.bin);
      assert.equal(name, 'lwm2m-codec');
      assert.ok(files.includes(file));
      assert.match(read(file), /^#!\/usr\/bin\/env node\n/);
      const out = execFileSync(process.execPath, [file, 'decode', '11542', '/3/0/9', 'c10964'], quiet);
      assert.deepEqual(JSON.parse(out), { resources: [{ path: '/3/0/9', type: 'integer', value: 100 }] });
    });

    it('has nothing else', () => {
      const allowed = /^(dist\/|examples\/|README\.md$|LICENSE$|NOTICE$|CHANGELOG\.md$|package\.json$)/;
      const wrong = files.filter(
        (file) => !allowed.test(file) || /(^|\/)(test|\.built|.*\.(spec\.js|tsx?|pem|key|map))$/.test(file.replace(/\.d\.ts$/, '')),
      );
      assert.deepEqual(
        wrong.filter((file) => file !== 'dist/.built'),
        [],
      );
    });

    it('names its version in the changelog', () => {
      assert.match(read('CHANGELOG.md'), new RegExp(`^## \\[${manifest.version.replaceAll('.', '\\.')}\\]`, 'm'));
    });
  });

  for (const type of types) {
    describe(type, () => {
      const page = (): string => read(`dist/nodes/${type}/${type}.html`);
      const texts = (language: string): object => JSON.parse(read(`dist/nodes/${type}/locales/${language}/${type}.json`)) as object;

      it('has a dialog and a script in one page', () => {
        assert.match(page(), new RegExp(`registerType\\("${type}"`));
        assert.match(page(), new RegExp(`data-template-name="${type}"`));
        assert.doesNotMatch(page(), /src="\/?resources/, 'a script that fails to load would stop the editor');
      });

      it('has help in every language, with a first sentence for the palette', () => {
        for (const language of languages) {
          const help = read(`dist/nodes/${type}/locales/${language}/${type}.html`);
          assert.match(help, new RegExp(`^<script type="text/markdown" data-help-name="${type}">\\n\\S`));
        }
      });

      it('has help whose lists of properties are read right', () => {
        for (const language of languages) {
          const help = read(`dist/nodes/${type}/locales/${language}/${type}.html`);
          // Node-RED splits such a line at its last colon.
          for (const line of help.split('\n').filter((text) => text.startsWith(': ')))
            assert.equal(line.split(/\s:\s|:\s/).length, 3, line);
        }
      });

      it('has the same texts in every language', () => {
        for (const language of languages) assert.deepEqual(keysOf(texts(language)).sort(), keysOf(texts('en-US')).sort(), language);
      });

      it('has a text for every key it uses', () => {
        const known = new Set(keysOf(texts('en-US')).map((key) => key.slice(1)));
        const source = page() + read(`dist/nodes/${type}/${type}.js`);
        const used = [...source.matchAll(/['"\]`](lwm2m-[a-z]+\.[A-Za-z]+\.[A-Za-z-]+)['"`]/g)].map((match) => match[1]!);
        assert.ok(used.length > 0);
        assert.deepEqual(
          used.filter((key) => !known.has(key) && !known.has(`${key}_plural`)),
          [],
        );
      });

      it('uses the colours of the editor, so that dark themes work', () => {
        const template = read(`nodes/${type}/${type}.html`);
        assert.doesNotMatch(template, /#[0-9a-f]{3,8}\b\s*;|rgba?\(|(?:color|background)\s*:\s*(?!var\()/i);
      });

      it('names every field for people who cannot see it', () => {
        const template = read(`nodes/${type}/${type}.html`);
        const fields = [...template.matchAll(/<(?:input|select|ol)[^>]*\bid="([^"]+)"[^>]*>/g)].filter(
          ([tag]) => !tag.includes('type="hidden"'),
        );
        for (const [, id = ''] of fields) assert.ok(template.includes(`for="${id}"`), `${id} has no label`);
      });

      it('has an icon as Node-RED wants it', () => {
        const icon = read(`icons/${type}.svg`);
        assert.match(icon, /viewBox="0 0 40 60" width="40" height="60"/);
        const colours = new Set([...icon.matchAll(/(?:fill|stroke)="([^"]+)"/g)].map((match) => match[1]));
        colours.delete('none');
        assert.deepEqual([...colours], ['#fff']);
      });
    });
  }

  describe('examples', () => {
    const flows = new Map(examples.map((file) => [file, JSON.parse(read(`examples/${file}`)) as FlowNode[]]));

    it('are numbered', () => {
      assert.ok(examples.length > 0);
      for (const file of examples) assert.match(file, /^\d\d-[a-z0-9-]+\.json$/);
    });

    it('show every node', () => {
      const shown = new Set([...flows.values()].flat().map((node) => node.type));
      assert.deepEqual(
        types.filter((type) => !shown.has(type)),
        [],
      );
    });

    for (const [file, flow] of flows) {
      it(`${file} is in order`, () => {
        const ids = flow.map((node) => node.id);
        const known = new Set(ids);
        assert.equal(known.size, ids.length, 'ids are unique');
        for (const node of flow) {
          assert.match(node.id, /^[0-9a-f]{16}$/);
          assert.ok(types.includes(node.type) || coreNodes.includes(node.type), `${node.type} is ours or of Node-RED's core`);
          const references = [node.z, node['server'], ...(node.wires ?? []).flat()].filter((id) => typeof id === 'string');
          assert.deepEqual(
            references.filter((id) => !known.has(id)),
            [],
            `references of ${node.id}`,
          );
        }
        assert.ok(
          flow.some((node) => node.type === 'comment'),
          'says what it is about',
        );
      });
    }

    it('use an id once in all of them but for the servers they share, so that all can be imported', () => {
      const nodes = [...flows.values()].flat();
      const servers = nodes.filter(({ type }) => type === 'lwm2m-server');
      // The editor takes a configuration node it has already when all of it is the same.
      for (const server of servers)
        assert.deepEqual(
          server,
          servers.find(({ id }) => id === server.id),
        );
      const ports = [...new Map(servers.map((server) => [server.id, server])).values()].flatMap(({ port, securePort }) => [
        port,
        securePort,
      ]);
      const used = ports.filter((port) => typeof port === 'number');
      assert.equal(new Set(used).size, used.length, 'two servers want one port');
      const ids = nodes.filter(({ type }) => type !== 'lwm2m-server').map((node) => node.id);
      assert.equal(new Set(ids).size, ids.length);
    });
  });

  describe('the tarball', () => {
    let dir: string;
    let nodeRed: NodeRed | undefined;
    before(() => {
      dir = mkdtempSync(path.join(tmpdir(), 'lwm2m-tarball-'));
    });
    after(async () => {
      await nodeRed?.stop();
      rmSync(dir, { recursive: true, force: true });
    });

    it('starts in a Node-RED that has nothing else', async function () {
      this.timeout(120_000);
      const name = execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', dir], quiet).trim().split('\n').at(-1)!;
      execFileSync('tar', ['-xzf', name], { cwd: dir });
      // What npm would install beside it; only these, so that a missing dependency shows.
      for (const dependency of Object.keys(manifest.dependencies)) {
        const link = path.join(dir, 'package/node_modules', dependency);
        mkdirSync(path.dirname(link), { recursive: true });
        symlinkSync(path.join(root, 'node_modules', dependency), link, 'junction');
      }
      const server = { id: 'aaaaaaaaaaaaaaaa', type: 'lwm2m-server', name: 'Packed', port: 0 };
      const tab = { id: 'bbbbbbbbbbbbbbbb', type: 'tab', label: 'x' };
      const incoming = { id: 'cccccccccccccccc', type: 'lwm2m-in', z: tab.id, server: server.id, x: 100, y: 100, wires: [[]] };
      nodeRed = await startNodeRed({ packageDir: path.join(dir, 'package'), flow: [tab, server, incoming] });
      assert.doesNotMatch(nodeRed.log(), /missing types|\[error\]|\[warn\].*lwm2m/i);
      const list = (await (await fetch(`${nodeRed.url}nodes`, { headers: { accept: 'application/json' } })).json()) as {
        module: string;
        enabled: boolean;
        err?: string;
        types: string[];
      }[];
      const ours = list.filter((set) => set.module === manifest.name);
      assert.deepEqual(ours.flatMap((set) => set.types).sort(), [...types].sort());
      assert.deepEqual(
        ours.filter((set) => !set.enabled || set.err),
        [],
      );
    });
  });
});
