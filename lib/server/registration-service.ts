import { namesOf } from '../credentials/device-table';
import { Code, codeText } from '../coap/codes';
import { OptionNumber, textOption, uintOption } from '../coap/options';
import type { IncomingRequest, ResponseSpec } from '../coap/types';
import { sameRoute } from '../transport/route';
import type { Core, Peer } from '../transport/types';
import type { ServerContext } from './context';
import { parseRegister, parseUpdate, type RegisterRequest } from './register-request';
import { registrationKey, updatedKey } from './keeper';
import { observationRequest } from './operation-requests';
import type { ObjectList } from './object-list';
import { isRefusal, printable, refusal, type Refusal } from './refusal';
import { applyUpdate, newRegistration, saysNothingNew } from './registration-facts';
import { newRegistrationId } from './registration-id';
import type { Registered } from './registrations';
import type { Registration, RegistrationEnd } from './types';
import { UnknownObjects } from './unknown-objects';

/** What an operation that ends with its registration is told. */
const ENDINGS: Record<RegistrationEnd, string> = {
  deregistered: 'the device has de-registered meanwhile',
  expired: 'the registration of the device has expired meanwhile',
  replaced: 'the device has registered anew meanwhile',
  revoked: 'the credentials of the device have been removed or changed meanwhile',
};

const LOCATION_RD = textOption(OptionNumber.LOCATION_PATH, 'rd');

/** Lifetimes that end in one turn. */
const MAX_EXPIRED = 200;

/** Max-Age of a 5.03: when a device that could not be let in may try again, in seconds. */
export const RETRY_S = 30;

const UNKNOWN_PROFILE = 'the objects of this profile id (pid) are not known here';
const PROFILE_HINT = 'The device should register again with its full object list.';

/** Diagnostic payloads stay short: they answer unproven peers. */
const MAX_DIAGNOSTIC = 120;

const NOTHING: readonly string[] = [];

/**
 * The registration interface (Core TS 6.2): `POST /rd`, `POST /rd/<id>`, `DELETE /rd/<id>`, and the end of lifetimes.
 * Every event leaves after the answer has been handed to the wire.
 */
export class RegistrationService implements Core {
  readonly methods = [Code.POST, Code.DELETE];
  readonly #context: ServerContext;
  #pauses = 0;
  readonly #unknownObjects = new UnknownObjects();

  constructor(context: ServerContext) {
    this.#context = context;
  }

  handle(request: IncomingRequest): void {
    const [, id, ...rest] = request.path;
    if (rest.length > 0) this.#answer(request, { code: Code.NOT_FOUND });
    else if (id === undefined) {
      if (request.code === Code.POST) this.#register(request);
      else this.#answer(request, { code: Code.METHOD_NOT_ALLOWED });
    } else if (request.code === Code.DELETE) this.#deregister(request, id);
    else this.#update(request, id);
  }

  deadline(): number {
    return this.#pauses > 0 ? Infinity : this.#context.registrations.deadline();
  }

  /** No lifetime ends until the function it returns is called. */
  pauseLifetimes(): () => void {
    this.#pauses++;
    return () => {
      this.#pauses--;
      this.#context.changed();
    };
  }

  advance(now: number): void {
    const { registrations, counters, emit, clock } = this.#context;
    if (this.#pauses > 0) return;
    // After a long standstill many end at once: the rest is due at once again, but other work comes in between.
    for (let count = 0; count < MAX_EXPIRED; count++) {
      const entry = registrations.takeExpired(now);
      if (!entry) return;
      counters.expirations++;
      this.#end(entry, 'expired');
      emit({ kind: 'expired', at: clock.wall(), registration: entry.registration });
    }
  }

  /**
   * A device has a session, its first or another: what belongs to the device goes to it. `lost`: nothing could reach us from the
   * session before, so the device has given up its observations, and is asked for them again.
   */
  sessionOpened(peer: Peer, lost: boolean): void {
    const { registrations, devices } = this.#context;
    const { mode, name } = peer.identity;
    const names = mode === 'x509' ? namesOf(peer.identity) : [devices.endpointOf(peer.identity) ?? ''];
    for (const each of names) {
      const entry = registrations.byEndpoint(each);
      if (entry?.registration.identity.mode !== mode || entry.registration.identity.name !== name) continue;
      this.#reroute(entry, peer);
      const observed = lost ? this.#context.observations.of(entry.registration.id) : [];
      // With their tokens (RFC 7641 3.3.1): what a device has of the session before is replaced, and does not time out and take
      // along what is new, as with Californium.
      if (observed.length > 0) this.#context.observeAgain(entry.registration, observed);
    }
  }

  /** The session of a device is heard from another address. */
  sessionMoved(peer: Peer): void {
    const entry = this.#context.registrations.byPeer(peer);
    if (entry) this.#reroute(entry, peer);
  }

  /** Ends the registration of a device whose proof, or lack of one, does not count any more. */
  revoke(endpoint: string, reason: string): void {
    const { registrations, counters, emit, clock } = this.#context;
    const entry = registrations.byEndpoint(endpoint);
    if (!entry) return;
    registrations.remove(entry);
    counters.revocations++;
    this.#end(entry, 'revoked');
    emit({ kind: 'deregistered', at: clock.wall(), registration: entry.registration, reason });
  }

  #reroute(entry: Registered, peer: Peer): void {
    const { registrations, keeper, emit, clock } = this.#context;
    const { registration: before, peer: from, deadline } = entry;
    const { address, port } = peer;
    const moved = before.address !== address || before.port !== port;
    if (from.key === peer.key && !moved) return;
    const registration = { ...before, address, port };
    registrations.update(entry, registration, peer, deadline.at);
    keeper.touch(registrationKey(before.id));
    if (from.key !== peer.key) this.#follow(entry, from);
    if (moved) emit({ kind: 'address-changed', at: clock.wall(), registration, from: { address: before.address, port: before.port } });
  }

