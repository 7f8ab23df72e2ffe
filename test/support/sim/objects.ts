import { readTlv, tlvFloat, tlvInstance, tlvInteger, tlvResource } from './tlv';

export type SimValue = string | number;

/** One resource of a scripted device. */
export interface SimResource {
  readonly type: 'string' | 'integer' | 'float' | 'execute';
  readonly operations: 'R' | 'RW' | 'W' | 'E';
  value: SimValue;
}

/** Object id -> instance id -> resource id -> resource. */
export type SimTree = Map<number, Map<number, Map<number, SimResource>>>;

export const TEXT = 0;
export const LINK_FORMAT = 40;
export const TLV = 11542;

/** Objects 1, 3 and 3303, with instance 0 each. */
export function createTree(facts: { serial: string; lifetime: number; binding: string }): SimTree {
  const resource = (type: SimResource['type'], operations: SimResource['operations'], value: SimValue = ''): SimResource => ({
    type,
    operations,
    value,
  });
  const instance = (resources: Record<number, SimResource>): Map<number, SimResource> =>
    new Map(Object.entries(resources).map(([id, entry]) => [Number(id), entry]));
  return new Map([
    [
      1,
      new Map([
        [
          0,
          instance({
            0: resource('integer', 'R', 101),
            1: resource('integer', 'RW', facts.lifetime),
            2: resource('integer', 'RW', 0),
            7: resource('string', 'RW', facts.binding),
            8: resource('execute', 'E'),
          }),
        ],
      ]),
    ],
    [
      3,
      new Map([
        [
          0,
          instance({
            0: resource('string', 'R', 'Scripted'),
            1: resource('string', 'R', 'Population'),
            2: resource('string', 'R', facts.serial),
            4: resource('execute', 'E'),
            9: resource('integer', 'R', 100),
            14: resource('string', 'RW', '+00:00'),
          }),
        ],
      ]),
    ],
    [
      3303,
      new Map([[0, instance({ 5700: resource('float', 'R', 0), 5701: resource('string', 'R', 'Cel'), 5605: resource('execute', 'E') })]]),
    ],
  ]);
}

export function encodeText(resource: SimResource): Buffer {
  return Buffer.from(String(resource.value), 'utf8');
}

function raw(resource: SimResource): Buffer {
  switch (resource.type) {
    case 'integer':
      return tlvInteger(Number(resource.value));
    case 'float':
      return tlvFloat(Number(resource.value));
    case 'string':
    case 'execute':
      return Buffer.from(String(resource.value), 'utf8');
  }
}

/** TLV of one resource, as the answer to a Read of it. */
export function encodeResource(id: number, resource: SimResource): Buffer {
  return tlvResource(id, raw(resource));
}

/** TLV of all readable resources of an instance. */
export function encodeInstance(resources: ReadonlyMap<number, SimResource>): Buffer {
  const readable = [...resources].filter(([, resource]) => resource.operations.includes('R'));
  return Buffer.concat(readable.map(([id, resource]) => encodeResource(id, resource)));
}

/** TLV of all instances of an object. */
export function encodeObject(instances: ReadonlyMap<number, ReadonlyMap<number, SimResource>>): Buffer {
  return Buffer.concat([...instances].map(([id, resources]) => tlvInstance(id, [encodeInstance(resources)])));
}

/** The new value of a resource, from text or from TLV that names it; undefined when the bytes do not fit. */
export function decodeValue(id: number, resource: SimResource, format: number, payload: Buffer): SimValue | undefined {
  let bytes = payload;
  if (format === TLV) {
    const entry = readTlv(payload).find((candidate) => candidate.id === id);
    if (entry === undefined) return undefined;
    if (resource.type === 'string') return entry.value.toString('utf8');
    if (resource.type === 'float') return entry.value.length === 8 ? entry.value.readDoubleBE(0) : entry.value.readFloatBE(0);
    bytes = Buffer.from(entry.value.readIntBE(0, Math.min(6, entry.value.length)).toString());
  }
  const text = bytes.toString('utf8');
  if (resource.type === 'string') return text;
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
