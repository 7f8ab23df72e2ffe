import type { FailureCode, Registration } from '../server/types';

/** A command as a flow gives it. */
export interface Command {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** How values of object instances are keyed. */
export type InstanceKeys = 'id' | 'name';

export interface RpcOptions {
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
