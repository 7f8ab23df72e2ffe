import { Code } from '../coap/codes';
import type { RequestSpec } from '../coap/types';
import { EncodeError } from '../codec/errors';
import { codecFor } from '../codec/index';
import type { DataNode, Path } from '../lwm2m/types';
import type { Model } from '../model/types';
import { ContentFormat } from './formats';
import type { Registration } from './types';

/** SenML-ETCH (RFC 8790), which LwM2M 1.2 knows for the body of a composite request only. */
const ETCH_JSON = 320;
const ETCH_CBOR = 322;
const LWM2M_CBOR = 11_544;

/** The plain SenML in which a pack of SenML-ETCH is answered. */
const ANSWERED_IN: Readonly<Record<number, number>> = {
  [ETCH_JSON]: ContentFormat.SENML_JSON,
  [ETCH_CBOR]: ContentFormat.SENML_CBOR,
};

/** What we would rather have, where the device announced its formats. */
const PREFERRED = [ContentFormat.SENML_CBOR, ContentFormat.SENML_JSON, ETCH_CBOR, ETCH_JSON];

/** Whether a device can do composite operations by what it said when it registered (Core TS 1.1 6.3.8); undefined when it said nothing. */
export function announcesComposite({ contentFormats }: Registration): boolean | undefined {
  return contentFormats.length === 0 ? undefined : contentFormats.some((format) => (PREFERRED as readonly number[]).includes(format));
}

/**
 * The formats of a composite body in the order to try: as asked; else those announced; else SenML CBOR, then JSON. Throws `EncodeError`
 * for one that holds no paths.
 */
export function compositeFormats({ contentFormats, lwm2mVersion }: Registration, asked: number | undefined, writes: boolean): number[] {
  const allowed: readonly number[] = writes ? [...PREFERRED, LWM2M_CBOR] : PREFERRED;
  if (asked !== undefined && allowed.includes(asked)) return [asked];
  // LwM2M CBOR has no form for a list of paths; the answer may have it.
  if (asked !== undefined && asked !== LWM2M_CBOR) {
    throw new EncodeError(`a composite goes in SenML (110, 112)${lwm2mVersion === '1.2' ? ' or SenML-ETCH (320, 322)' : ''}`, {
      path: [],
      format: `content format ${asked}`,
    });
  }
  const announced = PREFERRED.filter((format) => contentFormats.includes(format));
  return announced.length > 0 ? announced : [ContentFormat.SENML_CBOR, ContentFormat.SENML_JSON];
}

/** The Accept of a composite: the format asked for, else that of the body, in plain SenML. */
export function compositeAccept(bodyFormat: number, asked: number | undefined): number {
  const format = asked ?? bodyFormat;
  return ANSWERED_IN[format] ?? format;
}

/** Paths as names without values (Core TS 1.1 6.3.8). */
export function pathNodes(paths: readonly Path[]): DataNode[] {
  return paths.map(({ ids }) => ({ path: ids, type: 'none', value: null }));
}

export interface CompositeBody {
  readonly nodes: readonly DataNode[];
  readonly format: number;
  readonly accept?: number;
  readonly observe?: 0 | 1;
  readonly query?: readonly string[];
}

/** FETCH of the root with the paths as body, or iPATCH with the values (RFC 8132; Transport TS 6.4.5). Throws `EncodeError`. */
export function compositeRequest(code: number, registration: Registration, model: Model, body: CompositeBody): RequestSpec {
  const { nodes, format, accept, observe, query } = body;
  const codec = codecFor(format);
  if (!codec) throw new EncodeError(`content format ${format} is not supported`, { path: [], format: 'composite' });
  const { rootPath, versions } = registration;
  return {
    code,
    path: rootPath.split('/').filter((segment) => segment !== ''),
    contentFormat: format,
    payload: codec.encode(nodes, { path: [], model, versions, rootPath }),
    ...(accept !== undefined && { accept }),
    ...(observe !== undefined && { observe }),
    ...(query && query.length > 0 && { query }),
  };
}

export const COMPOSITE_CODE = { read: Code.FETCH, write: Code.IPATCH } as const;
