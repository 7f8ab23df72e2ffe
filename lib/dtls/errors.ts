import { AlertDescription } from './constants';

/** Bytes that are no message of DTLS. Caught where the record is taken apart; nothing above it sees it. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** Ends a handshake with a fatal alert of this description. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
  readonly description: number;

  constructor(description: number, message: string) {
    super(message);
    this.description = description;
  }
}

/** The alert for what a handshake step threw. */
export function alertFor(error: unknown): number {
  if (error instanceof HandshakeError) return error.description;
  return error instanceof DecodeError ? AlertDescription.DECODE_ERROR : AlertDescription.INTERNAL_ERROR;
}
