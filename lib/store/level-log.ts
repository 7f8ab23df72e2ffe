/**
 * LevelDB's log format (its doc/log_format.md), as far as its checksums: blocks of 32 KiB with records of CRC-32C (4 bytes, masked),
 * length (2), type (1), data. The log of changes and the MANIFEST, the table of contents, are both written so.
 */
import type { FileHandle } from 'node:fs/promises';
import { crc32c, unmask } from './crc32c';
import { nextTurn } from './slices';

export const LOG_BLOCK = 32 * 1024;
const HEADER = 7;
const FULL = 1;
const LAST = 4;
/** Blocks read at once: 256 KiB, whose checksums take about a millisecond. */
const BLOCKS_AT_ONCE = 8;

export interface LogCheck {
  /** Was there anything that cannot be the torn end of an interrupted write. */
  readonly damaged: boolean;
  /** Bytes up to the end of the last whole record before any damage. */
  readonly good: number;
}

/** Reads a log through. `onRecord`, if given, gets each whole record; meant for the MANIFEST, which is small. */
export async function checkLog(file: FileHandle, onRecord?: (record: Buffer) => void): Promise<LogCheck> {
  const buffer = Buffer.allocUnsafe(LOG_BLOCK * BLOCKS_AT_ONCE);
  const parts: Buffer[] = [];
  let good = 0;
  for (let at = 0; ; at += buffer.length) {
    const length = await readFully(file, buffer, at);
    for (let start = 0; start < length; start += LOG_BLOCK) {
      const block = buffer.subarray(start, Math.min(start + LOG_BLOCK, length));
      let offset = 0;
      while (offset + HEADER <= block.length) {
        const size = block.readUInt16LE(offset + 4);
        const type = block[offset + 6]!;
        const end = offset + HEADER + size;
        // What the system had reserved and not written when the power went.
        if (type === 0 && size === 0 && block.readUInt32LE(offset) === 0) break;
        if (end > block.length && block.length < LOG_BLOCK) return { damaged: false, good };
        const whole = type >= FULL && type <= LAST && end <= block.length;
        if (!whole || crc32c(block, offset + 6, end) !== unmask(block.readUInt32LE(offset))) return { damaged: true, good };
        if (onRecord) parts.push(Buffer.from(block.subarray(offset + HEADER, end)));
        if (type === FULL || type === LAST) {
          good = at + start + end;
          onRecord?.(Buffer.concat(parts.splice(0)));
        }
        offset = end;
      }
    }
    if (length < buffer.length) return { damaged: false, good };
    await nextTurn();
  }
}

/** Fills the buffer from a place in the file; fewer bytes only at the end of the file. */
export async function readFully(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}
