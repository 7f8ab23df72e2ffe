// Compiles the OMA object registry (XML files) to the facts in lib/model/oma-objects.json.
//
//   node scripts/compile-registry.mjs <folder>
//
// <folder> is a copy of https://github.com/OpenMobileAlliance/lwm2m-registry; its current files and those of version_history/ are
// read. The output holds facts only, no description texts, one object version per line, sorted, so that two runs give the same bytes:
//   [id, name, version, flags, [[resource id, name, operations, flags, type letter, range?, units?], ...]]
// flags: 1 = multiple, 2 = mandatory. The NOTICE file carries the copyright notices of the XML files.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { XMLParser } from 'fast-xml-parser';

const TYPES = {
  string: 's',
  integer: 'i',
  'unsigned integer': 'u',
  float: 'f',
  boolean: 'b',
  opaque: 'o',
  time: 't',
  objlnk: 'l',
  corelnk: 'c',
  '': '-',
};

const parser = new XMLParser({
  parseTagValue: false,
  ignoreAttributes: false,
  htmlEntities: true,
  isArray: (name) => name === 'Item' || name === 'Object',
});

/** Text of an element on one line; '' when it is not there. */
function text(value) {
  return typeof value === 'string' ? value.replace(/\s+/g, ' ').trim() : '';
}

function flags(element) {
  return (text(element.MultipleInstances) === 'Multiple' ? 1 : 0) + (text(element.Mandatory) === 'Mandatory' ? 2 : 0);
}

function resourceRow(item, file) {
  const type = TYPES[text(item.Type).toLowerCase()];
  if (type === undefined) throw new Error(`${file}: resource ${item['@_ID']} has the unknown type "${item.Type}"`);
  const row = [
    Number(item['@_ID']),
    text(item.Name),
    text(item.Operations),
    flags(item),
    type,
    text(item.RangeEnumeration),
    text(item.Units),
  ];
  while (row.length > 5 && row.at(-1) === '') row.pop();
  return row;
}

/** The objects of one file; files without objects (the lists of units and of common resources) give none. */
function objectRows(file) {
  const objects = parser.parse(readFileSync(file, 'utf8')).LWM2M?.Object ?? [];
  return objects
    .filter((object) => text(object.ObjectID) !== '')
    .map((object) => {
      const rows = (object.Resources?.Item ?? []).map((item) => resourceRow(item, file)).sort((a, b) => a[0] - b[0]);
      return [Number(text(object.ObjectID)), text(object.Name), text(object.ObjectVersion) || '1.0', flags(object), rows];
    });
}

function xmlFiles(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.xml'))
    .sort()
    .map((name) => join(folder, name));
}

const folder = process.argv[2];
if (!folder) {
  console.error('Usage: node scripts/compile-registry.mjs <folder of the registry>');
  process.exit(2);
}

// A current file wins over the copy of the same version in version_history.
const facts = new Map();
for (const file of [...xmlFiles(folder), ...xmlFiles(join(folder, 'version_history'))]) {
  for (const row of objectRows(file)) {
    const key = `${row[0]}/${row[2]}`;
    if (!facts.has(key)) facts.set(key, row);
  }
}

function compareVersions(a, b) {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}

const rows = [...facts.values()].sort((a, b) => a[0] - b[0] || compareVersions(a[2], b[2]));
const target = join(dirname(fileURLToPath(import.meta.url)), '../lib/model/oma-objects.json');
writeFileSync(target, `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`);
console.log(`${rows.length} object versions written to ${target}`);
