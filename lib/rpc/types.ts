import type { FailureCode, Registration } from '../server/types';

/** A command as a flow gives it. */
export interface Command {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** What stands beside `params` that are the keys of a profile, and not names of ours: `timeout` and the like. */
  readonly beside?: Readonly<Record<string, unknown>>;
}

/** How values of object instances are keyed. */
export type InstanceKeys = 'id' | 'name';

/** Names for paths, e.g. `{ batteryLevel: '/3/0/9' }`. */
export type KeyTable = Readonly<Record<string, string>>;

/** How answers look: values as the message contract has them, or the texts of the IoT Hub. */
export type AnswerForm = 'values' | 'iot-hub';

export interface RpcOptions {
  /** What `key`, `keys` and the keys in `nodes` stand for. Default none. */
  readonly keys?: KeyTable;
  /** Default 'values'. */
  readonly answers?: AnswerForm;
  /** Composite commands are done path by path, for devices without composite operations. Default false. */
  readonly oneByOne?: boolean;
  readonly instanceKeys?: InstanceKeys;
  /** Milliseconds. */
  readonly timeout?: number;
  /** Refuse to write values outside the definition's range or enumeration. Default: warn. */
  readonly strict?: boolean;
}

/** The `msg.payload` of `lwm2m-rpc`, and what goes into `msg.lwm2m`. */
export interface RpcResult {
  readonly payload: { readonly result: string; readonly value?: unknown; readonly error?: string };
  /** Set when the command was not done at all: the node ends in done(error) with this code. */
  readonly failure?: FailureCode;
  readonly path?: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly registration?: Registration;
}
