import { Code } from '../coap/codes';
import { OptionNumber, uintOption } from '../coap/options';
import type { IncomingRequest } from '../coap/types';
import { decodePayload } from '../codec/index';
import { DecodeError } from '../codec/errors';
import { formatPath } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import type { ServerContext } from './context';
import { RETRY_S } from './registration-service';
import { markSeen, type Registered } from './registrations';
import type { Registration } from './types';

/** Content formats a Send may have (Core TS 1.1 6.4.6, and LwM2M CBOR since 1.2). */
const SEND_FORMATS = new Set([110, 112, 11_544]);

/** Send (Core TS 1.1 6.4.6): `POST /dp`. The device is known by its route, for the message carries no name. */
export class SendService {
  readonly methods = [Code.POST];
  readonly #context: ServerContext;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  handle(request: IncomingRequest): void {
    const { registrations, counters, clock, emit, devices } = this.#context;
    const entry = registrations.byPeer(request.peer);
    if (request.path.length > 1 || !entry) {
      this.#answer(request, Code.NOT_FOUND, entry ? '' : 'no registration found');
      return;
    }
    if (!devices.mayActFor(request.peer.identity, entry.registration.endpoint).allowed) {
      this.#answer(request, Code.BAD_REQUEST, 'not allowed');
      return;
    }
    if (this.#context.overloaded()) {
      counters.shed++;
      const options = [uintOption(OptionNumber.MAX_AGE, RETRY_S)];
      this.#context.endpoint.respond(request.id, { code: Code.SERVICE_UNAVAILABLE, options });
      return;
    }
    const nodes = this.#decode(request, entry);
    if (nodes === undefined) return;
    counters.sends++;
    this.#answer(request, Code.CHANGED);
    const at = clock.wall();
    markSeen(entry.registration, at);
    this.#context.lastValues.learn(entry.registration.endpoint, nodes, at);
    emit({ kind: 'send', at, registration: entry.registration, nodes, contentFormat: request.contentFormat });
    this.#context.heard(entry.registration);
  }

  /** Answers and returns undefined when the payload is not a proper Send. */
  #decode(request: IncomingRequest, { registration }: Registered): DataNode[] | undefined {
    const { contentFormat, payload } = request;
    if (contentFormat === undefined || !SEND_FORMATS.has(contentFormat)) {
      this.#answer(request, Code.UNSUPPORTED_CONTENT_FORMAT, 'a Send must be SenML JSON (110), SenML CBOR (112) or LwM2M CBOR (11544)');
      return undefined;
    }
    try {
      const now = this.#context.clock.wall() / 1000;
      const { versions, rootPath } = registration;
      const nodes = decodePayload(contentFormat, payload, { path: [], model: this.#context.model, versions, rootPath, now });
      const known = registeredPaths(registration);
      const stranger = nodes.find(({ path }) => !known.has(`${path[0]}`) && !known.has(`${path[0]}/${path[1]}`));
      if (!stranger) return nodes;
      this.#answer(request, Code.NOT_FOUND, `${formatPath(stranger.path)} is not registered`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const { counters, emit, clock } = this.#context;
      counters.undecodable++;
      this.#answer(request, Code.BAD_REQUEST, error.message);
      emit({
        kind: 'log',
        at: clock.wall(),
        registration,
        level: 'warn',
        text: `A Send is lost: its payload cannot be read: ${error.message}`,
      });
    }
    return undefined;
  }

  #answer(request: IncomingRequest, code: number, diagnostic = ''): void {
    this.#context.endpoint.respond(request.id, { code, payload: Buffer.from(diagnostic, 'utf8').subarray(0, 120) });
  }
}

/** "3303" where an object was registered without its instances, as some clients do, who never tell of new ones; else "3303/0". */
function registeredPaths({ objects }: Registration): ReadonlySet<string> {
  return new Set(objects.map(({ objectId, instanceId }) => (instanceId === undefined ? `${objectId}` : `${objectId}/${instanceId}`)));
}
