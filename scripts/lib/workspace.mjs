// What npm start, npm test and the benchmarks share: install and build what a fresh clone lacks.
// Only Node's own modules may be imported here: on a fresh clone there is nothing else.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const oldestNode = [20, 19];
/** What the build reads. */
const sources = ['lib', 'nodes', 'icons', 'scripts/build.mjs', 'package.json', 'tsconfig.json', 'tsconfig.editor.json'];
/** Written last by the build. */
export const stamp = path.join(root, 'dist', '.built');

/** Ends the process with one plain message when this Node.js is too old. */
export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [needMajor, needMinor] = oldestNode;
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  fail(`This needs Node.js ${needMajor}.${needMinor} or newer; here is ${process.versions.node}.`);
}

/** Says why and ends the process with code 1. */
export function fail(message) {
  console.error(`\n${message}\n`);
  process.exit(1);
}

/** Runs a program in the package's folder with the terminal's output; resolves with its exit code. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
}

/** Installs the dependencies when they are missing. `options` go to the commands it runs. */
export async function ensureInstalled(options = {}) {
  if (existsSync(path.join(root, 'node_modules', '.package-lock.json'))) return;
  console.error('Installing the dependencies; this takes about a minute the first time ...');
  const command = existsSync(path.join(root, 'package-lock.json')) ? 'ci' : 'install';
  // npm is a .cmd file on Windows, which only a shell can start.
  const code = await run('npm', [command, '--no-audit', '--no-fund'], { shell: process.platform === 'win32', ...options });
  if (code !== 0) fail(`npm ${command} failed (see above). Is this machine connected to the npm registry?`);
}

/** Builds when dist is missing or older than what it is made from. `options` go to the command it runs. */
export async function ensureBuilt(options = {}) {
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= newest()) return;
  const code = await run(process.execPath, ['scripts/build.mjs'], options);
  if (code !== 0) fail('The build failed: see the messages above.');
}

function newest() {
  return Math.max(...sources.map((source) => newestIn(path.join(root, source))));
}

function newestIn(file) {
  if (!existsSync(file)) return 0;
  const { mtimeMs } = statSync(file);
  if (!statSync(file).isDirectory()) return mtimeMs;
  return Math.max(mtimeMs, ...readdirSync(file).map((name) => newestIn(path.join(file, name))));
}
