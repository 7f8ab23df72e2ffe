/** Endpoints and paths to choose from, out of the running Node-RED. Relative addresses and jQuery: Node-RED may live under another root,
 *  and jQuery sends the editor's login along. */
import type { DeviceRow, DevicesAnswer, ObjectRow } from '../admin-types';
import { autoComplete, textOf } from './red';
import type { Suggestion } from './red';

const mostShown = 60;
/** Offered while no device is known: Device, Connectivity Monitoring, Firmware Update, Location, and the common sensors. */
const commonObjects = [3, 4, 5, 6, 3300, 3301, 3303, 3304, 3311, 3313, 3315, 3316, 3323, 3342];

/** How long the names of a server's own definitions are kept. Milliseconds. */
const ownMaxAge = 10_000;

let objects: Promise<ReadonlyMap<number, ObjectRow>> | undefined;

/** Lets the user choose among the devices registered at the server that is chosen in the dialog. */
export function suggestEndpoints($endpoint: JQuery, $server: JQuery): void {
  autoComplete($endpoint, (text, done) => {
    void devicesOf(chosen($server)).then((devices) => {
      const fitting = devices.map(({ endpoint }) => endpoint).filter((endpoint) => endpoint.toLowerCase().includes(text.toLowerCase()));
      done(
        fitting
          .sort()
          .slice(0, mostShown)
          .map((endpoint) => ({ value: endpoint, label: line(endpoint, '') })),
      );
    });
  });
}

/** Lets the user choose a path by number or by name: of the device in the dialog, or of what devices usually have. */
export function suggestPaths($path: JQuery, $server: JQuery, $endpoint: JQuery): void {
  autoComplete($path, (text, done) => {
    void Promise.all([devicesOf(chosen($server)), objectNames(), ownNames(chosen($server))]).then(([devices, names, own]) => {
      const endpoint = textOf($endpoint.val());
      const mine = devices.filter((device) => endpoint === '' || device.endpoint === endpoint);
      const all = instancesOf(mine).flatMap(({ objectId, instanceId }) =>
        paths(own.get(objectId) ?? names.get(objectId), objectId, instanceId),
      );
      const words = text.toLowerCase().split(/\s+/);
      done(all.filter(({ search }) => words.every((word) => search.includes(word))).slice(0, mostShown));
    });
  });
}

function chosen($server: JQuery): string {
  return textOf($server.val());
}

/** Never rejects: without an answer there is nothing to suggest, and the user can type. */
function devicesOf(server: string): Promise<readonly DeviceRow[]> {
  if (server === '' || server === '_ADD_') return Promise.resolve([]);
  return getJson<DevicesAnswer>(`lwm2m/${encodeURIComponent(server)}/devices`).then(
    ({ devices }) => devices,
    () => [],
  );
}

let own = { server: '', until: 0, names: Promise.resolve<ReadonlyMap<number, ObjectRow>>(new Map()) };

/** The objects of the definition files of the chosen server. Never rejects. */
function ownNames(server: string): Promise<ReadonlyMap<number, ObjectRow>> {
  if (server === '' || server === '_ADD_') return Promise.resolve(new Map());
  if (own.server !== server || Date.now() > own.until) {
    const names = getJson<ObjectRow[]>(`lwm2m/${encodeURIComponent(server)}/objects`).then(
      (rows) => new Map(rows.map((row) => [row.id, row])),
      () => new Map<number, ObjectRow>(),
    );
    own = { server, until: Date.now() + ownMaxAge, names };
  }
  return own.names;
}

/** Asked for once a page. Never rejects. */
function objectNames(): Promise<ReadonlyMap<number, ObjectRow>> {
  objects ??= getJson<ObjectRow[]>('lwm2m/objects').then(
    (rows) => new Map(rows.map((row) => [row.id, row])),
    () => {
      objects = undefined;
      return new Map<number, ObjectRow>();
    },
  );
  return objects;
}

function getJson<T>(path: string): Promise<T> {
  return new Promise((resolve, reject) => {
    $.getJSON(path)
      .done((answer: T) => resolve(answer))
      .fail((_request, _status, reason) => reject(new Error(reason)));
  });
}

interface Instance {
  readonly objectId: number;
  readonly instanceId: number;
}

/** Every object instance of the devices once, by number. */
function instancesOf(devices: readonly DeviceRow[]): Instance[] {
  const found = new Map<string, Instance>();
  for (const { objects: links } of devices) {
    for (const { objectId, instanceId = 0 } of links) found.set(`${objectId}/${instanceId}`, { objectId, instanceId });
  }
  if (found.size === 0) return commonObjects.map((objectId) => ({ objectId, instanceId: 0 }));
  return [...found.values()].sort((a, b) => a.objectId - b.objectId || a.instanceId - b.instanceId);
}

/** The instance and its resources. */
function paths(object: ObjectRow | undefined, objectId: number, instanceId: number): (Suggestion & { readonly search: string })[] {
  const base = `/${objectId}/${instanceId}`;
  const objectName = object?.name ?? '';
  return [
    suggestion(base, objectName),
    ...(object?.resources ?? []).map(({ id, name, units }) =>
      suggestion(`${base}/${id}`, `${objectName}: ${name}${units ? ` (${units})` : ''}`),
    ),
  ];
}

function suggestion(value: string, name: string): Suggestion & { readonly search: string } {
  return { value, label: line(value, name), search: `${value} ${name}`.toLowerCase() };
}

function line(value: string, name: string): JQuery {
  const $line = $('<span>').text(value);
  if (name !== '') $('<span>').css({ color: 'var(--red-ui-tertiary-text-color)', marginLeft: '8px' }).text(name).appendTo($line);
  return $line;
}
