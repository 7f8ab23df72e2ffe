import { StoreError } from './types';
import type { StoreErrorCode } from './types';

/** What went wrong with the database or a file, in the words of a store. */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const cause = innermost(error);
  const code = kindOf(cause);
  return new StoreError(code, TEXTS[code](cause.message), cause);
}

const TEXTS: Readonly<Record<StoreErrorCode, (detail: string) => string>> = {
  BAD_KEY: (detail) => `The key is wrong: ${detail}`,
  BAD_VALUE: (detail) => `The value is wrong: ${detail}`,
  DISK_FULL: (detail) => `There is no room on the disk: ${detail}`,
  READ_ONLY: (detail) => `The folder cannot be written: ${detail}`,
  DAMAGED: (detail) => `What is on the disk does not fit together: ${detail}`,
  CLOSED: () => 'The store is closed.',
  FAILED: (detail) => `The store failed: ${detail}`,
};

/** LevelDB tells the errors of the operating system in English text only. */
const MESSAGES: readonly (readonly [RegExp, StoreErrorCode])[] = [
  [/no space left|file too large|quota exceeded|not enough space|disk is full/i, 'DISK_FULL'],
  [/read-only file system|permission denied|not permitted|access is denied/i, 'READ_ONLY'],
  [/no such file|cannot find the file|input\/output error/i, 'DAMAGED'],
];

function kindOf(cause: Error): StoreErrorCode {
  switch (codeOf(cause)) {
    case 'ENOSPC':
    case 'EFBIG':
    case 'EDQUOT':
      return 'DISK_FULL';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'READ_ONLY';
    case 'EIO':
    case 'LEVEL_CORRUPTION':
      return 'DAMAGED';
    case 'LEVEL_LOCKED':
      return 'FAILED';
    default:
      return MESSAGES.find(([pattern]) => pattern.test(cause.message))?.[1] ?? 'FAILED';
  }
}

/** "Database failed to open" and the like say why in their cause. */
function innermost(error: unknown): Error {
  let found = error instanceof Error ? error : new Error(String(error));
  for (let depth = 0; depth < 5 && found.cause instanceof Error; depth += 1) found = found.cause;
  return found;
}

/** The code of an error of Node.js or of LevelDB. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
