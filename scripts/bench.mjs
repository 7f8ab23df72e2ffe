// npm run bench [-- NAME ...] [-- --json FILE and other options]: runs the benchmarks of test/bench, all that are not named apart by
// default. Options go to the benchmarks; docs/benchmarks.md names them. They measure the compiled code of dist/.
import { checkNode, ensureBuilt, ensureInstalled, fail, root, run } from './lib/workspace.mjs';

const known = ['coap', 'store', 'scale'];
const given = process.argv.slice(2);
const firstOption = given.findIndex((argument) => argument.startsWith('-'));
const names = firstOption < 0 ? given : given.slice(0, firstOption);
const options = firstOption < 0 ? [] : given.slice(firstOption);
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) fail(`No such benchmark: ${unknown.join(', ')}. There are: ${known.join(', ')}.`);

checkNode();
await ensureInstalled();
await ensureBuilt();
for (const name of names.length > 0 ? names : known) {
  const code = await run(process.execPath, ['--require', 'tsx/cjs', `${root}/test/bench/${name}.ts`, ...options]);
  if (code !== 0) process.exit(code);
}
