export { decodeValue, encodeValue } from './codec';
export { Journal } from './journal';
export type { FlushResult, JournalOptions, JournalReport, JournalStats, JournalValue } from './journal';
export { openStore } from './open';
export type { OpenedStore, OpenStoreOptions } from './open';
export { pagesOf } from './pages';
export { openSealer } from './seal';
export type { OpenSealerOptions, Sealer, Unsealed } from './seal';
export * from './types';
