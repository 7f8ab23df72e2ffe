// npm run bench: lists the benchmarks of test/bench. npm run bench -- <name> ...: runs them.
import { existsSync, readdirSync } from 'node:fs';
import { checkNode, ensureInstalled, fail, root, run } from './lib/workspace.mjs';

const folder = `${root}/test/bench`;
const known = existsSync(folder)
  ? readdirSync(folder)
      .filter((file) => file.endsWith('.ts'))
      .map((file) => file.slice(0, -'.ts'.length))
  : [];
const wanted = process.argv.slice(2);

if (known.length === 0) {
  console.log('There are no benchmarks yet (test/bench is empty).');
} else if (wanted.length === 0) {
  console.log(`Benchmarks: ${known.join(', ')}\nRun one with: npm run bench -- ${known[0]}`);
} else {
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) fail(`No such benchmark: ${unknown.join(', ')}. There are: ${known.join(', ')}.`);
  checkNode();
  await ensureInstalled();
  for (const name of wanted) {
    const code = await run(process.execPath, ['--expose-gc', '--require', 'tsx/cjs', `test/bench/${name}.ts`]);
    if (code !== 0) process.exit(code);
  }
}
