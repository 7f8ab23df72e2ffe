import { copyFile, link, mkdir, open, rename, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { toStoreError } from './errors';
import { freshName } from './format';
import { openLevel, repairLevel } from './level';
import type { Level, LevelClass } from './level';
import { checkFiles } from './level-files';
import type { FilesCheck } from './level-files';
import { ENTRY_SPACE, expiryOfRecord, isRecord, keyOfRecord, TIME_SPACE, timeKey } from './records';

export interface Salvaged {
  readonly level: Level;
  /** Where the damaged database went. */
  readonly aside: string;
  /** Entries that could be read. */
  readonly kept: number;
}

/** Entries looked at between two writes. */
const GROUP = 500;
const READ_AHEAD = 128 * 1024;

/**
 * Moves a damaged database aside, untouched, and makes a new one of those of its files whose checksums are right; where even that
 * fails, an empty one. Rejects with `StoreError` when the disk does not let it, and leaves everything as it was.
 */
export async function salvage(levelClass: LevelClass, folder: string, now: number): Promise<Salvaged> {
  const data = path.join(folder, 'data');
  try {
    const check = await checkFiles(data);
    const aside = await freshName(folder, 'damaged', now);
    await rename(data, aside);
    try {
      const saved = await makeNew(levelClass, check, aside, data);
      return { ...saved, aside };
    } catch (error) {
      // Nothing can be written now: the next start shall find it as it was.
      await rm(data, { recursive: true, force: true });
      await rename(aside, data);
      throw error;
    }
  } catch (error) {
    throw toStoreError(error);
  }
}

async function makeNew(levelClass: LevelClass, check: FilesCheck, aside: string, data: string): Promise<Omit<Salvaged, 'aside'>> {
  let level: Level | undefined;
  try {
    await mkdir(data);
    await takeOver(check, aside, data);
    await repairLevel(levelClass, data);
    level = await openLevel(levelClass, data);
    return { level, kept: await rebuildTimes(level) };
  } catch (error) {
    await level?.close().catch(() => undefined);
    const { code } = toStoreError(error);
    if (code === 'DISK_FULL' || code === 'READ_ONLY') throw error;
    await rm(data, { recursive: true, force: true });
    return { level: await openLevel(levelClass, data), kept: 0 };
  }
}

/** Links whole tables, which nobody ever changes, and copies logs as far as they are right. */
async function takeOver(check: FilesCheck, from: string, to: string): Promise<void> {
  for (const name of check.tables) {
    const [source, target] = [path.join(from, name), path.join(to, name)];
    await link(source, target).catch(() => copyFile(source, target));
  }
  for (const { name, good } of check.logs) {
    if (good === 0) continue;
    await copyFile(path.join(from, name), path.join(to, name));
    await truncate(path.join(to, name), good);
  }
  const folder = await open(to, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/** After a repair older states of some entries may be back, and their times not: writes all times anew, and drops what is no record. */
async function rebuildTimes(level: Level): Promise<number> {
  await level.clear({ gte: TIME_SPACE.from, lt: TIME_SPACE.to });
  const iterator = level.iterator({ gte: ENTRY_SPACE.from, lt: ENTRY_SPACE.to, fillCache: false, highWaterMarkBytes: READ_AHEAD });
  let kept = 0;
  try {
    for (;;) {
      const records = await iterator.nextv(GROUP);
      if (records.length === 0) break;
      const batch = level.batch();
      for (const [key, record] of records) {
        if (!isRecord(record)) batch.del(key);
        else kept += 1;
        const expiresAt = isRecord(record) ? expiryOfRecord(record) : undefined;
        if (expiresAt !== undefined) batch.put(timeKey(expiresAt, keyOfRecord(key)), Buffer.alloc(0));
      }
      await batch.write();
    }
  } finally {
    await iterator.close();
  }
  return kept;
}
