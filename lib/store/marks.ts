import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';

/** Small files that are written synchronously and whole. */
export interface Marks {
  mark(name: string, bytes: Uint8Array | undefined): boolean;
  readMark(name: string): Buffer | undefined;
}

const NAME = /^[a-z0-9-]{1,64}$/;
const CHECK_BYTES = 4;

export function createMemoryMarks(): Marks {
  const marks = new Map<string, Buffer>();
  return {
    mark: (name, bytes) => {
      if (!NAME.test(name)) return false;
      if (bytes === undefined) marks.delete(name);
      else marks.set(name, Buffer.from(bytes));
      return true;
    },
    readMark: (name) => {
      const bytes = marks.get(name);
      return bytes && Buffer.from(bytes);
    },
  };
}

/**
 * Marks as files `mark-<name>` in a folder: a CRC-32, then the bytes. A name that was not replaced completely keeps what it had.
 * Nothing here throws: it runs where a process ends.
 */
export function createFileMarks(folder: string): Marks {
  const fileOf = (name: string): string => path.join(folder, `mark-${name}`);
  return {
    mark: (name, bytes) => {
      if (!NAME.test(name)) return false;
      const file = fileOf(name);
      try {
        if (bytes === undefined) rmSync(file, { force: true });
        else {
          mkdirSync(folder, { recursive: true });
          writeWhole(`${file}.new`, withCheck(bytes));
          renameSync(`${file}.new`, file);
        }
        syncFolder(folder);
        return true;
      } catch {
        return false;
      }
    },
    readMark: (name) => {
      if (!NAME.test(name)) return undefined;
      try {
        const content = readFileSync(fileOf(name));
        const bytes = content.subarray(CHECK_BYTES);
        return content.length >= CHECK_BYTES && content.readUInt32BE(0) === crc32(bytes) ? bytes : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

function withCheck(bytes: Uint8Array): Buffer {
  const content = Buffer.alloc(CHECK_BYTES + bytes.length);
  content.writeUInt32BE(crc32(bytes), 0);
  content.set(bytes, CHECK_BYTES);
  return content;
}

function writeWhole(file: string, content: Buffer): void {
  const handle = openSync(file, 'w', 0o600);
  try {
    let written = 0;
    while (written < content.length) written += writeSync(handle, content, written);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Makes a rename or a removal survive a power cut. Windows has no such call and no need of it. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
