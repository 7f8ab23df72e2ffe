import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { DiskStore } from './disk-store';
import { toStoreError } from './errors';
import { readFormat, setStoreAside, STORE_FORMAT, writeFormat } from './format';
import { loadLevel, openLevel } from './level';
import type { Level, LevelClass } from './level';
import { checkFiles } from './level-files';
import { FolderLocked, lockFolder } from './lock';
import { createFileMarks } from './marks';
import { MemoryStore } from './memory-store';
import { salvage } from './salvage';
import type { Store, StoreErrorCode, StoreNotice, StoreNoticeCode } from './types';
import { StoreError } from './types';

export interface OpenStoreOptions {
  /** The folder of this store alone; made when it is not there. Without it the store is in memory, and that is no notice. */
  readonly directory?: string | undefined;
  /** Does a change wait until the disk has it, so that it survives a power cut: true (default). Else it survives the end of the process. */
  readonly sync?: boolean;
  /** Milliseconds to wait for another process that still uses the folder: 2000. */
  readonly lockWait?: number;
  /** Milliseconds since 1970, for the names of what is set aside. */
  readonly wall?: () => number;
}

export interface OpenedStore {
  readonly store: Store;
  /** What the user should know; empty when all is well. */
  readonly notices: readonly StoreNotice[];
}

const DEFAULT_LOCK_WAIT = 2_000;
const MEMORY = 'Registrations and values are kept in memory only, and are lost when Node-RED ends.';

/**
 * Opens the store of a folder. Never rejects: what cannot be opened is set aside or left alone, another store takes its place, and
 * a notice says so.
 */
export async function openStore(options: OpenStoreOptions = {}): Promise<OpenedStore> {
  const { directory } = options;
  if (directory === undefined) return { store: new MemoryStore(), notices: [] };
  const levelClass = loadLevel();
  if (!levelClass) {
    const problem = `The embedded database cannot be loaded on ${process.platform}-${process.arch}.`;
    return inMemory('NOT_LOADABLE', `${problem} ${MEMORY} Install the optional npm package classic-level to change that.`, directory);
  }
  const notices: StoreNotice[] = [];
  try {
    return { store: await openDisk(levelClass, directory, options, notices), notices };
  } catch (error) {
    const { code, text } = reasonOf(error, directory);
    const memory = inMemory(code, `${text} ${MEMORY}`, directory);
    return { store: memory.store, notices: [...notices, ...memory.notices] };
  }
}

async function openDisk(levelClass: LevelClass, folder: string, options: OpenStoreOptions, notices: StoreNotice[]): Promise<Store> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const release = await lockFolder(levelClass, folder, options.lockWait ?? DEFAULT_LOCK_WAIT);
  const wall = options.wall ?? Date.now;
  try {
    const format = await readFormat(folder);
    if (format !== undefined && format > STORE_FORMAT) notices.push(newer(await setStoreAside(folder, wall())));
    if (format !== STORE_FORMAT) await writeFormat(folder);
    const level = await openData(levelClass, folder, wall, notices);
    const data = path.join(folder, 'data');
    return new DiskStore({
      level,
      reopen: () => openLevel(levelClass, data),
      release,
      marks: createFileMarks(folder),
      sync: options.sync ?? true,
    });
  } catch (error) {
    await release();
    throw error;
  }
}

/** Opens the database when its files are as they were written; else saves what can be read of it. */
async function openData(levelClass: LevelClass, folder: string, wall: () => number, notices: StoreNotice[]): Promise<Level> {
  const data = path.join(folder, 'data');
  const { problems } = await checkFiles(data).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { problems: [] };
    throw error;
  });
  let problem = problems.join(' ');
  if (problems.length === 0) {
    try {
      return await openLevel(levelClass, data);
    } catch (error) {
      const storeError = toStoreError(error);
      if (storeError.code !== 'DAMAGED') throw storeError;
      problem = storeError.message;
    }
  }
  const { level, aside, kept } = await salvage(levelClass, folder, wall());
  notices.push(damaged(problem, aside, kept));
  return level;
}

function damaged(problem: string, aside: string, kept: number): StoreNotice {
  const what =
    kept === 0 ? 'Nothing could be saved, the store begins empty' : `${kept} entries could be saved, some of them in an older state`;
  const text =
    `The store was damaged. ${problem} ${what}; devices that are missing register again by themselves. ` +
    `The damaged files are in ${aside}; delete them when nobody wants to look into them.`;
  return { code: 'DAMAGED', text, path: aside, kept };
}

function newer(aside: string): StoreNotice {
  const text =
    'The store was written by a newer version of this package, which this one cannot read. It was moved as it is to ' +
    `${aside}, and an empty store takes its place; devices register again by themselves. To get it back, stop Node-RED, install the ` +
    'newer version, and move the content of that folder back.';
  return { code: 'NEWER_FORMAT', text, path: aside };
}

function reasonOf(error: unknown, folder: string): { readonly code: StoreNoticeCode; readonly text: string } {
  if (error instanceof FolderLocked) return { code: 'LOCKED', text: `The folder ${folder} is in use by another server or process.` };
  const { code, message } = error instanceof StoreError ? error : toStoreError(error);
  return { code: NOTICES[code] ?? 'UNUSABLE', text: `The folder ${folder} cannot be used for the store. ${message}.` };
}

const NOTICES: Readonly<Partial<Record<StoreErrorCode, StoreNoticeCode>>> = { READ_ONLY: 'READ_ONLY', DISK_FULL: 'DISK_FULL' };

function inMemory(code: StoreNoticeCode, text: string, folder: string): OpenedStore {
  return { store: new MemoryStore(), notices: [{ code, text, path: folder }] };
}
