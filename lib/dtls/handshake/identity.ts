import { pskName } from '../../transport/identity';
import type { Identity } from '../../transport/types';

export function pskIdentity(identity: Uint8Array): Identity {
  return { scheme: 'coaps', mode: 'psk', name: pskName(identity) };
}
