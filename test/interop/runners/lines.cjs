'use strict';
// What the runners share: options as `--name value`, events as JSON lines on standard output, commands as lines on standard input.
const { createRequire } = require('node:module');
const path = require('node:path');
const readline = require('node:readline');

/** `--server-port 5683` becomes `{ serverPort: '5683' }`; the defaults say which options there are. */
exports.options = function options(defaults) {
  const found = { ...defaults };
  const words = process.argv.slice(2);
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at].replace(/^--/, '').replace(/-(.)/g, (_, letter) => letter.toUpperCase());
    if (!(name in found) || words[at + 1] === undefined) {
      process.stderr.write(`unknown or incomplete option ${words[at]}; there are: ${Object.keys(defaults).join(', ')}\n`);
      process.exit(1);
    }
    found[name] = words[at + 1];
  }
  return found;
};

/** Writes `{"event": name, ...fields}`. */
exports.emit = function emit(event, fields = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
};

/** Runs `handlers[word](...words)` for each line; the end of the input is a `stop`. A handler that throws is an `error` event. */
exports.commands = function commands(handlers) {
  let stopping = false;
  const perform = async (line) => {
    const [word, ...rest] = line.trim().split(/ +/);
    if (word === '' || stopping) return;
    stopping = word === 'stop';
    try {
      if (!handlers[word]) throw new Error(`unknown command ${word}`);
      await handlers[word](...rest);
    } catch (error) {
      exports.emit('error', { command: line, message: String(error?.message ?? error) });
    }
  };
  const input = readline.createInterface({ input: process.stdin });
  input.on('line', (line) => void perform(line));
  input.on('close', () => void perform('stop'));
};

/** Ends the process once the output is written. */
exports.end = function end() {
  process.stdout.write(`${JSON.stringify({ event: 'stopped' })}\n`, () => process.exit(0));
};

/** A `require` that looks into one of the folders `prepare.sh` made. */
exports.peerRequire = function peerRequire(peer) {
  return createRequire(path.join(__dirname, '..', '.peers', peer, 'package.json'));
};

/** `/3303/0/5700` as `['/3303/0', '5700']`. */
exports.split = function split(resource) {
  const at = resource.lastIndexOf('/');
  return [resource.slice(0, at), resource.slice(at + 1)];
};
