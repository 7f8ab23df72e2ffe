import { DtlsTransport } from '../../lib/dtls/transport';
import type { DtlsReport } from '../../lib/dtls/types';
import type { Driver } from '../../lib/transport/driver';
import { pskName } from '../../lib/transport/identity';
import type { TransportSink } from '../../lib/transport/types';
import type { Random } from './random';
import { SUITES } from './secure-side';

export interface SecureServerOptions {
  readonly driver: Driver;
  readonly sink: TransportSink;
  readonly random: Random;
  /** The key of an identity, by its name. */
  readonly key: (identity: string) => Uint8Array | undefined;
  readonly onReport: (report: DtlsReport) => void;
  readonly onError: (error: unknown) => void;
}

/** The server's end of DTLS, as the tests of other floors want it: repeatable, and in want of no turn of the loop. */
export function secureServer({ random, key, ...options }: SecureServerOptions): DtlsTransport {
  return new DtlsTransport({
    ...options,
    keys: { psk: (identity) => key(pskName(identity)) },
    random: { bytes: (count) => random.bytes(count), float: () => random.next() },
    suites: SUITES,
    // Tests make more sessions at one moment than one address may.
    limits: { sourceRate: 0, totalRate: 0 },
  });
}
