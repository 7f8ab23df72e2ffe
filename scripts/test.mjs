// npm test: the unit, node, package and floors tests, and those of CoAP and of the server once more over DTLS (npm test coaps).
// npm test coaps | e2e | interop | fuzz: those suites. Everything after the suite's name goes to mocha: npm test -- --grep Register
// Environment: LWM2M_TEST_NODE      the Node.js program the tests and all they start run on; default the one that runs this
//              LWM2M_TEST_NODE_RED  the folder of the Node-RED that tests start as a program (the one with red.js; not the one
//                                   inside node-red-node-test-helper); default node_modules/node-red
// What the gate sets them to is installed by npm ci in the folders of test/versions.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkNode, ensureBuilt, ensureInstalled, fail, root, run } from './lib/workspace.mjs';

const folders = ['e2e', 'interop', 'fuzz'];
const suites = ['coaps', ...folders];
const [first, ...others] = process.argv.slice(2);
const suite = first !== undefined && !first.startsWith('-') ? first : undefined;
if (suite !== undefined && !suites.includes(suite)) {
  fail(`There is no suite "${suite}". Use: npm test, or npm test ${suites.join(' | npm test ')}.`);
}
const rest = suite ? others : process.argv.slice(2);

checkNode();
await ensureInstalled();
await ensureBuilt();
if (folders.includes(suite) && !existsSync(`${root}/test/${suite}`)) fail(`There are no tests in test/${suite}.`);

const node = process.env.LWM2M_TEST_NODE ? path.resolve(root, process.env.LWM2M_TEST_NODE) : process.execPath;
if (!existsSync(node)) fail(`LWM2M_TEST_NODE: there is no ${node}.`);
const nodeRed = process.env.LWM2M_TEST_NODE_RED;
if (nodeRed && !existsSync(path.resolve(root, nodeRed, 'red.js'))) fail(`LWM2M_TEST_NODE_RED: there is no red.js in ${nodeRed}.`);
// Programs that look for "node" themselves, npm for one, are to find the same.
const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}` };

/** One run of mocha; `name` of its settings. Resolves with its exit code. */
const mocha = (name, more) => run(node, ['node_modules/mocha/bin/mocha.js', '--config', name, ...rest], { env: { ...env, ...more } });
const overCoaps = (more) => mocha('.mocharc.coaps.json', { ...more, LWM2M_TEST_SCHEME: 'coaps' });

if (suite === 'coaps') process.exitCode = await overCoaps();
else if (suite) process.exitCode = await mocha(`.mocharc.${suite}.json`);
else process.exitCode = await both();

/** The tests, and those that run over DTLS too; the last line counts them all. */
async function both() {
  const folder = mkdtempSync(path.join(tmpdir(), 'lwm2m-tests-'));
  const tally = process.env.TEST_TALLY ?? path.join(folder, 'tally');
  const lines = () => (existsSync(tally) ? readFileSync(tally, 'utf8').split('\n').filter(Boolean) : []);
  const before = lines().length;
  try {
    const plain = await mocha('.mocharc.json', { TEST_TALLY: tally });
    console.log('\nThe suites of CoAP and of the server over coaps:');
    const secure = await overCoaps({ TEST_TALLY: tally });
    const runs = lines()
      .slice(before)
      .map((line) => JSON.parse(line));
    const sum = (key) => runs.reduce((all, one) => all + one[key], 0);
    console.log(`in all: ${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
    return plain || secure;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
