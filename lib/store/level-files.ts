/**
 * Are the files of a LevelDB database as they were written? LevelDB itself trusts its tables and skips what it cannot read of a log
 * without a word, and on damaged tables its repair ends the process; so we look before it does.
 */
import type { FileHandle } from 'node:fs/promises';
import { open, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkLog } from './level-log';
import type { LogCheck } from './level-log';
import { checkTable } from './level-table';
import { readVarint } from './varint';

export interface FilesCheck {
  /** One sentence a problem, for people; empty = all right, or no database at all. */
  readonly problems: readonly string[];
  /** Tables in use whose checksums are right. */
  readonly tables: readonly string[];
  /** Logs in use, and how many of their bytes are right. */
  readonly logs: readonly { readonly name: string; readonly good: number }[];
}

const TABLE = /^(\d+)\.(?:ldb|sst)$/;
const LOG = /^(\d+)\.log$/;
const CURRENT = /^(MANIFEST-\d{6,})\n$/;

/** Reads every file of a database through. Rejects only when the folder cannot be listed. */
export async function checkFiles(folder: string): Promise<FilesCheck> {
  const names = await readdir(folder);
  const problems: string[] = [];
  const tables: string[] = [];
  const logs: { name: string; good: number }[] = [];
  const contents = names.length > 0 ? await readContents(folder, names, problems) : undefined;
  for (const name of names) {
    const table = TABLE.exec(name);
    const log = LOG.exec(name);
    // What nobody refers to is left from an interrupted sorting, and LevelDB will remove it.
    if (table && contents?.tables.has(Number(table[1])) !== false) {
      if (await withFile(folder, name, checkTable, false)) tables.push(name);
      else problems.push(`The table ${name} is damaged.`);
    } else if (log && Number(log[1]) >= (contents?.firstLog ?? 0)) {
      const check = await withFile<LogCheck>(folder, name, (file) => checkLog(file), { damaged: true, good: 0 });
      logs.push({ name, good: check.good });
      if (check.damaged) problems.push(`The log ${name} is damaged.`);
    }
  }
  return { problems, tables, logs };
}

/** What the MANIFEST says is there. Undefined when it cannot tell, and then there is a problem. */
async function readContents(
  folder: string,
  names: readonly string[],
  problems: string[],
): Promise<{ readonly tables: ReadonlySet<number>; readonly firstLog: number } | undefined> {
  const current = names.includes('CURRENT') ? CURRENT.exec(await readFile(path.join(folder, 'CURRENT'), 'latin1').catch(() => '')) : null;
  if (!current) {
    // Killed while it was being made, before it held anything.
    if (!names.some((name) => name === 'CURRENT' || TABLE.test(name) || LOG.test(name))) return undefined;
    problems.push('The file CURRENT is missing or damaged.');
    return undefined;
  }
  const tables = new Set<number>();
  let firstLog = 0;
  const fault = await withFile<boolean>(
    folder,
    current[1]!,
    async (file) => {
      // What is no edit throws, and counts as damage.
      const check = await checkLog(file, (record) => (firstLog = readEdit(record, tables) ?? firstLog));
      return check.damaged || check.good === 0;
    },
    true,
  );
  if (fault) {
    problems.push(`The table of contents ${current[1]!} is missing or damaged.`);
    return undefined;
  }
  const numbers = new Set(
    names
      .map((name) => TABLE.exec(name)?.[1])
      .filter((number) => number !== undefined)
      .map(Number),
  );
  for (const number of tables) if (!numbers.has(number)) problems.push(`The table ${number} is missing.`);
  // A repaired database has none until it is opened, and says 0.
  if (firstLog > 0 && !names.some((name) => Number(LOG.exec(name)?.[1]) >= firstLog))
    problems.push('The log of the last changes is missing.');
  return { tables, firstLog };
}

/** Applies one record of the MANIFEST (LevelDB's VersionEdit) to the set of tables; gives the number of the first log, if told. */
function readEdit(record: Buffer, tables: Set<number>): number | undefined {
  let at = 0;
  let firstLog: number | undefined;
  const number = (): number => {
    const { value, next } = readVarint(record, at);
    at = next;
    return value;
  };
  const skipBytes = (): void => {
    const length = number();
    at += length;
  };
  while (at < record.length) {
    const tag = number();
    switch (tag) {
      case 1: // comparator
        skipBytes();
        break;
      case 2:
        firstLog = number();
        break;
      case 3: // next file
      case 4: // last sequence number
      case 9: // log before the first
        number();
        break;
      case 5: // where sorting goes on: level, key
        number();
        skipBytes();
        break;
      case 6: // level, table that is gone
        number();
        tables.delete(number());
        break;
      case 7: // level, new table, size, smallest key, largest key
        number();
        tables.add(number());
        number();
        skipBytes();
        skipBytes();
        break;
      default:
        throw new RangeError('an unknown field');
    }
  }
  return firstLog;
}

/** Opens a file for the check; what cannot be read counts as `otherwise`. */
async function withFile<T>(folder: string, name: string, check: (file: FileHandle) => Promise<T>, otherwise: T): Promise<T> {
  let file: FileHandle | undefined;
  try {
    file = await open(path.join(folder, name), 'r');
    return await check(file);
  } catch {
    return otherwise;
  } finally {
    await file?.close().catch(() => undefined);
  }
}
