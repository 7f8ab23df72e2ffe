import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(__dirname, '..');
const specFolder = path.join(root, 'docs/spec');

/** Requirement ids: the first cell of the rows of a Markdown table. */
function idsOfSpec(text: string): string[] {
  return [...text.matchAll(/^\|\s*`?([A-Z][A-Z0-9]*-\d{3})`?\s*\|/gm)].map((match) => match[1]!);
}

/** Ids a test names, as in `it('[COAP-001] ...')`. */
function idsOfTest(text: string): string[] {
  return [...text.matchAll(/\[([A-Z][A-Z0-9]*-\d{3})\]/g)].map((match) => match[1]!);
}

function filesOf(folder: string, ending: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending) && !entry.parentPath.includes('node_modules'))
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/** id -> files that name it; `each` may leave out what a file repeats. */
function gather(
  files: readonly string[],
  idsOf: (text: string) => string[],
  each: (ids: string[]) => Iterable<string> = (ids) => ids,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const file of files) {
    const ids = idsOf(readFileSync(file, 'utf8'));
    for (const id of each(ids)) found.set(id, [...(found.get(id) ?? []), path.relative(root, file)]);
  }
  return found;
}

describe('specification of behaviour', () => {
  const required = gather(filesOf(specFolder, '.md'), idsOfSpec);
  const tests = filesOf(path.join(root, 'test'), '.spec.ts').filter((file) => file !== __filename);
  const proven = gather(tests, idsOfTest, (ids) => new Set(ids));

  it('has requirements', () => assert.ok(required.size > 0, 'no requirement found in docs/spec'));

  it('gives every requirement an id of its own', () => {
    const twice = [...required].filter(([, files]) => files.length > 1).map(([id, files]) => `${id}: ${files.join(', ')}`);
    assert.deepEqual(twice, []);
  });

  it('has a test for every requirement', () => {
    assert.deepEqual(
      [...required.keys()].filter((id) => !proven.has(id)),
      [],
    );
  });

  it('has a requirement for every id a test names', () => {
    const unknown = [...proven].filter(([id]) => !required.has(id)).map(([id, files]) => `${id} in ${files.join(', ')}`);
    assert.deepEqual(unknown, []);
  });

  it('names tests and requirements in the checklist of DTLS that there are, for all of its groups', () => {
    const rows = readFileSync(path.join(root, 'docs/dtls-checklist.md'), 'utf8')
      .split('\n')
      .flatMap((line) => (/^\|\s*\d+\s*\|/.test(line) ? [line.split('|').map((cell) => cell.trim())] : []));
    assert.deepEqual(
      rows.map(([, group]) => Number(group)),
      Array.from({ length: 45 }, (_, index) => index + 1),
    );
    const missing: string[] = [];
    for (const [, group, , files = '', ids = ''] of rows) {
      // A name without a folder is in that of the one before it.
      let folder = '';
      const named = [...files.matchAll(/`([^`]+)`/g)].map((match) => {
        const name = match[1]!;
        if (name.includes('/')) folder = path.dirname(name);
        return name.includes('/') ? name : `${folder}/${name}`;
      });
      const own = new Set(
        named.flatMap((name) =>
          existsSync(path.join(root, 'test', name)) ? idsOfTest(readFileSync(path.join(root, 'test', name), 'utf8')) : [],
        ),
      );
      for (const name of named) if (!existsSync(path.join(root, 'test', name))) missing.push(`${group}: there is no ${name}`);
      for (const id of ids.split(',').map((text) => text.trim())) if (!own.has(id)) missing.push(`${group}: ${id} is in none of its files`);
      if (named.length === 0) missing.push(`${group}: it names no file`);
    }
    assert.deepEqual(missing, []);
  });

  it('reads ids from tables and tests, and nothing else', () => {
    assert.deepEqual(idsOfSpec('| id | text |\n|---|---|\n| COAP-001 | x |\n| `RD-012` | see COAP-002 |\nCOAP-003 | y |'), [
      'COAP-001',
      'RD-012',
    ]);
    assert.deepEqual(idsOfTest("it('[COAP-001] [RD-012] answers', ...); // COAP-002, [x-1]"), ['COAP-001', 'RD-012']);
  });
});
