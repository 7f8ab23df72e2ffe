/** Reading a folder of definition files. */
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { DdfError, DdfParser, MAX_DDF_SIZE, decodeXml, tooLarge } from '../model/ddf';
import type { ObjectDefinition } from '../model/types';
import type { ModelFile, ModelFileError } from './types';

/** Files of one folder that are read. */
export const MAX_MODEL_FILES = 1000;
/** Characters read at a time, and how long reading may go on before others have their turn. Milliseconds. */
const PIECE = 8192;
const TURN = 3;

/** What a folder held when it was read. */
export interface LoadedModels {
  /** By name. */
  readonly files: readonly ModelFile[];
  /** Of all files that have no error, those of later files after those of earlier ones: of equal versions the later one wins. */
  readonly definitions: readonly ObjectDefinition[];
}

/**
 * Reads all `*.xml` files of a folder; sub-folders are left alone. A file that cannot be used has its `error` and does not keep the
 * others out. Rejects with the system's error when the folder cannot be read.
 */
export async function loadModels(dir: string): Promise<LoadedModels> {
  const reader = new FolderReader(dir);
  await reader.scan();
  return { files: reader.files, definitions: definitionsOf(reader.files) };
}

/** The definitions of files, in their order. */
export function definitionsOf(files: readonly ModelFile[]): ObjectDefinition[] {
  return files.flatMap(({ objects }) => objects);
}

/** Reads a folder again and again, and only the files that changed. */
export class FolderReader {
  readonly #dir: string;
  #known = new Map<string, { readonly stamp: string; readonly file: ModelFile }>();
  #stopped = false;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** By name, as of the last scan. */
  get files(): readonly ModelFile[] {
    return [...this.#known.values()].map(({ file }) => file);
  }

  /** Ends a scan that runs; it changes nothing any more. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Returns what is new: the files read in this scan, and whether any is gone. Not to be called while a scan runs. Rejects with the
   * system's error when the folder cannot be read; what was known stays.
   */
  async scan(): Promise<{ readonly read: readonly ModelFile[]; readonly removed: boolean }> {
    const entries = await readdir(this.#dir, { withFileTypes: true });
    const names = entries.filter((entry) => !entry.isDirectory() && isModelFile(entry.name)).map(({ name }) => name);
    names.sort();
    const known = new Map<string, { readonly stamp: string; readonly file: ModelFile }>();
    const read: ModelFile[] = [];
    for (const [index, name] of names.entries()) {
      const before = this.#known.get(name);
      const stamp = index < MAX_MODEL_FILES ? await stampOf(path.join(this.#dir, name)) : 'too many';
      // Gone since the folder was listed, or no file.
      if (stamp === undefined) continue;
      const file = before?.stamp === stamp ? before.file : await this.#read(name, index);
      if (this.#stopped) return { read: [], removed: false };
      known.set(name, { stamp, file });
      if (file !== before?.file) read.push(file);
    }
    const removed = [...this.#known.keys()].some((name) => !known.has(name));
    this.#known = known;
    return { read, removed };
  }

  /** The folder cannot be read: it is gone, and all files with it. */
  forget(): { readonly read: readonly ModelFile[]; readonly removed: boolean } {
    const removed = this.#known.size > 0;
    this.#known = new Map();
    return { read: [], removed };
  }

  async #read(name: string, index: number): Promise<ModelFile> {
    if (index < MAX_MODEL_FILES) return readModelFile(this.#dir, name);
    const reason = `the folder has more than ${MAX_MODEL_FILES} files; this one, and those after it in the alphabet, are not read`;
    return Promise.resolve({ file: name, objects: [], error: { line: 1, reason } });
  }
}

export function isModelFile(name: string): boolean {
  return name.toLowerCase().endsWith('.xml') && !name.startsWith('.');
}

/** Changes whenever the file does; undefined where there is no file. */
async function stampOf(file: string): Promise<string | undefined> {
  try {
    const facts = await stat(file);
    return facts.isFile() ? `${facts.ino} ${facts.size} ${facts.mtimeMs} ${facts.ctimeMs}` : undefined;
  } catch {
    return undefined;
  }
}

async function readModelFile(dir: string, file: string): Promise<ModelFile> {
  try {
    return { file, objects: await parseInTurns(await readBounded(path.join(dir, file))) };
  } catch (error) {
    return { file, objects: [], error: modelError(error) };
  }
}

/** Why a file cannot be used. */
export function modelError(error: unknown): ModelFileError {
  if (error instanceof DdfError) return { line: error.line, reason: error.reason };
  return { line: 1, reason: `the file cannot be read: ${error instanceof Error ? error.message : String(error)}` };
}

/** Never more than the limit, whatever the file grew to meanwhile. */
async function readBounded(file: string): Promise<Uint8Array> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size > MAX_DDF_SIZE) throw new DdfError(1, tooLarge(size));
    const buffer = Buffer.alloc(size + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) return buffer.subarray(0, length);
    }
  } finally {
    await handle.close();
  }
}

/** Like `parseDdf`, letting others run in between. Rejects with `DdfError`. */
export async function parseInTurns(bytes: Uint8Array): Promise<ObjectDefinition[]> {
  const text = decodeXml(bytes);
  const parser = new DdfParser();
  let since = performance.now();
  for (let at = 0; at < text.length; at += PIECE) {
    parser.write(text.slice(at, at + PIECE));
    if (performance.now() - since < TURN) continue;
    await turn();
    since = performance.now();
  }
  return parser.end();
}