  /** What a device is called that does not say it. */
  #impliedName({ identity }: Peer): string {
    return this.#context.devices.endpointOf(identity) ?? (identity.mode === 'x509' ? identity.name : '');
  }

  #register(request: IncomingRequest): void {
    const { peer } = request;
    if (this.#context.overloaded()) {
      this.#context.counters.shed++;
      this.#answer(request, { code: Code.SERVICE_UNAVAILABLE, options: [uintOption(OptionNumber.MAX_AGE, RETRY_S)] });
      return;
    }
    const parsed = parseRegister(request, this.#impliedName(peer));
    if (isRefusal(parsed)) {
      this.#refuse(request, parsed, request.query.find((item) => item.startsWith('ep='))?.slice(3) ?? '');
      return;
    }
    const verdict = this.#context.devices.mayActFor(peer.identity, parsed.endpoint);
    if (!verdict.allowed) {
      this.#refuse(request, refusal(Code.FORBIDDEN, verdict.reason, verdict.hint), parsed.endpoint);
      return;
    }
    const { registrations, counters, clock, emit, keeper } = this.#context;
    const list = this.#listOf(parsed, peer);
    if (!list) {
      this.#refuse(request, refusal(Code.CONFLICT, UNKNOWN_PROFILE, PROFILE_HINT), parsed.endpoint);
      return;
    }
    const previous = registrations.byEndpoint(parsed.endpoint);
    if (previous) registrations.remove(previous);
    const registration = newRegistration(
      { ...parsed, list },
      peer,
      clock.wall(),
      newRegistrationId((id) => registrations.byId(id) !== undefined),
    );
    registrations.add(registration, peer, this.#expiry(registration.lifetime));
    counters.registers++;
    keeper.touch(registrationKey(registration.id));
    this.#answer(request, {
      code: Code.CREATED,
      options: [LOCATION_RD, textOption(OptionNumber.LOCATION_PATH, registration.id)],
    });
    this.#context.endpoint.setStanding(peer, 'registered');
    this.#context.changed();
    const observed = previous ? this.#context.observations.of(previous.registration.id) : [];
    if (previous) {
      this.#end(previous, 'replaced');
      emit({ kind: 'replaced', at: registration.registeredAt, registration: previous.registration, by: registration });
    }
    emit({ kind: 'registered', at: registration.registeredAt, registration });
    this.#hint(registration);
    if (previous) this.#forgetVanished(registration);
    if (observed.length > 0) this.#context.observeAgain(registration, observed);
    this.#context.heard(registration);
  }

  #update(request: IncomingRequest, id: string): void {
    const { registrations, counters, clock, emit } = this.#context;
    const { peer } = request;
    const entry = registrations.byId(id);
    if (!entry) {
      this.#answer(request, { code: Code.NOT_FOUND });
      return;
    }
    const { registration: before, peer: from } = entry;
    const verdict = this.#context.devices.mayActFor(peer.identity, before.endpoint);
    const parsed = verdict.allowed
      ? parseUpdate(request, before.lwm2mVersion, before.rootPath)
      : refusal(Code.BAD_REQUEST, verdict.reason, verdict.hint);
    if (isRefusal(parsed)) {
      this.#refuse(request, parsed, before.endpoint);
      return;
    }
    const { profiles } = parsed;
    const list = profiles && this.#listOf({ profiles, list: parsed.list }, peer);
    if (profiles && !list) {
      // Transport TS 1.2 6.7 has no 4.09 for Update; on 4.04 every client registers again.
      this.#refuse(request, refusal(Code.NOT_FOUND, UNKNOWN_PROFILE, PROFILE_HINT), before.endpoint);
      return;
    }
    const update = list ? { ...parsed, list } : parsed;
    const at = clock.wall();
    let changed = NOTHING;
    // A session is the same peer wherever it is heard from.
    const moved = before.address !== peer.address || before.port !== peer.port;
    if (!moved && sameRoute(from, peer) && saysNothingNew(update, before)) {
      registrations.updated(entry, at, this.#expiry(before.lifetime));
      this.#context.keeper.note(entry);
    } else {
      const after = applyUpdate(before, update, peer, at);
      registrations.update(entry, after.registration, peer, this.#expiry(after.registration.lifetime));
      this.#context.keeper.touch(registrationKey(id));
      changed = after.changed;
    }
    const { registration } = entry;
    counters.updates++;
    this.#answer(request, { code: Code.CHANGED });
    // The id was sent to this device alone: whoever names it receives what is sent to the device.
    this.#context.endpoint.setStanding(peer, 'proven');
    // Only now: requests that waited leave at once, and must not overtake the answer.
    if (from.key !== peer.key) this.#follow(entry, from);
    this.#context.changed();
    // It may also have turned to another address of ours only.
    if (moved) {
      emit({ kind: 'address-changed', at, registration, from: { address: before.address, port: before.port } });
    }
    emit({ kind: 'updated', at, registration, changed });
    if (changed.includes('objects')) {
      this.#hint(registration);
      this.#forgetVanished(registration);
    }
    this.#context.heard(registration);
  }

  /** An instance that is there again one day is another one. */
  #forgetVanished({ endpoint, objects }: Registration): void {
    const there = new Set(objects.map(({ objectId, instanceId }) => `${objectId}/${instanceId ?? ''}`));
    this.#context.lastValues.drop(
      endpoint,
      ([objectId, instanceId]) => !there.has(`${objectId}/${instanceId}`) && !there.has(`${objectId}/`),
    );
  }

  /** What the device has, by the list it gave and the profiles it named; undefined when a profile is not known. */
  #listOf({ profiles, list }: Pick<RegisterRequest, 'profiles' | 'list'>, { identity }: Peer): ObjectList | undefined {
    return profiles.length === 0 ? list : this.#context.profiles.resolve(identity, profiles, list);
  }

  #hint(registration: Registration): void {
    const { model, clock, emit } = this.#context;
    const text = this.#unknownObjects.hint(registration, model);
    if (text !== undefined) emit({ kind: 'log', at: clock.wall(), registration, level: 'info', text });
  }

  #deregister(request: IncomingRequest, id: string): void {
    const { registrations, counters, clock, emit } = this.#context;
    const entry = registrations.byId(id);
    const verdict = entry && this.#context.devices.mayActFor(request.peer.identity, entry.registration.endpoint);
    if (!entry || !verdict) {
      this.#answer(request, { code: Code.NOT_FOUND });
      return;
    }
    if (!verdict.allowed) {
      this.#refuse(request, refusal(Code.BAD_REQUEST, verdict.reason, verdict.hint), entry.registration.endpoint);
      return;
    }
    registrations.remove(entry);
    counters.deregisters++;
    this.#answer(request, { code: Code.DELETED });
    this.#end(entry, 'deregistered');
    emit({ kind: 'deregistered', at: clock.wall(), registration: entry.registration });
  }

  /**
   * What belongs to the device goes to its new route. Another device may have the old one by now (a NAT gives addresses to
   * others): what is its own stays there.
   */
  #follow({ registration, peer }: Registered, from: Peer): void {
    const { endpoint, registrations, observations } = this.#context;
    if (!registrations.byPeer(from)) {
      endpoint.rebind(from, peer);
      return;
    }
    for (const observation of observations.of(registration.id)) {
      const token = Buffer.from(observation.id, 'hex');
      const last = endpoint.lastNotification(from, token);
      endpoint.forgetObservation(from, token);
      endpoint.adoptObservation(peer, token, observationRequest(observation, registration, this.#context.model, 0), last);
    }
  }

  #end(entry: Registered, reason: RegistrationEnd): void {
    const { registrations, observations, endpoint, emit, clock, keeper, lastValues } = this.#context;
    keeper.touch(registrationKey(entry.registration.id));
    keeper.touch(updatedKey(entry.registration.id));
    if (reason !== 'replaced') lastValues.forget(entry.registration.endpoint);
    // The device may have registered anew by the same route.
    if (!registrations.byPeer(entry.peer)) endpoint.setStanding(entry.peer, 'unproven');
    for (const observation of observations.of(entry.registration.id)) {
      observations.remove(observation);
      endpoint.forgetObservation(entry.peer, Buffer.from(observation.id, 'hex'));
      emit({ kind: 'observation-ended', at: clock.wall(), registration: entry.registration, observation, reason });
    }
    this.#context.endOperations(entry.registration.id, ENDINGS[reason]);
    if (reason !== 'replaced') this.#context.left(entry.registration.endpoint);
  }

  #answer(request: IncomingRequest, response: ResponseSpec): void {
    this.#context.endpoint.respond(request.id, response);
  }

  #refuse(request: IncomingRequest, why: Refusal, endpoint: string): void {
    const { counters, emit, clock } = this.#context;
    counters.refused++;
    this.#answer(request, { code: why.code, payload: Buffer.from(why.reason, 'utf8').subarray(0, MAX_DIAGNOSTIC) });
    const { address, port } = request.peer;
    emit({
      kind: 'refused',
      at: clock.wall(),
      endpoint: printable(endpoint),
      address,
      port,
      code: codeText(why.code),
      reason: why.reason,
      hint: why.hint,
    });
  }

  /** Lifetime 0 never ends (Core TS 1.1 6.2.1). */
  #expiry(lifetime: number): number {
    return lifetime === 0 ? Infinity : this.#context.clock.now() + lifetime * 1000;
  }
}
