import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { codeText } from '../../../lib/coap/codes';
import { isFormatError, parseMessage } from '../../../lib/coap/message';
import { DecodeError, codecFor, decodePayload } from '../../../lib/codec';
import { ExecuteArgsError, parseExecuteArgs } from '../../../lib/lwm2m/execute-args';
import { LinkFormatError, parseLinks } from '../../../lib/lwm2m/link-format';
import { PathError, parsePath } from '../../../lib/lwm2m/path';
import { createModel } from '../../../lib/model/model';
import type { CodecContext } from '../../../lib/codec';
import type { DataNode, ResourceType } from '../../../lib/lwm2m/types';
import type { ObjectDefinition } from '../../../lib/model/types';

/** Vectors of other implementations, read from outside of the repository when they are there. */
interface ForeignVector {
  readonly id: string;
  readonly format: string;
  readonly contentFormat?: number;
  readonly path?: string;
  readonly types?: Readonly<Record<string, string>>;
  readonly valid: boolean | null;
  /** `both`: the peer writes its nodes as these bytes. */
  readonly use: 'both' | 'decode';
  readonly hex: string;
  readonly text?: string;
  readonly meaning: {
    readonly nodes?: readonly {
      readonly path: string;
      readonly type: string;
      readonly value?: string | number | boolean;
      readonly time?: number;
    }[];
    readonly links?: readonly { readonly uri: string; readonly attrs: Readonly<Record<string, string | null>> }[];
    readonly args?: Readonly<Record<string, string | null>>;
    readonly ids?: readonly number[];
    readonly type?: 'CON' | 'NON' | 'ACK' | 'RST';
    readonly code?: string;
    readonly mid?: number;
    readonly token?: string;
    readonly options?: readonly (readonly [number, string])[];
    readonly payload?: string;
  };
}

/** Where we differ on purpose. */
const DEVIATIONS: Readonly<Record<string, string>> = {
  'tlv-019': 'bare resources of an object with many instances are a Create without an id; no client sends one',
  'senml-json-019': 'a path list is judged by who asked for one; as data, records with and without values may stand together',
  'senml-json-020': 'the same, with a time',
  'link-format-023': 'RFC 6690 allows whole URIs as targets',
  'link-format-024': 'RFC 6690 allows queries in targets; a target that names no object is skipped by who reads it',
  'link-format-025': 'percent signs are left to who reads the target',
  'link-format-026': 'percent signs are left to who reads the target',
  'link-format-027': 'percent signs are left to who reads the target',
  'link-format-033': 'blanks between the parts are taken from old clients',
  'link-format-034': 'blanks between the parts are taken from old clients',
  'link-format-038': 'a trailing comma is taken from old clients',
  'link-format-040': 'blanks between the parts are taken from old clients',
  'link-format-041': 'blanks between the parts are taken from old clients',
  'link-format-042': 'blanks between the parts are taken from old clients',
  'link-format-044': 'what an attribute may be is judged by who knows it, not by the parser',
  'link-format-045': 'what an attribute may be is judged by who knows it, not by the parser',
  'link-format-046': 'what an attribute may be is judged by who knows it, not by the parser',
  'json-010': 'that the resource has one value says the model, and here there is none',
  'senml-cbor-028': 'it has the id "00"; ids have no leading zeros',
  'cbor-039': 'a whole number beyond 64 bits of a resource of unknown type is a float',
};

/** What we read as they do, and write in another of the ways there are. */
const WRITTEN_OTHERWISE: Readonly<Record<string, string>> = {
  'json-015': 'a time below 2^28 would be read as relative: such times are not written',
  'json-016': 'a time below 2^28 would be read as relative: such times are not written',
  'senml-json-015': 'a value alone, and every value of a composite, has its whole name in "n"',
  'senml-json-021': 'a value alone, and every value of a composite, has its whole name in "n"',
  'senml-json-023': 'times are written as "t", not as base times',
  'senml-json-024': 'times are written as "t", not as base times',
  'senml-json-026': 'a value alone, and every value of a composite, has its whole name in "n"',
  'senml-cbor-055': 'times are written as "t" and as plain integers, not as decimal fractions',
};

const FORMATS = ['tlv', 'text', 'cbor', 'senml-json', 'senml-cbor', 'json', 'link-format', 'execute-args', 'path', 'coap'];

function pathIds(text: string | undefined): number[] {
  return (text ?? '/')
    .split('/')
    .filter((part) => part !== '')
    .map(Number);
}

function contextOf(vector: ForeignVector): CodecContext {
  const ids = pathIds(vector.path);
  const objects = new Set([...ids.slice(0, 1), ...(vector.meaning.nodes ?? []).map((node) => pathIds(node.path)[0] ?? 0)]);
  const resources = new Map(
    Object.entries(vector.types ?? {}).map(([id, type]) => [
      Number(id),
      {
        id: Number(id),
        name: '',
        operations: 'RW' as const,
        multiple: type.endsWith('[]'),
        mandatory: false,
        type: type.replace('[]', '') as ResourceType,
      },
    ]),
  );
  const definitions = [...objects].map((id): ObjectDefinition => ({
    id,
    name: '',
    version: '1.0',
    multiple: true,
    mandatory: false,
    resources,
  }));
  const prefix = /^\/[a-z][a-z\d/]*?(?=\/\d)/.exec(vector.meaning.nodes?.[0]?.path ?? '')?.[0];
  return { path: ids, model: createModel(definitions), ...(prefix === undefined ? {} : { rootPath: prefix }) };
}

