import type { Lwm2mVersion, Value } from '../lwm2m/types';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'FETCH' | 'PATCH' | 'iPATCH' | 'unknown';

/** A request as the device sees it; numbers are CoAP's own (Content-Format, Accept, Observe). */
export interface DeviceRequest {
  readonly method: Method;
  /** The Uri-Path options, one text each. */
  readonly path: readonly string[];
  /** The Uri-Query options, one text each. */
  readonly query: readonly string[];
  readonly contentFormat?: number;
  readonly accept?: number;
  readonly observe?: number;
  readonly payload: Uint8Array;
}

/** What the device answers. `code` as text, "2.05". */
export interface DeviceResponse {
  readonly code: string;
  readonly contentFormat?: number;
  readonly payload?: Uint8Array;
  /** Location-Path of a created instance. */
  readonly location?: readonly string[];
  /** Only with 2.05: the path that the requester now observes, or observes no longer. */
  readonly observe?: { readonly kind: 'start' | 'cancel'; readonly path: readonly number[] };
}

/** A resource's value: one, or one per resource instance; null when it is there without a value (an executable one, too). */
export type ResourceValue = Value | ReadonlyMap<number, Value> | null;

/** Values by resource id. */
export type Instance = Map<number, ResourceValue>;

/** One object of the device: plain data, changed by `tick`, by the server and by the flow. */
export interface DeviceObject {
  readonly id: number;
  readonly version: string;
  readonly instances: Map<number, Instance>;
}

/** What an operation or the passing of time asks the device to do afterwards. */
export type DeviceAction = 'update' | 'objects-changed' | 'reboot' | 'factory-reset';

export type DeviceState = 'resolving' | 'registering' | 'registered' | 'updating' | 'refused' | 'unreachable' | 'stopped';

export type DeviceEvent =
  | { readonly kind: 'state'; readonly state: DeviceState; readonly detail?: string }
  /** The server wrote this resource. `value` as in `SimulatedDevice.get`. */
  | { readonly kind: 'written'; readonly path: string; readonly value: DeviceValue }
  | { readonly kind: 'executed'; readonly path: string; readonly args: string }
  /** Something went wrong that the device survived. */
  | { readonly kind: 'error'; readonly error: Error };

/** As flows have them (time in epoch milliseconds). A single value, or values by instance, resource or resource instance id; null for an empty one. */
export type DeviceValue = Value | null | { readonly [id: string]: DeviceValue };

export type { Lwm2mVersion };

/** A `set` or an option that cannot be; `code` says which. */
export class DeviceError extends Error {
  readonly code: 'BAD_OPTION' | 'BAD_PATH' | 'BAD_VALUE' | 'NOT_FOUND';

  constructor(code: DeviceError['code'], message: string) {
    super(message);
    this.name = 'DeviceError';
    this.code = code;
  }
}
