#!/usr/bin/env node
/** The command-line tool `lwm2m-codec`: payloads to values and back, with the codecs and the errors of the server. */
import { parseArgs } from 'node:util';
import { DecodeError, EncodeError, codecFor, decodePayload } from './codec/index';
import { JsonError } from './codec/json-reader';
import { fromPlain, parseJson, toPlain } from './codec/plain';
import { PathError, parsePath } from './lwm2m/path';
import { layeredModel } from './model/layers';
import { omaModel } from './model/oma';
import { loadModels } from './models/load';
import type { CodecContext } from './codec/index';
import type { Json } from './codec/plain';
import type { Model } from './model/types';
import type { LoadedModels } from './models/load';

const HELP = `Usage: lwm2m-codec decode <content-format> <path> <hex>
       lwm2m-codec encode <content-format> <path> <json>

  decode   prints { "resources": [ { "path", "type", "value", "time"? } ] }
  encode   prints the payload as hex

  <content-format>  0 text, 40 links, 42 opaque, 60 CBOR, 110 SenML JSON, 112 SenML CBOR, 320 and 322 SenML-ETCH JSON and CBOR,
                    11542 (1542) TLV, 11543 (1543) LwM2M JSON, 11544 LwM2M CBOR
  <path>            that of the request: /3/0/9, /3/0, /3, / for a composite or a Send; /3_1.1/0 for an object version
  <hex>             the payload; blanks are skipped, - reads it from standard input
  <json>            what decode prints, or its list of resources alone ("type" may be left out: the definition has it);
                    for a resource also the bare value (100, "text", true); for more than one value maps by id, in an instance
                    also by resource name: { "0": "a", "6": { "0": 1 } }; - reads it from standard input

  --models DIR      own object definitions (OMA XML files); they win over the built-in registry
  --root PATH       the device's alternate path, e.g. /lwm2m
  --prefix NAME     the prefix of a device behind a gateway
  --now SECONDS     the time that relative times count from; default 0, so that they stay as they are

Values are as they stand on the wire: time in seconds since 1970, opaque as hex, object links "3:0"; whole numbers beyond 2^53 are
decimal text. null says that nothing is there, "remove": true removes a resource instance (SenML-ETCH).
Exit code 1: the payload or the value is wrong; 2: the command is.
`;

/** What a command may need from outside. */
export interface CliPorts {
  readonly print: (text: string) => void;
  readonly printError: (text: string) => void;
  readonly readInput: () => Promise<string>;
  /** Definitions of a folder of OMA XML files; rejects with why it cannot be read. */
  readonly loadModels: (dir: string) => Promise<LoadedModels>;
}

class UsageError extends Error {}

/** Runs one command and gives its exit code. */
export async function main(args: readonly string[], ports: CliPorts): Promise<number> {
  try {
    const text = await run(args, ports);
    ports.print(text);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      ports.printError(`${error.message}\nlwm2m-codec --help says more.`);
      return 2;
    }
    if (!isOurs(error)) throw error;
    ports.printError(error.message);
    return 1;
  }
}

function isOurs(error: unknown): error is Error {
  return error instanceof DecodeError || error instanceof EncodeError || error instanceof PathError || error instanceof ModelsError;
}

class ModelsError extends Error {}

async function run(args: readonly string[], ports: CliPorts): Promise<string> {
  const { values, positionals } = readArguments(args);
  if (values.help) return HELP.trimEnd();
  const [command, format, path, given, ...more] = positionals;
  if (command !== 'decode' && command !== 'encode') throw new UsageError(`The command is decode or encode, not ${command ?? 'nothing'}.`);
  if (format === undefined || path === undefined || given === undefined || more.length > 0) {
    throw new UsageError(`${command} takes a content format, a path and ${command === 'decode' ? 'hex' : 'JSON'}.`);
  }
  if (!/^\d{1,5}$/.test(format)) throw new UsageError(`A content format is a number, not ${JSON.stringify(format)}.`);
  const input = given === '-' ? await ports.readInput() : given;
  const payload = command === 'decode' ? bytesOf(input) : jsonOf(input);
  const context = contextOf(path, values, await modelOf(values.models, ports));
  if (payload instanceof Uint8Array)
    return JSON.stringify({ resources: toPlain(decodePayload(Number(format), payload, context)) }, null, 2);
  const codec = codecFor(Number(format));
  if (!codec) throw new EncodeError(`the content format ${format} is not supported`, { path: context.path, format: 'unknown' });
  return Buffer.from(codec.encode(fromPlain(payload, context), context)).toString('hex');
}

interface Options {
  readonly help?: boolean;
  readonly models?: string;
  readonly root?: string;
  readonly prefix?: string;
  readonly now?: string;
}

function readArguments(args: readonly string[]): { values: Options; positionals: string[] } {
  const text = { type: 'string' } as const;
  const options = { help: { type: 'boolean', short: 'h' }, models: text, root: text, prefix: text, now: text } as const;
  try {
    return parseArgs({ args: guarded(args), options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** A bare negative number as last argument is a value, and no option. */
function guarded(args: readonly string[]): string[] {
  const last = args.at(-1);
  return last !== undefined && /^-\d/.test(last) && !args.includes('--') ? [...args.slice(0, -1), '--', last] : [...args];
}

function bytesOf(text: string): Uint8Array {
  const hex = text.replace(/\s/g, '');
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(hex)) throw new UsageError('The payload is not hex.');
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

function jsonOf(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof JsonError) throw new UsageError(`The value is not JSON: ${error.message} (character ${error.offset}).`);
    throw error;
  }
}

function contextOf(text: string, { root, prefix, now }: Options, model: Model): CodecContext {
  const { ids, version } = parsePath(text);
  const [objectId] = ids;
  if (now !== undefined && !/^-?\d+(\.\d+)?$/.test(now)) throw new UsageError('--now is a number of seconds.');
  return {
    path: ids,
    model,
    ...(version !== undefined && objectId !== undefined && { versions: new Map([[objectId, version]]) }),
    ...(root !== undefined && { rootPath: root.replace(/\/$/, '') }),
    ...(prefix !== undefined && { prefix }),
    ...(now !== undefined && { now: Number(now) }),
  };
}

/** The built-in registry, and above it the definitions of a folder; files that cannot be used are told of, and do not keep the others out. */
async function modelOf(dir: string | undefined, ports: CliPorts): Promise<Model> {
  if (dir === undefined) return omaModel();
  let loaded: LoadedModels;
  try {
    loaded = await ports.loadModels(dir);
  } catch (error) {
    throw new ModelsError(`The object definitions of ${dir} cannot be read: ${(error as Error).message}`);
  }
  for (const { file, error } of loaded.files) if (error) ports.printError(`${file}, line ${error.line}: ${error.reason}`);
  return layeredModel(loaded.definitions);
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** `main` on this process. */
export async function runCli(args: readonly string[]): Promise<void> {
  process.exitCode = await main(args, {
    print: (text) => process.stdout.write(`${text}\n`),
    printError: (text) => process.stderr.write(`${text}\n`),
    readInput: readStandardInput,
    loadModels,
  });
}

if (require.main === module) void runCli(process.argv.slice(2));
