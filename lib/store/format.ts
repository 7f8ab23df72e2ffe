import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** The layout of the folder and of the records in it. A store with a larger number is a newer version's. */
export const STORE_FORMAT = 1;

const FILE = 'format.json';
/** What belongs to a store; everything else in the folder stays. */
const PARTS = /^(?:data|mark-[a-z0-9-]+)$/;

/** The number in the folder; undefined when there is none, or the file is damaged. */
export async function readFormat(folder: string): Promise<number | undefined> {
  try {
    const content: unknown = JSON.parse(await readFile(path.join(folder, FILE), 'utf8'));
    if (typeof content !== 'object' || content === null) return undefined;
    const { format, again } = content as Record<string, unknown>;
    // Written twice: one wrong bit must not make a store look newer.
    return Number.isSafeInteger(format) && again === String(format) ? (format as number) : undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || code === 'ENOENT' || code === 'EIO') return undefined;
    throw error;
  }
}

export async function writeFormat(folder: string): Promise<void> {
  const file = path.join(folder, FILE);
  await writeFile(`${file}.new`, `${JSON.stringify({ format: STORE_FORMAT, again: String(STORE_FORMAT) })}\n`, { flush: true });
  await rename(`${file}.new`, file);
}

/** Moves a whole store into a folder beside, as it is; the format goes last, so that an interrupted move is gone on with. Gives the folder. */
export async function setStoreAside(folder: string, now: number): Promise<string> {
  const aside = await freshName(folder, 'newer', now);
  await mkdir(aside);
  for (const name of await readdir(folder)) if (PARTS.test(name)) await rename(path.join(folder, name), path.join(aside, name));
  await rename(path.join(folder, FILE), path.join(aside, FILE));
  return aside;
}

/** A name with the time that is not taken: `newer-2026-11-22T18-45-05Z`. */
export async function freshName(folder: string, kind: string, now: number): Promise<string> {
  const time = new Date(now).toISOString().slice(0, 19).replaceAll(':', '-');
  const taken = new Set(await readdir(folder));
  for (let count = 1; ; count += 1) {
    const name = `${kind}-${time}Z${count > 1 ? `-${count}` : ''}`;
    if (!taken.has(name)) return path.join(folder, name);
  }
}
