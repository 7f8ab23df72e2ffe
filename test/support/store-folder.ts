import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A folder for stores that goes away when the tests around the call are over. Gives a function that names a new place in it. */
export function storeFolder(): (name?: string) => string {
  let folder = '';
  let count = 0;
  before(() => (folder = mkdtempSync(path.join(tmpdir(), 'lwm2m-store-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => {
    count += 1;
    return path.join(folder, name ?? String(count));
  };
}
