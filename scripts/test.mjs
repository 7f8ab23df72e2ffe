// npm test: the unit, node, package and floors tests. npm test e2e | interop | fuzz: those suites.
// Everything after the suite's name goes to mocha: npm test -- --grep Register
import { existsSync } from 'node:fs';
import { checkNode, ensureBuilt, ensureInstalled, fail, root, run } from './lib/workspace.mjs';

const suites = ['e2e', 'interop', 'fuzz'];
const [first, ...others] = process.argv.slice(2);
const suite = first !== undefined && !first.startsWith('-') ? first : undefined;
if (suite !== undefined && !suites.includes(suite)) {
  fail(`There is no suite "${suite}". Use: npm test, or npm test ${suites.join(' | npm test ')}.`);
}
const config = suite ? `.mocharc.${suite}.json` : '.mocharc.json';
const rest = suite ? others : process.argv.slice(2);

checkNode();
await ensureInstalled();
await ensureBuilt();
if (suite && !existsSync(`${root}/test/${suite}`)) fail(`There are no tests in test/${suite}.`);
process.exitCode = await run(process.execPath, ['node_modules/mocha/bin/mocha.js', '--config', config, ...rest]);