/** Nodes as the vectors write them; a node without a value says that nothing is there, which they write as no node. */
function shown(node: DataNode, pathList: boolean): Record<string, unknown> | undefined {
  const { value } = node;
  if (value === null) return pathList ? { path: `/${node.path.join('/')}` } : undefined;
  const text = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : typeof value === 'boolean' ? value : String(value);
  return { path: `/${node.path.join('/')}`, value: text, ...(node.time === undefined ? {} : { time: Math.round(node.time * 1000) }) };
}

function checkNodes(vector: ForeignVector): void {
  const payload = new Uint8Array(Buffer.from(vector.hex, 'hex'));
  const context = contextOf(vector);
  const nodes = decodePayload(vector.contentFormat, payload, context);
  const expected = vector.meaning.nodes ?? [];
  const pathList = expected.some((node) => node.type === 'path-only');
  assert.deepEqual(
    nodes.map((node) => shown(node, pathList)).filter((node) => node !== undefined),
    expected.map((node) => {
      const at = `/${(context.rootPath ? node.path.slice(context.rootPath.length) : node.path).split('/').filter(Boolean).join('/')}`;
      if (node.type === 'path-only') return { path: at };
      const value = typeof node.value === 'number' ? String(node.value) : node.value;
      return { path: at, value, ...(node.time === undefined ? {} : { time: Math.round(node.time * 1000) }) };
    }),
  );
  for (const [index, node] of expected.entries()) {
    if (vector.types && !pathList) assert.equal(nodes[index]?.type, node.type);
  }
  if (vector.use !== 'both' || vector.id in WRITTEN_OTHERWISE) return;
  const written = Buffer.from(codecFor(vector.contentFormat ?? 0)!.encode(nodes, context)).toString('hex');
  assert.equal(written, vector.hex, Buffer.from(written, 'hex').toString());
}

function check(vector: ForeignVector): void {
  switch (vector.format) {
    case 'link-format': {
      const links = parseLinks(vector.text ?? '').map(({ target, attributes }) => ({ uri: target, attrs: Object.fromEntries(attributes) }));
      assert.deepEqual(links, vector.meaning.links);
      return;
    }
    case 'execute-args':
      assert.deepEqual(Object.fromEntries(parseExecuteArgs(vector.text ?? '')), vector.meaning.args);
      return;
    case 'path':
      assert.deepEqual(parsePath(vector.text ?? '').ids, vector.meaning.ids);
      return;
    case 'coap': {
      const message = parseMessage(Buffer.from(vector.hex, 'hex'));
      if (isFormatError(message)) throw new CoapFormatError(message.error);
      const { type, code, mid, token = '', options = [], payload = '' } = vector.meaning;
      const inHex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
      assert.deepEqual(
        [message.type, codeText(message.code), message.mid, inHex(message.token), inHex(message.payload)],
        [['CON', 'NON', 'ACK', 'RST'].indexOf(type ?? ''), code, mid, token, payload],
      );
      assert.deepEqual(
        message.options.map(({ number, value }) => [number, inHex(value)]),
        options,
      );
      return;
    }
    default:
      checkNodes(vector);
  }
}

class CoapFormatError extends Error {}

function isOurs(error: unknown): boolean {
  return [CoapFormatError, DecodeError, LinkFormatError, ExecuteArgsError, PathError].some((kind) => error instanceof kind);
}

describe('deviations from vectors of other implementations', () => {
  it('are written down with their reasons', () => {
    const page = readFileSync(path.resolve(__dirname, '../../../docs/vectors.md'), 'utf8');
    const [read = '', written = ''] = page.split('## Written otherwise');
    const listed = (text: string): string[] => [...text.matchAll(/`([a-z-]+-\d{3})`/g)].map((match) => match[1]!).sort();
    assert.deepEqual(listed(read), Object.keys(DEVIATIONS).sort());
    assert.deepEqual(listed(written), Object.keys(WRITTEN_OTHERWISE).sort());
    for (const reason of [...Object.values(DEVIATIONS), ...Object.values(WRITTEN_OTHERWISE)]) {
      assert.ok(page.toLowerCase().includes(reason.toLowerCase()), reason);
    }
  });
});

describe('vectors of other implementations', () => {
  // [LANG-098]
  const file = path.join(process.env['LWM2M_SHARED_DATA'] ?? '', 'vectors.json');
  if (process.env['LWM2M_SHARED_DATA'] === undefined || !existsSync(file)) {
    it('is skipped without LWM2M_SHARED_DATA', function () {
      this.skip();
    });
    return;
  }
  // Numbers a double cannot hold stay text.
  const exact = readFileSync(file, 'utf8').replace(/("value": )(-?\d{16,})/g, '$1"$2"');
  const all = (JSON.parse(exact) as ForeignVector[]).filter((vector) => FORMATS.includes(vector.format));
  for (const vector of all) {
    if (vector.valid === null || vector.id in DEVIATIONS) continue;
    if (vector.valid) it(`${vector.id} is read`, () => check(vector));
    else it(`${vector.id} is refused`, () => assert.throws(() => check(vector), isOurs));
  }
  it('has all of the deviations, and a codec for every vector', () => {
    const ids = new Set(all.map((vector) => vector.id));
    assert.deepEqual(
      [...Object.keys(DEVIATIONS), ...Object.keys(WRITTEN_OTHERWISE)].filter((id) => !ids.has(id)),
      [],
    );
    for (const vector of all) assert.ok(vector.contentFormat === undefined || codecFor(vector.contentFormat));
  });
});
