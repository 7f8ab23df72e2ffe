import { realpathSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { toStoreError } from './errors';
import { isLocked, openLevel } from './level';
import type { Level, LevelClass } from './level';
import { StoreError } from './types';

/** Folders that this process has locked: LevelDB's own lock tells processes apart. */
const held = new Set<string>();
const RETRY_MS = 50;

/** The folder is in use by another server, of this process or another. */
export class FolderLocked extends Error {}

/** Gives the folder back. Never rejects. */
export type Release = () => Promise<void>;

/**
 * Takes a folder for this process alone, before anything in it is looked at or moved. An empty LevelDB in `lock/` does it, because
 * Node.js has no lock of files, and because the system frees LevelDB's when the process ends in whatever way.
 * Waits `wait` ms for a process that is just ending. Rejects with `FolderLocked` or `StoreError`.
 */
export async function lockFolder(levelClass: LevelClass, folder: string, wait: number): Promise<Release> {
  const until = performance.now() + wait;
  const place = path.join(folder, 'lock');
  for (;;) {
    try {
      return await take(levelClass, place);
    } catch (error) {
      if (!(error instanceof FolderLocked) || performance.now() >= until) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function take(levelClass: LevelClass, place: string): Promise<Release> {
  let name: string | undefined;
  try {
    await mkdir(place, { recursive: true });
    name = realpathSync(place);
    if (held.has(name)) throw new FolderLocked();
    held.add(name);
    const level = await openLock(levelClass, place);
    const taken = name;
    return async () => {
      await level.close().catch(() => undefined);
      held.delete(taken);
    };
  } catch (error) {
    if (error instanceof FolderLocked) throw error;
    if (name !== undefined) held.delete(name);
    if (error instanceof StoreError && isLocked(error)) throw new FolderLocked();
    throw toStoreError(error);
  }
}

/** There is nothing in it, so one that does not open is made anew; but for the file that is locked, which somebody may take meanwhile. */
async function openLock(levelClass: LevelClass, place: string): Promise<Level> {
  try {
    return await openLevel(levelClass, place);
  } catch (error) {
    if (error instanceof StoreError && isLocked(error)) throw error;
    for (const name of await readdir(place)) {
      if (name !== 'LOCK') await rm(path.join(place, name), { recursive: true, force: true });
    }
    return openLevel(levelClass, place);
  }
}
