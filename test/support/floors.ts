/** Who may import whom: the floors of the architecture as a table, and the check of a set of source files against it. */
import { builtinModules } from 'node:module';
import path from 'node:path';
import ts from 'typescript';

/** Higher number = higher floor. `index`, `cli` and the room `root` are the composition root. */
const floors: Readonly<Record<string, number>> = {
  'lib/transport': 1,
  'lib/dtls': 1,
  'lib/coap': 2,
  'lib/lwm2m': 3,
  'lib/model': 3,
  'lib/codec': 3,
  'lib/server': 4,
  'lib/bootstrap': 4,
  'lib/ota': 4,
  'lib/credentials': 4,
  'lib/store': 4,
  'lib/models': 4,
  'lib/device': 4,
  'lib/profile': 5,
  'lib/rpc': 5,
};

/** Edges inside one floor; whatever is not here is refused. The rooms of floor 3 are one language and may use each other. */
const sideways = new Set([
  'lib/dtls -> lib/transport',
  'lib/model -> lib/lwm2m',
  'lib/codec -> lib/lwm2m',
  'lib/codec -> lib/model',
  'lib/ota -> lib/server',
  'lib/bootstrap -> lib/credentials',
  'lib/server -> lib/credentials',
  'lib/rpc -> lib/profile',
]);

/** Rooms that see less of the floors below than others do. */
const narrowed: Readonly<Record<string, readonly string[]>> = {
  'lib/lwm2m': [],
  'lib/model': ['lib/lwm2m'],
  'lib/codec': ['lib/lwm2m', 'lib/model'],
  // Bytes in, bytes out; the type of the clock is all it shares.
  'lib/store': ['lib/transport/types.ts'],
  // Its CoAP is not ours, so that the server is always exercised by another implementation; the type of the clock is all they share.
  'lib/device': ['lib/lwm2m', 'lib/model', 'lib/codec', 'lib/dtls', 'lib/transport/types.ts'],
};

/** Modules that open sockets: for the transports and the simulated device only. */
const socketModules = new Set(['dgram', 'net', 'tls', 'http', 'https', 'http2']);
/** Modules the pure floors must not know: I/O of any kind. */
const ioModules = new Set([...socketModules, 'fs', 'fs/promises', 'child_process', 'worker_threads', 'timers', 'timers/promises', 'os']);
const builtins = new Set(builtinModules);

