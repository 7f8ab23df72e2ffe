import { answer } from './answer';
import { Bodies, formatBlock, sliceBody, Uploads, type Body } from './blocks';
import type { DeviceRequest, DeviceResponse } from './types';
import { formatUint, type Incoming } from './wire';
import type { World } from './world';

/** An option to send, by the name npm `coap` has for it. */
export type OptionName = 'Content-Format' | 'Location-Path' | 'Block1' | 'Block2' | 'ETag';

/** A response ready for the wire; `observe` says that an observation begins or ends with it. */
export interface Reply {
  readonly code: string;
  readonly options: readonly (readonly [OptionName, Buffer | Buffer[]])[];
  readonly payload: Uint8Array;
  readonly observe?: { readonly kind: 'start' | 'cancel'; readonly path: readonly number[]; readonly format: number };
}

const EMPTY = new Uint8Array();

/** From request to reply: puts blocks together, asks the device, cuts the answer into blocks. Knows no sockets. */
export class Responder {
  private readonly uploads = new Uploads();
  private readonly bodies = new Bodies();

  constructor(private readonly world: World) {}

  /** `now`: monotonic ms. Never throws. */
  respond(incoming: Incoming, now: number): Reply {
    if (incoming.refused) return bare(incoming.refused);
    const { request, block1, block2 } = incoming;
    if (!block1) return this.finish(request, incoming, block2 && block2.num > 0 ? this.bodies.get(keyOf(request)) : undefined);
    const upload = this.uploads.take(uploadKey(incoming), block1, request.payload, now);
    const echo = ['Block1', formatBlock(block1)] as const;
    switch (upload.kind) {
      case 'more':
        return { ...bare('2.31'), options: [echo] };
      case 'refused':
        return { ...bare(upload.code), options: [echo] };
      case 'whole': {
        const reply = this.finish({ ...request, payload: upload.payload }, incoming, undefined);
        return { ...reply, options: [...reply.options, echo] };
      }
      default:
        return upload satisfies never;
    }
  }

  /** A notification: like the reply to the GET of `path`, whose later blocks can be asked for. */
  notification(path: readonly number[], accept: number | undefined, format: number): Reply {
    const request: DeviceRequest = { method: 'GET', path: path.map(String), query: [], accept: format, payload: EMPTY };
    const response = answer(this.world, request);
    const asObserved = { method: 'GET', path: request.path, query: [], payload: EMPTY } as const;
    return this.cut(response, accept === undefined ? asObserved : { ...asObserved, accept }, undefined);
  }

  private finish(request: DeviceRequest, incoming: Incoming, kept: Body | undefined): Reply {
    if (!kept) return this.cut(answer(this.world, request), request, incoming.block2);
    const content = kept.contentFormat === undefined ? {} : { contentFormat: kept.contentFormat };
    return this.cut({ code: '2.05', payload: kept.payload, ...content }, request, incoming.block2);
  }

  private cut(response: DeviceResponse, request: DeviceRequest, asked: Incoming['block2']): Reply {
    const options: [OptionName, Buffer | Buffer[]][] = [];
    if (response.contentFormat !== undefined) options.push(['Content-Format', formatUint(response.contentFormat)]);
    if (response.location) options.push(['Location-Path', response.location.map((part) => Buffer.from(part))]);
    const body = response.payload ?? EMPTY;
    const slice = sliceBody(body, response.code === '2.05' ? asked : undefined);
    if (!slice) return bare('4.00');
    if (slice.block) {
      options.push(['Block2', formatBlock(slice.block)]);
      if (slice.etag) options.push(['ETag', slice.etag]);
      if (slice.block.num === 0 && slice.block.more)
        this.bodies.keep(keyOf(request), { payload: body, contentFormat: response.contentFormat });
    }
    const reply: Reply = { code: response.code, options, payload: slice.payload };
    return response.observe ? { ...reply, observe: { ...response.observe, format: response.contentFormat ?? 0 } } : reply;
  }
}

function bare(code: string): Reply {
  return { code, options: [], payload: EMPTY };
}

/** The same for every block of one download; tokens may differ. */
function keyOf(request: DeviceRequest): string {
  const body = request.method === 'FETCH' ? Buffer.from(request.payload).toString('base64') : '';
  return JSON.stringify([request.method, request.path, request.query, request.accept ?? null, body]);
}

function uploadKey(incoming: Incoming): string {
  const { method, path, query, contentFormat } = incoming.request;
  return JSON.stringify([method, path, query, contentFormat ?? null, incoming.requestTag]);
}
