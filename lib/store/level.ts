/** The embedded database LevelDB, as the npm package `classic-level` brings it: how it is loaded, opened, and what its errors mean. */
import type { ClassicLevel } from 'classic-level';
import { codeOf, toStoreError } from './errors';
import type { StoreError } from './types';

export type Level = ClassicLevel<Buffer, Buffer>;
export type LevelClass = typeof ClassicLevel;

/** Memory for what was written last and not yet sorted, bytes. */
const WRITE_BUFFER = 8 * 1024 * 1024;

/** The package, or undefined where it is not installed or has no binary for this platform. */
export function loadLevel(): LevelClass | undefined {
  try {
    // Not an import: the package is optional, and what fails here must not keep the server from starting.
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    return (require('classic-level') as { ClassicLevel: LevelClass }).ClassicLevel;
  } catch {
    return undefined;
  }
}

/** Opens or creates a database in a folder. Rejects with `StoreError`; `LOCKED` is told by `isLocked`. */
export async function openLevel(levelClass: LevelClass, folder: string): Promise<Level> {
  const level = new levelClass<Buffer, Buffer>(folder, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    writeBufferSize: WRITE_BUFFER,
  });
  try {
    await level.open();
    return level;
  } catch (error) {
    await level.close().catch(() => undefined);
    throw toStoreError(error);
  }
}

/** Rebuilds the table of contents from the files that are there. Only for files whose checksums are right: on others it ends the process. */
export async function repairLevel(levelClass: LevelClass, folder: string): Promise<void> {
  try {
    await levelClass.repair(folder);
  } catch (error) {
    throw toStoreError(error);
  }
}

/** Was the database not opened because somebody else has it open. */
export function isLocked(error: StoreError): boolean {
  return codeOf(error.cause) === 'LEVEL_LOCKED';
}