export interface Import {
  readonly from: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Every import, export-from, import type, import() and require() of one file. */
export function importsOf(file: string, text: string): Import[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, typeOnly: boolean): void => {
    if (node && ts.isStringLiteralLike(node)) found.push({ from: file, specifier: node.text, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
      add(node.moduleReference.expression, node.isTypeOnly);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && isModuleCall(node.expression)) add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isModuleCall(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require');
}

/**
 * Checks files (path from the package root, with slashes -> text) against the table. Returns one sentence a violation; empty = all right.
 */
export function checkFloors(files: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  const edges = new Map<string, string[]>();
  for (const [file, text] of files) {
    const targets: string[] = [];
    for (const item of importsOf(file, text)) {
      const target = resolve(item, files);
      const problem = target === undefined ? checkPackage(file, item) : checkEdge(file, target);
      if (problem) problems.push(problem);
      // Types vanish when compiled: only imports that run can make a circle.
      if (target !== undefined && target !== file && !item.typeOnly) targets.push(target);
    }
    edges.set(file, targets);
  }
  return [...problems, ...circles(edges)];
}

/** The file a relative specifier means; undefined for a package. */
function resolve(item: Import, files: ReadonlyMap<string, string>): string | undefined {
  if (!item.specifier.startsWith('.')) return undefined;
  const base = path.posix.join(path.posix.dirname(item.from), item.specifier);
  const candidates = [base, `${base}.ts`, base.replace(/\.js$/, '.ts'), `${base}/index.ts`];
  return candidates.find((candidate) => files.has(candidate)) ?? base;
}

/** "lib/coap" for "lib/coap/message.ts"; the file itself where it lies at the top. */
function roomOf(file: string): string {
  const [top = '', second] = file.split('/');
  return second === undefined ? top : `${top}/${second}`;
}

function checkEdge(file: string, target: string): string | undefined {
  const edge = `${file} imports ${target}`;
  const room = roomOf(file);
  const other = roomOf(target);
  const insideNodes = file.startsWith('nodes/');
  if (insideNodes) return nodeEdge(file, target) ? undefined : `${edge}: a node may import lib/index, its own folder and nodes/shared only`;
  if (!target.startsWith('lib/')) return target === 'package.json' ? undefined : `${edge}: lib/ must not know what is outside of it`;
  if (room === other) return undefined;
  if (room === 'lib/index.ts' || room === 'lib/cli.ts' || (room === 'lib/root' && other !== 'lib/index.ts')) return undefined;
  if (other === 'lib/root') return `${edge}: no floor knows the composition root`;
  const floor = floors[room];
  const otherFloor = floors[other];
  if (floor === undefined) return `${edge}: ${room} is on no floor`;
  if (otherFloor === undefined) return `${edge}: ${other} is on no floor that ${room} may know`;
  const allowed = narrowed[room];
  if (allowed && !allowed.some((entry) => entry === other || entry === target)) return `${edge}: ${room} may not know ${other}`;
  if (otherFloor > floor) return `${edge}: imports point down only`;
  if (otherFloor === floor && !sideways.has(`${room} -> ${other}`)) return `${edge}: this sideways edge is not allowed`;
  return undefined;
}

function nodeEdge(file: string, target: string): boolean {
  const editor = file.endsWith('.editor.ts') || file.startsWith('nodes/shared/editor/');
  if (target === 'lib/index.ts') return !editor;
  const own = roomOf(file) === roomOf(target) || target.startsWith('nodes/shared/');
  if (!own) return false;
  // Editor code runs in a browser and the runtime in Node.js: neither may load the other.
  return editor ? isForEditor(target) : !target.includes('/editor/') && !target.endsWith('.editor.ts');
}

function isForEditor(target: string): boolean {
  return (
    target.startsWith('nodes/shared/editor/') ||
    target === 'nodes/shared/admin-types.ts' ||
    target === 'nodes/shared/addresses.ts' ||
    target.endsWith('/events.ts') ||
    target.endsWith('/slots.ts') ||
    target.endsWith('.editor.ts')
  );
}

function checkPackage(file: string, item: Import): string | undefined {
  const name = item.specifier.replace(/^node:/, '');
  const edge = `${file} imports ${item.specifier}`;
  const room = roomOf(file);
  if (file.startsWith('nodes/')) {
    return socketModules.has(name) ? `${edge}: a node must not open sockets` : undefined;
  }
  if (/^(@node-red\/|node-red($|\/)|@types\/node-red)/.test(name)) return `${edge}: lib/ must not know Node-RED`;
  if (name === 'coap' || name.startsWith('coap/')) return room === 'lib/device' ? undefined : `${edge}: only the simulated device uses it`;
  if (name === 'classic-level' && room !== 'lib/store') return `${edge}: only the store uses it`;
  if (name === 'coap-packet' && room !== 'lib/device') return `${edge}: only the simulated device uses it`;
  const floor = floors[room];
  if (floor === 3 && ioModules.has(name)) return `${edge}: the language floor does no I/O`;
  if (socketModules.has(name) && floor !== 1 && room !== 'lib/device' && room !== 'lib/cli.ts' && !item.typeOnly) {
    return `${edge}: only the transports and the simulated device open sockets`;
  }
  return builtins.has(name) || !name.startsWith('.') ? undefined : `${edge}: cannot be resolved`;
}

/** One sentence a circle, found by depth-first search. */
function circles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (file: string): void => {
    const start = trail.indexOf(file);
    if (start >= 0) {
      found.push(`circle: ${[...trail.slice(start), file].join(' -> ')}`);
      return;
    }
    if (done.has(file)) return;
    trail.push(file);
    for (const target of edges.get(file) ?? []) visit(target);
    trail.pop();
    done.add(file);
  };
  for (const file of edges.keys()) visit(file);
  return found;
}
