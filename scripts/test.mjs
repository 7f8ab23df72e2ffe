// npm test: the unit, node, package and floors tests. npm test e2e | interop | fuzz: those suites.
// Everything after the suite's name goes to mocha: npm test -- --grep Register
// Environment: LWM2M_TEST_NODE      the Node.js program the tests and all they start run on; default the one that runs this
//              LWM2M_TEST_NODE_RED  the folder of the Node-RED that tests start as a program (the one with red.js; not the one
//                                   inside node-red-node-test-helper); default node_modules/node-red
// What the gate sets them to is installed by npm ci in the folders of test/versions.
import { existsSync } from 'node:fs';
import path from 'node:path';
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

const node = process.env.LWM2M_TEST_NODE ? path.resolve(root, process.env.LWM2M_TEST_NODE) : process.execPath;
if (!existsSync(node)) fail(`LWM2M_TEST_NODE: there is no ${node}.`);
const nodeRed = process.env.LWM2M_TEST_NODE_RED;
if (nodeRed && !existsSync(path.resolve(root, nodeRed, 'red.js'))) fail(`LWM2M_TEST_NODE_RED: there is no red.js in ${nodeRed}.`);
// Programs that look for "node" themselves, npm for one, are to find the same.
const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}` };
process.exitCode = await run(node, ['node_modules/mocha/bin/mocha.js', '--config', config, ...rest], { env });
