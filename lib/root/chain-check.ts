import type { X509Certificate } from 'node:crypto';
import type { ChainVerdict } from '../credentials/certificate-store';

/** Not there yet. */
export function checkChain(_chain: readonly Buffer[], _anchors: readonly X509Certificate[], _now: number): Promise<ChainVerdict> {
  return Promise.resolve({ accepted: false, alert: 46, detail: 'chains are not judged yet' });
}
