// npm run bench [-- NAME ...] [-- --json FILE and other options]: runs the benchmarks of test/bench, all that are not named apart by
// default. Options go to the benchmarks; docs/benchmarks.md names them. They measure the compiled code of dist/.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkNode, ensureBuilt, ensureInstalled, fail, root, run } from './lib/workspace.mjs';

const known = ['coap', 'codec', 'store', 'scale', 'dtls', 'cbc'];
const given = process.argv.slice(2);
const firstOption = given.findIndex((argument) => argument.startsWith('-'));
const names = firstOption < 0 ? given : given.slice(0, firstOption);
const options = firstOption < 0 ? [] : given.slice(firstOption);
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) fail(`No such benchmark: ${unknown.join(', ')}. There are: ${known.join(', ')}.`);

checkNode();
await ensureInstalled();
await ensureBuilt();
// Each writes a file of its own; together they are one flat object.
const jsonAt = options.indexOf('--json');
const jsonFile = jsonAt < 0 ? undefined : options[jsonAt + 1];
if (jsonAt >= 0 && jsonFile === undefined) fail('--json wants the name of a file.');
const folder = mkdtempSync(path.join(tmpdir(), 'lwm2m-bench-'));
const figures = {};
try {
  for (const name of names.length > 0 ? names : known) {
    const file = path.join(folder, `${name}.json`);
    const own = jsonFile === undefined ? options : options.with(jsonAt + 1, file);
    const code = await run(process.execPath, ['--require', 'tsx/cjs', `${root}/test/bench/${name}.ts`, ...own]);
    if (code !== 0) {
      process.exitCode = code;
      break;
    }
    if (jsonFile !== undefined) Object.assign(figures, JSON.parse(readFileSync(file, 'utf8')));
  }
  if (jsonFile !== undefined && !process.exitCode) writeFileSync(path.resolve(root, jsonFile), `${JSON.stringify(figures, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
