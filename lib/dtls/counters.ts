import type { DtlsCounters } from './types';

export function newCounters(): DtlsCounters {
  return {
    datagrams: 0,
    records: 0,
    malformedDatagrams: 0,
    malformedHellos: 0,
    fragmentedHellos: 0,
    helloVerifyRequests: 0,
    wrongCookies: 0,
    spentHellos: 0,
    rateLimited: 0,
    handshakesStarted: 0,
    handshakesCompleted: 0,
    handshakesFailed: 0,
    handshakesDisplaced: 0,
    unknownCids: 0,
    unknownPeers: 0,
    plaintextIgnored: 0,
    replayedRecords: 0,
    forgedRecords: 0,
    quietRecords: 0,
    malformedRecords: 0,
    reassemblyRefused: 0,
    retransmissions: 0,
    moves: 0,
    sendsRefused: 0,
    sessionsEvicted: 0,
    reportsSuppressed: 0,
    internalErrors: 0,
  };
}
