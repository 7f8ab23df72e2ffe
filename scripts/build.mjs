// Builds dist/: the runtime by tsc, the editor scripts by esbuild, each inlined into its node's HTML, and the files Node-RED
// expects beside a node's .js (locales, icons). The two compilers run at the same time.
import { build } from 'esbuild';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { checkNode, root, run, stamp } from './lib/workspace.mjs';

checkNode();
process.chdir(root);
const started = Date.now();
const nodes = (await readdir('nodes', { withFileTypes: true }))
  .filter((entry) => entry.isDirectory() && existsSync(`nodes/${entry.name}/${entry.name}.ts`))
  .map((entry) => entry.name);

await rm('dist', { recursive: true, force: true });
const results = await Promise.allSettled([compileRuntime(), ...nodes.map(assembleNode), copyData('lib')]);
const problems = results.filter((result) => result.status === 'rejected').map((result) => result.reason);
for (const problem of problems) console.error(`build: ${problem.message}`);
if (problems.length > 0) process.exit(1);
await writeFile(stamp, '');
console.log(`Built ${nodes.length} nodes into dist/ in ${((Date.now() - started) / 1000).toFixed(1)} s`);

async function compileRuntime() {
  const code = await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']);
  if (code !== 0) throw new Error('the TypeScript compiler found errors (above)');
}

/** One HTML file a node: the bundled editor script before the hand-written template. A script of its own in `resources/` would
 *  stop the whole editor from loading whenever it is missing. */
async function assembleNode(name) {
  const from = `nodes/${name}`;
  const to = `dist/nodes/${name}`;
  await mkdir(to, { recursive: true });
  const template = await readFile(`${from}/${name}.html`, 'utf8');
  const script = await bundleEditor(`${from}/${name}.editor.ts`);
  await writeFile(`${to}/${name}.html`, `<script type="text/javascript">\n${script}</script>\n${template}`);
  await cp(`${from}/locales`, `${to}/locales`, { recursive: true });
  if (existsSync(`icons/${name}.svg`)) {
    await mkdir(`${to}/icons`, { recursive: true });
    await cp(`icons/${name}.svg`, `${to}/icons/${name}.svg`);
  }
}

async function bundleEditor(entry) {
  const result = await build({
    entryPoints: [entry],
    write: false,
    bundle: true,
    format: 'iife',
    target: 'es2020',
    charset: 'utf8',
    tsconfig: 'tsconfig.editor.json',
    logLevel: 'warning',
  }).catch(() => {
    throw new Error(`the editor script ${entry} could not be bundled (above)`);
  });
  const text = result.outputFiles[0].text;
  // It would end the inlined script early.
  if (text.includes('</script')) throw new Error(`${entry} must not contain "</script"`);
  return text;
}

/** Data files beside the compiled code. */
async function copyData(folder) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.json')) continue;
    const file = path.join(entry.parentPath, entry.name);
    await mkdir(path.join('dist', path.dirname(file)), { recursive: true });
    await cp(file, path.join('dist', file));
  }
}
