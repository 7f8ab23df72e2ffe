import type { DataNode } from '../lwm2m/types';
import type { Model } from '../model/types';

/** What a codec may know: the path that was asked, and how to look types up for this device. */
export interface CodecContext {
  /** The path of the request (or of the write), 0 to 4 ids. Empty for composites and Send. */
  readonly path: readonly number[];
  readonly model: Model;
  /** Object versions the device registered, so that types are looked up in the right one. */
  readonly versions?: ReadonlyMap<number, string>;
  /** Seconds since 1970, for relative times; default: the current time is not consulted and relative times stay relative to 0. */
  readonly now?: number;
  /** The client's alternate path, e.g. "/lwm2m" (Transport TS 1.1.1 6.4.1): SenML names begin with it. Default none. */
  readonly rootPath?: string;
  /** The prefix of a device behind a gateway, e.g. "dev0" (Gateway TS 1.1.1 9): names and LwM2M CBOR keys begin with it. Default none. */
  readonly prefix?: string;
}

/** One content format: bytes to nodes and back. Pure; throws only `DecodeError` and `EncodeError`. */
export interface Codec {
  readonly name: string;
  /** The CoAP Content-Format number, and older numbers that mean the same. */
  readonly contentFormat: number;
  readonly aliases: readonly number[];
  /** In the order they stand in the payload; SenML with times: every record carries its absolute time. */
  decode(payload: Uint8Array, context: CodecContext): DataNode[];
  encode(nodes: readonly DataNode[], context: CodecContext): Uint8Array;
}
