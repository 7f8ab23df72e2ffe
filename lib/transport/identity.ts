import type { Identity } from './types';

/** A peer on plain CoAP: nothing is proven. */
export const NO_IDENTITY: Identity = Object.freeze({ scheme: 'coap', mode: 'none', name: '' });
