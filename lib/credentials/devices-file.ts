import { readFileSync, statSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { checkDevices, DeviceTableError, isRecord } from './entries';
import type { CheckedDevice } from './types';

/** Bytes of the largest file that is read: some hundred times what a gateway should need. */
const MAX_FILE = 64 * 1024 * 1024;

/**
 * Reads a JSON file: an array of entries, `{ "devices": [...] }`, or entries of the IoT Hub's form, one alone too. Throws
 * `DeviceTableError`, which names the file and what is wrong, and no key.
 */
export function readDevicesFile(file: string): CheckedDevice[] {
  return parseDevices(file, readText(file));
}

function readText(file: string): string {
  try {
    if (statSync(file).size > MAX_FILE) throw new Error('it is too large');
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** The devices in the text of a file. Throws as `readDevicesFile` does. */
export function parseDevices(file: string, text: string): CheckedDevice[] {
  let content: unknown;
  try {
    // Some editors begin a file with a byte order mark.
    content = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (error) {
    throw unreadable(file, new Error(jsonProblem(text, error as Error)));
  }
  const list = listOf(content);
  if (!list) throw new DeviceTableError(`The devices file "${file}" must hold an array of devices, or { "devices": [ ... ] }.`);
  try {
    return checkDevices(list);
  } catch (error) {
    if (!(error instanceof DeviceTableError)) throw error;
    throw new DeviceTableError(`The devices file "${file}" is wrong. ${error.message}`);
  }
}

function listOf(content: unknown): readonly unknown[] | undefined {
  if (Array.isArray(content)) return content as unknown[];
  if (!isRecord(content)) return undefined;
  const { devices } = content;
  if (Array.isArray(devices)) return devices as unknown[];
  return isRecord(content['client']) || typeof content['credentialsValue'] === 'string' ? [content] : undefined;
}

function unreadable(file: string, error: unknown): DeviceTableError {
  return new DeviceTableError(`The devices file "${file}" cannot be read: ${(error as Error).message}`);
}

const TOKEN = /[\s,:{}[\]]+|"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null/y;

/** Where JSON ends to be JSON. The engine's own words may quote what stands there, which may be a key, and do not always say where. */
function jsonProblem(text: string, { message }: Error): string {
  const at = /position (\d+)/.exec(message)?.[1];
  const place = at === undefined ? firstStrange(text) : Number(at);
  if (place >= text.length) return 'it is no JSON: it ends too early';
  const before = text.slice(0, place).split('\n');
  return `it is no JSON in line ${before.length}, at character ${(before.at(-1)?.length ?? 0) + 1}`;
}

function firstStrange(text: string): number {
  TOKEN.lastIndex = 0;
  let place = 0;
  while (TOKEN.test(text)) place = TOKEN.lastIndex;
  return place;
}

export interface DevicesFileOptions {
  readonly file: string;
  readonly onChange: (devices: readonly CheckedDevice[]) => void;
  /** Hears once of each problem, in plain words; the devices stay as they were. */
  readonly onProblem: (text: string) => void;
  /** How long the file has to be quiet before it is read again, ms. Default 300. */
  readonly quiet?: number;
  /** The file is looked at this often as well, ms: network drives and some containers report nothing. Default 10000. */
  readonly rescan?: number;
  /** Default `fs.watch`. */
  readonly watch?: typeof watch;
}

/**
 * A devices file that is read again when it changes. One that is broken or gone changes nothing: what it held last counts
 * until it is right again.
 */
export class DevicesFile {
  devices: readonly CheckedDevice[];
  readonly #options: DevicesFileOptions;
  #text: string;
  /** Size and times of the file when it was read last. */
  #seen = '';
  #problem = '';
  /** A text that could not be used: half of it may still have been to come. */
  #doubtful: string | undefined;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  #warned = false;

  /** Reads the file. Throws `DeviceTableError`: there is nothing before it that could count. */
  constructor(options: DevicesFileOptions) {
    this.#options = options;
    this.#text = readText(options.file);
    this.devices = parseDevices(options.file, this.#text);
  }

  /** Watches from now on, until `close`; may be called again after it. */
  start(): void {
    this.#closed = false;
    const { file, watch: watchFolder = watch } = this.#options;
    try {
      // The folder: many programs write another file and give it the name.
      const watcher = watchFolder(path.dirname(path.resolve(file)), { persistent: false }, () => this.#arm(this.#options.quiet ?? 300));
      watcher.on('error', () => watcher.close());
      this.#watcher = watcher;
    } catch {
      // Not every system and every drive can; then looking from time to time has to do.
    }
    this.#arm(0);
  }

  /** Looks at the file now, and resolves when what it holds counts. Never rejects. */
  refresh(): Promise<void> {
    this.#running ??= this.#look().finally(() => (this.#running = undefined));
    return this.#running;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
  }

  #arm(delay: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), delay);
    this.#timer.unref();
  }

  /** A call, since the compiler takes a field for unchanged across an await. */
  #isClosed(): boolean {
    return this.#closed;
  }

  async #look(): Promise<void> {
    const { file, quiet = 300, rescan = 10_000 } = this.#options;
    try {
      const { size, mtimeMs, ino, mode } = await stat(file);
      const seen = `${size} ${mtimeMs} ${ino} ${mode}`;
      if (seen === this.#seen && this.#doubtful === undefined) return;
      if (size > MAX_FILE) throw new Error('it is too large');
      const text = await readFile(file, 'utf8');
      if (this.#isClosed()) return;
      this.#take(text);
      this.#seen = seen;
      this.#warnOf(mode);
    } catch (error) {
      if (!this.#isClosed()) this.#tell(unreadable(file, error).message);
    } finally {
      this.#arm(this.#doubtful === undefined ? rescan : quiet);
    }
  }

  #take(text: string): void {
    const { file, onChange } = this.#options;
    const first = this.#doubtful !== text;
    this.#doubtful = undefined;
    if (text === this.#text) {
      this.#problem = '';
      return;
    }
    let devices: readonly CheckedDevice[];
    try {
      devices = parseDevices(file, text);
    } catch (error) {
      // Looked at once more before anybody hears of it.
      if (first) this.#doubtful = text;
      else this.#tell((error as Error).message);
      return;
    }
    this.#problem = '';
    this.#text = text;
    this.devices = devices;
    onChange(devices);
  }

  /** Keys in a file that others can read. Windows has no such modes. */
  #warnOf(mode: number): void {
    if (this.#warned || (mode & 0o044) === 0 || process.platform === 'win32' || !this.devices.some(({ key }) => key)) return;
    this.#warned = true;
    const { file, onProblem } = this.#options;
    onProblem(`The devices file "${file}" has keys in it, and other users can read it. Change its mode to 0600.`);
  }

  #tell(problem: string): void {
    this.#seen = '';
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onProblem(`${problem} Until it is right again, what it held before counts.`);
  }
}
