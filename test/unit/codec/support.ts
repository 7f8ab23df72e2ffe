import { createModel } from '../../../lib/model/model';
import type { CodecContext } from '../../../lib/codec/types';
import type { DataNode, ResourceType } from '../../../lib/lwm2m/types';
import type { ObjectDefinition, ResourceDefinition } from '../../../lib/model/types';

export const TYPES: readonly ResourceType[] = ['string', 'integer', 'unsigned', 'float', 'boolean', 'opaque', 'time', 'objlnk', 'corelnk'];

/** Resource ids of the objects below: the type's place in `TYPES`, plus 10 for a multiple one. Nothing is known above 20. */
export const R = Object.fromEntries(TYPES.map((type, id) => [type, id])) as Record<ResourceType, number>;

function resource(id: number, type: ResourceType, multiple: boolean): [number, ResourceDefinition] {
  return [id, { id, name: `${type} ${id}`, operations: 'RW', multiple, mandatory: false, type }];
}

function objectOf(id: number, multiple: boolean): ObjectDefinition {
  const resources = new Map(TYPES.flatMap((type, at) => [resource(at, type, false), resource(10 + at, type, true)]));
  return { id, name: `Test ${id}`, version: '1.0', multiple, mandatory: false, resources };
}

/** Object 100 has many instances, object 101 one. */
export const testModel = createModel([objectOf(100, true), objectOf(101, false)]);

export function at(path: readonly number[], more: Partial<CodecContext> = {}): CodecContext {
  return { path, model: testModel, ...more };
}

export function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

export function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}

export function utf8(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'utf8'));
}

export function node(path: readonly number[], type: ResourceType, value: DataNode['value'], time?: number): DataNode {
  return time === undefined ? { path, type, value } : { path, type, value, time };
}
