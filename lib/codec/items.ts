import type { Numeric } from './numbers';

/** One value as a JSON or CBOR payload holds it; for an array or a map only its kind, its reader then stands at the first member. */
export type Item =
  | ({ readonly kind: 'number' } & Numeric)
  | { readonly kind: 'string'; readonly value: string }
  /** A view on the payload. */
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** CBOR tags 0 and 1: seconds since 1970. */
  | { readonly kind: 'time'; readonly value: number }
  | { readonly kind: 'null' }
  | { readonly kind: 'array' }
  | { readonly kind: 'map' };

export const NULL: Item = { kind: 'null' };
export const ARRAY: Item = { kind: 'array' };
export const MAP: Item = { kind: 'map' };
