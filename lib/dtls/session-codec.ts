import type { Identity } from '../transport/types';
import { Reader, uint, vector } from './bytes';
import { MAX_SEQUENCE, suiteById } from './constants';
import { DecodeError } from './errors';
import type { SessionState } from './types';

/** First byte of the form below; another form gets another. */
const VERSION = 1;
const MODES: readonly Identity['mode'][] = ['none', 'psk', 'rpk', 'x509'];

/** The state of a session as bytes: keys in the clear, to be sealed by whoever keeps them. */
export function encodeSession(state: SessionState): Buffer {
  const [newest, low, high] = state.window;
  const words = Buffer.alloc(20);
  words.writeUIntBE(state.sendSeq, 0, 6);
  // The newest number received, or that there is none yet, counted from 1.
  words.writeUIntBE(newest + 1, 6, 6);
  words.writeUInt32BE(low, 12);
  words.writeUInt32BE(high, 16);
  return Buffer.concat([
    uint(VERSION, 1),
    vector(Buffer.from(state.key), 1),
    uint(state.role === 'client' ? 1 : 0, 1),
    uint(state.suite, 2),
    state.writeKey,
    state.writeSalt,
    state.readKey,
    state.readSalt,
    vector(state.peerCid, 1),
    vector(state.ownCid, 1),
    words,
    vector(Buffer.from(state.address), 1),
    uint(state.port, 2),
    uint(MODES.indexOf(state.identity.mode), 1),
    vector(Buffer.from(state.identity.name), 2),
    ...(state.identity.aliases ?? []).map((alias) => vector(Buffer.from(alias), 2)),
  ]);
}

/** Undefined for whatever `encodeSession` of this version did not write. */
export function decodeSession(bytes: Buffer): SessionState | undefined {
  try {
    return read(new Reader(Buffer.from(bytes)));
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function read(reader: Reader): SessionState {
  if (reader.uint(1) !== VERSION) throw new DecodeError('another version');
  const key = reader.vector(1, 1).toString();
  const role = reader.uint(1);
  const suite = reader.uint(2);
  const [writeKey, writeSalt, readKey, readSalt] = [reader.take(16), reader.take(4), reader.take(16), reader.take(4)];
  const peerCid = reader.vector(1);
  const ownCid = reader.vector(1);
  const words = reader.take(20);
  const address = reader.vector(1, 1).toString();
  const port = reader.uint(2);
  const mode = MODES[reader.uint(1)];
  const name = reader.vector(2).toString();
  const aliases: string[] = [];
  while (mode === 'x509' && reader.left > 0) aliases.push(reader.vector(2, 1).toString());
  reader.end();
  const sendSeq = words.readUIntBE(0, 6);
  if (!mode || mode === 'none' || role > 1 || !suiteById(suite) || port === 0 || sendSeq >= MAX_SEQUENCE) {
    throw new DecodeError('no session');
  }
  return {
    key,
    role: role === 1 ? 'client' : 'server',
    suite,
    writeKey,
    writeSalt,
    readKey,
    readSalt,
    peerCid,
    ownCid,
    sendSeq,
    window: [words.readUIntBE(6, 6) - 1, words.readUInt32BE(12), words.readUInt32BE(16)],
    address,
    port,
    identity: { scheme: 'coaps', mode, name, ...(aliases.length > 0 && { aliases }) },
  };
}
