/**
 * LevelDB's sorted tables (its doc/table_format.md), as far as their checksums. The files end in a footer that points at an index
 * block and a meta index block, which point at all others; behind each block stand its compression (1 byte) and CRC-32C (4).
 */
import type { FileHandle } from 'node:fs/promises';
import { crc32c, unmask } from './crc32c';
import { readFully } from './level-log';
import { nextTurn } from './slices';
import { uncompress } from './snappy';
import { readVarint } from './varint';

const FOOTER = 48;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');
const TRAILER = 5;
const RAW = 0;
const SNAPPY = 1;
/** No table of ours is nearly as large: LevelDB begins a new one at 2 MiB, and a single value has 16 MiB at most. */
const MAX_BLOCK = 64 * 1024 * 1024;
/** Bytes read at once, whose checksums take about a millisecond. */
const WINDOW = 512 * 1024;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** Are all blocks of a table as they were written. Rejects only with what reading the file does. */
export async function checkTable(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size < FOOTER) return false;
  const footer = Buffer.allocUnsafe(FOOTER);
  if ((await readFully(file, footer, size - FOOTER)) < FOOTER || !footer.subarray(FOOTER - MAGIC.length).equals(MAGIC)) return false;
  try {
    const meta = readHandle(footer, 0);
    const index = readHandle(footer, meta.next);
    const handles = [...(await handlesIn(file, meta)), ...(await handlesIn(file, index))];
    await checkBlocks(file, handles);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** The blocks an index block points at. */
async function handlesIn(file: FileHandle, index: Handle): Promise<Handle[]> {
  const block = await readBlock(file, index);
  const last = block.length - 1;
  const content = block[last] === SNAPPY ? uncompress(block.subarray(0, last)) : block.subarray(0, last);
  if (content.length < 4) throw new RangeError('an index without an end');
  const end = content.length - 4 - 4 * content.readUInt32LE(content.length - 4);
  if (end < 0) throw new RangeError('an index with too many restarts');
  const handles: Handle[] = [];
  // Each entry: bytes shared with the key before, bytes of its own, bytes of the value, key, value.
  for (let at = 0; at < end;) {
    const shared = readVarint(content, at);
    const own = readVarint(content, shared.next);
    const value = readVarint(content, own.next);
    const start = value.next + own.value;
    handles.push(readHandle(content.subarray(0, end), start));
    at = start + value.value;
  }
  return handles;
}

/** The blocks lie one behind the other, so many are read at once. Throws as `readBlock` does. */
async function checkBlocks(file: FileHandle, handles: readonly Handle[]): Promise<void> {
  const window = Buffer.allocUnsafe(WINDOW);
  let start = 0;
  let length = 0;
  for (const handle of handles) {
    if (handle.size + TRAILER > WINDOW) {
      await readBlock(file, handle);
      continue;
    }
    if (handle.offset < start || handle.offset + handle.size + TRAILER > start + length) {
      start = handle.offset;
      length = await readFully(file, window, start);
      await nextTurn();
    }
    const at = handle.offset - start;
    checkBlock(window.subarray(at, Math.min(at + handle.size + TRAILER, length)), handle.size);
  }
}

/** A block and its compression byte. Throws RangeError when it is not as it was written. */
async function readBlock(file: FileHandle, { offset, size }: Handle): Promise<Buffer> {
  if (size > MAX_BLOCK) throw new RangeError('a block too large');
  const block = Buffer.allocUnsafe(size + TRAILER);
  checkBlock(block.subarray(0, await readFully(file, block, offset)), size);
  return block.subarray(0, size + 1);
}

function checkBlock(block: Buffer, size: number): void {
  if (block.length < size + TRAILER) throw new RangeError('a block behind the end');
  if (crc32c(block, 0, size + 1) !== unmask(block.readUInt32LE(size + 1))) throw new RangeError('a wrong checksum');
  if (block[size] !== RAW && block[size] !== SNAPPY) throw new RangeError('an unknown compression');
}

function readHandle(bytes: Buffer, at: number): Handle & { readonly next: number } {
  const offset = readVarint(bytes, at);
  const size = readVarint(bytes, offset.next);
  return { offset: offset.value, size: size.value, next: size.next };
}
