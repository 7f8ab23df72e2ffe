import type { Peer } from '../transport/types';
import { objectVersions, type ObjectList } from './object-list';
import { mergeExtra, type RegisterRequest, type UpdateRequest } from './register-request';
import type { Registration } from './types';

const NO_EXTRA: Registration['extra'] = Object.freeze({});

/** The registration that a Register makes, `at` epoch ms. */
export function newRegistration(
  request: RegisterRequest & { readonly list: ObjectList },
  peer: Peer,
  at: number,
  id: string,
): Registration {
  const { endpoint, lwm2mVersion, lifetime, binding, queueMode, smsNumber, extra, list } = request;
  const registration: Registration = {
    id,
    endpoint,
    lwm2mVersion,
    lifetime,
    binding,
    queueMode,
    extra: isEmpty(extra) ? NO_EXTRA : extra,
    rootPath: list.rootPath ?? '',
    contentFormats: list.contentFormats,
    objects: list.objects,
    versions: objectVersions(list, lwm2mVersion),
    identity: peer.identity,
    address: peer.address,
    port: peer.port,
    registeredAt: at,
    updatedAt: at,
    lastSeenAt: at,
  };
  return smsNumber === undefined ? registration : { ...registration, smsNumber };
}

/** Does an Update only say that the device is still there. */
export function saysNothingNew({ list, lifetime, binding, queueMode, smsNumber, extra }: UpdateRequest, before: Registration): boolean {
  return (
    list === undefined &&
    (lifetime === undefined || lifetime === before.lifetime) &&
    (binding === undefined || binding === before.binding) &&
    (queueMode === undefined || queueMode === before.queueMode) &&
    (smsNumber === undefined || smsNumber === before.smsNumber) &&
    isEmpty(extra)
  );
}

function isEmpty(extra: Readonly<Record<string, string>>): boolean {
  for (const name in extra) if (Object.hasOwn(extra, name)) return false;
  return true;
}

/** The registration after an Update, and the names of what is different. */
export function applyUpdate(
  before: Registration,
  update: UpdateRequest,
  peer: Peer,
  at: number,
): { registration: Registration; changed: string[] } {
  const { list } = update;
  const registration: Registration = {
    ...before,
    lifetime: update.lifetime ?? before.lifetime,
    binding: update.binding ?? before.binding,
    queueMode: update.queueMode ?? before.queueMode,
    extra: mergeExtra(before.extra, update.extra),
    ...(update.smsNumber !== undefined && { smsNumber: update.smsNumber }),
    ...(list && {
      objects: list.objects,
      versions: objectVersions(list, before.lwm2mVersion),
      rootPath: list.rootPath ?? before.rootPath,
      ...(list.contentFormats.length > 0 && { contentFormats: list.contentFormats }),
    }),
    identity: peer.identity,
    address: peer.address,
    port: peer.port,
    updatedAt: at,
    lastSeenAt: at,
  };
  const changed: string[] = [];
  if (registration.lifetime !== before.lifetime) changed.push('lifetime');
  if (registration.binding !== before.binding) changed.push('binding');
  if (registration.queueMode !== before.queueMode) changed.push('queueMode');
  if (registration.smsNumber !== before.smsNumber) changed.push('smsNumber');
  if (registration.address !== before.address || registration.port !== before.port) changed.push('address');
  if (list && objectsKey(registration) !== objectsKey(before)) changed.push('objects');
  return { registration, changed };
}

function objectsKey({ objects, versions }: Registration): string {
  return objects.map(({ objectId, instanceId }) => `${objectId}_${versions.get(objectId)}/${instanceId ?? ''}`).join(',');
}
