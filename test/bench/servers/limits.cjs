'use strict';
/** Far more than the load sends. Not 0, which would switch the counting off and with it what it costs. */
const NO_LIMIT = 1_000_000_000;

/**
 * The limits raised for the load: all its devices share one address, and each sends as fast as it is answered. All others stay at
 * their defaults.
 */
exports.raised = { sourceRate: NO_LIMIT, sourceBurst: NO_LIMIT, addressRate: NO_LIMIT, addressBurst: NO_LIMIT };
