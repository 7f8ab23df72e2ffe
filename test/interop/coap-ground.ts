/** A CoAP endpoint of ours on real sockets, and the resources that foreign CoAP clients are sent to. */
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Code } from '../../lib/coap/codes';
import { CoapEndpoint } from '../../lib/coap/endpoint';
import { OptionNumber } from '../../lib/coap/options';
import type { CoapParams } from '../../lib/coap/params';
import type { BodySink, BodySource, IncomingRequest, IncomingResponse, ObservationReport, RequestSpec } from '../../lib/coap/types';
import { createRealClock } from '../../lib/transport/clock';
import { Driver } from '../../lib/transport/driver';
import type { Peer } from '../../lib/transport/types';
import { UdpTransport } from '../../lib/transport/udp';
import { EventLog } from './event-log';

export interface CoapGround {
  readonly port: number;
  readonly endpoint: CoapEndpoint;
  /** All requests that reached a resource. */
  readonly requests: IncomingRequest[];
  readonly reports: EventLog<ObservationReport>;
  /** What the endpoint reported as its own fault. Empty, or the test fails. */
  readonly errors: unknown[];
  /** Datagrams sent that were the Empty acknowledgement of a slow answer. */
  readonly emptyAcks: () => number;
  /** Sends one request and resolves with its answer; rejects with the reason and detail of a failure. */
  ask(to: { address: string; port: number }, spec: RequestSpec): Promise<IncomingResponse>;
  readonly close: () => Promise<void>;
}

/** A body of 1 MiB comes in 1024 datagrams and more as fast as they are answered, which strangers may not do. */
const unlimited: Partial<CoapParams> = { sourceRate: 0, addressRate: 0 };

/**
 * Opens an endpoint on a free port of all addresses, IPv4 and IPv6. It serves:
 * `/hello` (GET: "hello"), `/store/...` (PUT, GET, DELETE: keeps bodies), `/echo` (POST: gives the body back),
 * `/file` (PUT, GET: keeps one body, which comes and goes block by block, by way of a file on a disk),
 * `/growing` (GET with Observe: "small", then `LARGE` as a notification in blocks),
 * `/slow` (GET: answers only after the Empty acknowledgement), `/count` (GET with Observe: 0, then 1 and 2 as notifications).
 */
export async function openCoapGround(params: Partial<CoapParams> = {}): Promise<CoapGround> {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const driver = new Driver({ clock: createRealClock(), onError });
  const endpoint = new CoapEndpoint({ driver, onError, params: { emptyAckDelay: 50, ...unlimited, ...params } });
  const transport = new CountingTransport({ port: 0 }, endpoint);
  await transport.open();
  const requests: IncomingRequest[] = [];
  const reports = new EventLog<ObservationReport>();
  endpoint.observeReports((report) => reports.push(report));
  const folder = await mkdtemp(path.join(tmpdir(), 'lwm2m-ground-'));
  serve(endpoint, transport, requests, path.join(folder, 'file'));
  return {
    port: transport.port,
    endpoint,
    requests,
    reports,
    errors,
    emptyAcks: () => transport.emptyAcks,
    ask: ({ address, port }, spec) =>
      new Promise((resolve, reject) => {
        endpoint.request(transport.peer(address, port), spec, (outcome) => {
          if (outcome.kind === 'response') resolve(outcome.response);
          else reject(new Error(`${outcome.reason}: ${outcome.detail}`));
        });
      }),
    close: async () => {
      endpoint.close();
      await transport.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** A file that is written block by block. */
export class FileSink implements BodySink {
  readonly #name: string;
  #file: FileHandle | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  async write(data: Uint8Array, offset: number): Promise<void> {
    this.#file ??= await open(this.#name, 'w');
    await this.#file.write(data, 0, data.length, offset);
  }

  end(): void {
    void this.#file?.close();
  }
}

/** A file that is read block by block. */
export async function fileSource(name: string): Promise<BodySource> {
  const file = await open(name, 'r');
  const { size } = await file.stat();
  return {
    size,
    read: async (offset, length) => (await file.read(Buffer.alloc(length), 0, length, offset)).buffer,
    end: () => void file.close(),
  };
}

/** More than a message holds. */
export const LARGE = Array.from({ length: 500 }, (_, index) => `line ${index}`).join(' ');

/** Knows when an Empty acknowledgement has left, so that a slow resource need not measure time. */
class CountingTransport extends UdpTransport {
  emptyAcks = 0;
  onEmptyAck: (() => void) | undefined;

  override send(data: Uint8Array, peer: Peer): void {
    super.send(data, peer);
    if (data.length !== 4 || data[0] !== 0x60) return;
    this.emptyAcks += 1;
    this.onEmptyAck?.();
  }
}

function serve(endpoint: CoapEndpoint, transport: CountingTransport, requests: IncomingRequest[], file: string): void {
  const bodies = new Map<string, Uint8Array>();
  const { GET, POST, PUT, DELETE } = Code;
  const route = (segment: string, methods: readonly number[], handle: (request: IncomingRequest) => void): void => {
    const noted = (request: IncomingRequest): void => {
      requests.push(request);
      handle(request);
    };
    endpoint.route(segment, { methods, handle: noted }, 'interop');
  };
  route('hello', [GET], ({ id }) => endpoint.respond(id, { code: Code.CONTENT, contentFormat: 0, payload: Buffer.from('hello') }));
  route('echo', [POST], ({ id, payload }) => endpoint.respond(id, { code: Code.CHANGED, payload }));
  route('store', [GET, PUT, DELETE], ({ id, code, path: segments, payload }) => {
    const name = segments.join('/');
    const kept = bodies.get(name);
    if (code === PUT) {
      bodies.set(name, payload);
      endpoint.respond(id, { code: kept ? Code.CHANGED : Code.CREATED });
    } else if (code === DELETE) {
      bodies.delete(name);
      endpoint.respond(id, { code: Code.DELETED });
    } else {
      endpoint.respond(id, kept ? { code: Code.CONTENT, payload: kept } : { code: Code.NOT_FOUND });
    }
  });
  endpoint.route(
    'file',
    {
      methods: [GET, PUT],
      accept: () => new FileSink(file),
      handle: (request) => {
        requests.push(request);
        if (request.code === PUT) endpoint.respond(request.id, { code: Code.CHANGED });
        else void fileSource(file).then((body) => endpoint.respond(request.id, { code: Code.CONTENT, body }));
      },
    },
    'interop',
  );
  route('slow', [GET], ({ id }) => {
    transport.onEmptyAck = () => {
      transport.onEmptyAck = undefined;
      endpoint.respond(id, { code: Code.CONTENT, payload: Buffer.from('at last') });
    };
  });
  route('count', [GET], ({ id, options }) => {
    const wanted = options.find(({ number }) => number === OptionNumber.OBSERVE);
    if (!wanted || wanted.value.length > 0) {
      endpoint.respond(id, { code: Code.CONTENT, payload: Buffer.from('done') });
      return;
    }
    endpoint.respond(id, { code: Code.CONTENT, observe: true, payload: Buffer.from('0') });
    for (const value of [1, 2]) {
      endpoint.notify(id, { code: Code.CONTENT, payload: Buffer.from(String(value)), confirmable: value !== 1 });
    }
  });
  route('growing', [GET], ({ id }) => {
    endpoint.respond(id, { code: Code.CONTENT, observe: true, payload: Buffer.from('small') });
    endpoint.notify(id, { code: Code.CONTENT, payload: Buffer.from(LARGE) });
  });
}
