import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { toStoreError } from './errors';
import type { StoreNotice } from './types';

export const KEY_BYTES = 32;
const PATTERN = /^lwm2m-seal-1 ([A-Za-z0-9+/]{43}=)\n?$/;
const OWNER_ONLY = 0o600;

export interface KeyFile {
  readonly key: Buffer;
  /** Was there no key before: then nothing that was sealed earlier can be read. */
  readonly origin: 'read' | 'made' | 'made-for-damaged' | 'not-kept';
  /** Where a damaged key file went. */
  readonly aside?: string;
  readonly notices: readonly StoreNotice[];
}

/**
 * Reads the key, or makes one: 32 random bytes, in a file that only its owner may read. A file that is none of ours is set aside.
 * Never rejects: a key that cannot be written lasts as long as the process.
 */
export async function readOrMakeKey(file: string, wall: () => number = Date.now): Promise<KeyFile> {
  try {
    const text = await readFile(file, 'latin1').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return await makeKey(file);
    const key = keyOf(text);
    if (key) return { key, origin: 'read', notices: await checkMode(file) };
    const aside = `${file}.damaged-${new Date(wall()).toISOString().slice(0, 19).replaceAll(':', '-')}Z`;
    await rename(file, aside);
    return { ...(await makeKey(file)), origin: 'made-for-damaged', aside };
  } catch (error) {
    const { message } = toStoreError(error);
    const text =
      `The key file ${file} cannot be used. ${message}. What is sealed from now on is sealed under a key that is lost when ` +
      'Node-RED ends. Make the file readable and its folder writable for the user that Node-RED runs as.';
    return { key: randomBytes(KEY_BYTES), origin: 'not-kept', notices: [{ code: 'KEY_NOT_KEPT', text, path: file }] };
  }
}

function keyOf(text: string): Buffer | undefined {
  const match = PATTERN.exec(text);
  const key = match && Buffer.from(match[1]!, 'base64');
  return key?.length === KEY_BYTES ? key : undefined;
}

/** Whole or not at all, and never over a key that another process has made meanwhile. */
async function makeKey(file: string): Promise<KeyFile> {
  const key = randomBytes(KEY_BYTES);
  await mkdir(path.dirname(file), { recursive: true });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await writeNew(draft, key);
    try {
      await link(draft, file);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // File systems without links, such as those of memory cards.
      if (code !== 'EEXIST') await writeNew(file, key);
      else return await readTheirs(file);
    }
  } finally {
    await rm(draft, { force: true });
  }
  return { key, origin: 'made', notices: await checkMode(file) };
}

async function readTheirs(file: string): Promise<KeyFile> {
  const key = keyOf(await readFile(file, 'latin1'));
  if (!key) throw new Error('another process has written it, and it is no key');
  return { key, origin: 'read', notices: await checkMode(file) };
}

async function writeNew(file: string, key: Buffer): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, OWNER_ONLY);
  try {
    await handle.writeFile(`lwm2m-seal-1 ${key.toString('base64')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Takes from group and others what they must not have; says so, and also when it cannot. Windows has no such modes. */
async function checkMode(file: string): Promise<readonly StoreNotice[]> {
  if (process.platform === 'win32') return [];
  const mode = (await stat(file)).mode & 0o777;
  if ((mode & 0o077) === 0) return [];
  const before = mode.toString(8).padStart(4, '0');
  await chmod(file, OWNER_ONLY).catch(() => undefined);
  const mended = ((await stat(file)).mode & 0o077) === 0;
  const text = mended
    ? `The key file ${file} had mode ${before}; it is 0600 now. If others may have read it, delete it and the store, so that a new key is made.`
    : `The key file ${file} has mode ${before}, so others can read it, and it cannot be changed. Put it where only Node-RED can read it.`;
  return [{ code: 'KEY_MODE', text, path: file }];
}
