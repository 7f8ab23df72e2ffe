/** Changing a folder of definition files. Names of files are made here, from what is in the file, and never taken from outside. */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { ObjectDefinition } from '../model/types';
import { DdfError } from '../model/ddf';
import { MAX_MODEL_FILES, isModelFile, parseInTurns } from './load';
import type { ModelFile } from './types';

/**
 * Keeps a definition file in the folder, which is made where it is missing, as `<object id>-<version>.xml`; it takes the place of the
 * one kept so before. Rejects with `DdfError` when it is none, or describes no object, with RangeError when the folder is full, and
 * with the system's error when it cannot be written.
 */
export async function storeModel(dir: string, bytes: Uint8Array): Promise<ModelFile> {
  const objects = await parseInTurns(bytes);
  const [first] = objects;
  if (!first) throw new DdfError(1, 'the file describes no object, only resources that objects share');
  const file = nameFor(first, objects.length);
  await mkdir(dir, { recursive: true });
  const names = (await readdir(dir)).filter(isModelFile);
  if (names.length >= MAX_MODEL_FILES && !names.includes(file))
    throw new RangeError(`the folder has ${names.length} files, the most it may have`);
  // Written beside it and then renamed: who watches the folder never sees half a file.
  const temporary = path.join(dir, `.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, bytes, { flag: 'wx' });
    await rename(temporary, path.join(dir, file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return { file, objects };
}

/** `33333-1.2.xml`, `33333-1.2-and-2-more.xml`. */
function nameFor({ id, version }: ObjectDefinition, objects: number): string {
  return `${id}-${version}${objects > 1 ? `-and-${objects - 1}-more` : ''}.xml`;
}

/** Deletes a definition file by the name the folder lists it with; false when it lists none of that name. */
export async function deleteModel(dir: string, file: string): Promise<boolean> {
  const listed = await readdir(dir, { withFileTypes: true }).catch(() => []);
  // The name as the folder has it: what is asked for can point nowhere else.
  const entry = listed.find((known) => known.name === file && !known.isDirectory() && isModelFile(known.name));
  if (!entry) return false;
  await rm(path.join(dir, entry.name), { force: true });
  return true;
}
