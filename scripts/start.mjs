// npm start: Node-RED with these nodes and a first flow, on a fresh clone too.
//   npm start -- --port 1881   another port for the editor
//   npm start -- --bare        no example: an empty editor with a folder of its own
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { checkNode, ensureBuilt, ensureInstalled, fail, root } from './lib/workspace.mjs';

const { port, bare } = readArguments();
checkNode();
if (!(await portIsFree(port))) {
  fail(`Port ${port} of this machine is taken, perhaps by a Node-RED that already runs.\nUse another one: npm start -- --port ${port + 1}`);
}
await ensureInstalled();
await ensureBuilt();
/** The example's server has this one, and only one process at a time can. */
const examplePort = 5685;
const exampleBlocked = !bare && !(await udpPortIsFree(examplePort));
const dir = path.join(root, bare ? '.node-red-bare' : '.node-red');
prepareUserDirectory();
startNodeRed();

function readArguments() {
  try {
    const { values } = parseArgs({ options: { port: { type: 'string', default: '1880' }, bare: { type: 'boolean', default: false } } });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 1 || port > 65535)
      throw new Error(`--port must be a number from 1 to 65535, not "${values.port}".`);
    return { port, bare: values.bare };
  } catch (error) {
    return fail(`${error.message}\nUse: npm start -- [--port N] [--bare]`);
  }
}

function portIsFree(number) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(number, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

function udpPortIsFree(number) {
  return new Promise((resolve) => {
    const probe = createSocket('udp4');
    probe.once('error', () => resolve(false));
    probe.bind({ port: number, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A Node-RED user directory inside this folder; nothing outside of it is touched. What a user built there stays. */
function prepareUserDirectory() {
  const { name } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const link = path.join(dir, 'node_modules', name);
  mkdirSync(path.dirname(link), { recursive: true });
  if (lstatSync(link, { throwIfNoEntry: false })) rmSync(link, { recursive: true, force: true });
  symlinkSync(root, link, 'junction');
  writeIfMissing('.gitignore', '*\n');
  writeIfMissing('package.json', '{ "name": "node-red-user-directory", "private": true }\n');
  writeIfMissing('settings.js', settings());
  const example = readdirSync(path.join(root, 'examples')).find((file) => file.startsWith('01-') && file.endsWith('.json'));
  const flows = path.join(dir, 'flows.json');
  if (!bare && example && !existsSync(flows)) copyFileSync(path.join(root, 'examples', example), flows);
}

function writeIfMissing(file, text) {
  const target = path.join(dir, file);
  if (!existsSync(target)) writeFileSync(target, text);
}

function settings() {
  return `// Made by npm start. Yours to change: it is not written again.
module.exports = {
  flowFile: 'flows.json',
  uiHost: '127.0.0.1',
  credentialSecret: 'local-development-only',
  telemetry: { enabled: false, updateNotification: false },
  editorTheme: { tours: false, projects: { enabled: false } },
};
`;
}

function startNodeRed() {
  const red = path.join(root, 'node_modules/node-red/red.js');
  const args = ['--enable-source-maps', red, '-u', dir, '-s', path.join(dir, 'settings.js'), '-p', String(port)];
  const child = spawn(process.execPath, args, { stdio: ['inherit', 'pipe', 'inherit'] });
  let started = false;
  child.stdout.on('data', (chunk) => {
    process.stdout.write(chunk);
    if (started || !chunk.includes('Started flows')) return;
    started = true;
    console.log(explanation());
  });
  // A terminal sends Ctrl-C to the whole group: Node-RED gets it too and ends by itself; this process waits for it.
  process.on('SIGINT', () => setTimeout(() => child.kill('SIGTERM'), 2_000).unref());
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  // Who ends npm by its id ends the shell between npm and this process, and nothing else: Node-RED must not stay behind with its ports.
  if (process.env.npm_lifecycle_event) endWithParent(child);
  child.once('exit', (code) => process.exit(code ?? 0));
}

function endWithParent(child) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM');
  }, 1_000).unref();
}

function explanation() {
  const url = `http://127.0.0.1:${port}`;
  const lines = bare
    ? [
        `Node-RED runs: open ${url}`,
        'The LwM2M nodes are in the palette on the left, under "LwM2M".',
        'Examples: menu, Import, Examples, @node-red-lwm2m/server.',
      ]
    : [
        `Node-RED runs: open ${url}`,
        '',
        'What to look at:',
        '  1. The node "Simulated device" says "registered": it found the LwM2M server of this flow.',
        '  2. Open the debug sidebar (the beetle, top right): the values of the device come in.',
        '  3. Press the button of "Read battery": its answer appears in the debug sidebar and under the node "Battery".',
        '',
        'A device of your own registers at coap://<this machine>:5685, for instance the Wakaama client:',
        '  ./lwm2mclient -h 127.0.0.1 -n UniqueEndpointName -p 5685 -c',
      ];
  if (exampleBlocked) {
    lines.push(
      '',
      `But: UDP port ${examplePort} is taken, perhaps by another Node-RED with this example, so the server of this flow cannot open.`,
      'End the other program, or give the server another port (double-click "All devices", then the pencil beside Server),',
      'and the simulated device the same one.',
    );
  }
  lines.push('', 'Ctrl-C ends it.');
  return `\n${lines.map((line) => `  ${line}`.trimEnd()).join('\n')}\n`;
}
