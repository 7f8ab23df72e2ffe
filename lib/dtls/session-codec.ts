import type { Identity } from '../transport/types';
import { EMPTY, Reader, uint, vector } from './bytes';
import { MAX_PLAINTEXT, MAX_SEQUENCE, suiteById } from './constants';
import type { WriteKeys } from './crypto/prf';
import { DecodeError } from './errors';
import type { SessionState } from './types';

/** First byte of the form below; another form gets another. Those before had no limit on records, and the first keys for AEAD only. */
const VERSION = 3;
const UNLIMITED = 2;
const AEAD_ONLY = 1;
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
    uint(state.encryptThenMac ? 1 : 0, 1),
    state.writeKey,
    vector(state.writeSalt, 1),
    vector(state.writeMac, 1),
    state.readKey,
    vector(state.readSalt, 1),
    vector(state.readMac, 1),
    vector(state.peerCid, 1),
    vector(state.ownCid, 1),
    uint(state.recordSize, 2),
    words,
    vector(Buffer.from(state.address), 1),
    uint(state.port, 2),
    uint(MODES.indexOf(state.identity.mode), 1),
    vector(Buffer.from(state.identity.name), 2),
    ...(state.identity.aliases ?? []).map((alias) => vector(Buffer.from(alias), 2)),
  ]);
}

/** Undefined for whatever `encodeSession` of this version or those before did not write. */
export function decodeSession(bytes: Buffer): SessionState | undefined {
  try {
    return readState(new Reader(Buffer.from(bytes)));
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function readState(reader: Reader): SessionState {
  const version = reader.uint(1);
  if (version !== VERSION && version !== UNLIMITED && version !== AEAD_ONLY) throw new DecodeError('another version');
  const key = reader.vector(1, 1).toString();
  const role = reader.uint(1);
  const suite = reader.uint(2);
  const flags = version === AEAD_ONLY ? 0 : reader.uint(1);
  const write = readKeys(reader, version);
  const read = readKeys(reader, version);
  const peerCid = reader.vector(1);
  const ownCid = reader.vector(1);
  const recordSize = version === VERSION ? reader.uint(2) : MAX_PLAINTEXT;
  const words = reader.take(20);
  const address = reader.vector(1, 1).toString();
  const port = reader.uint(2);
  const mode = MODES[reader.uint(1)];
  const name = reader.vector(2).toString();
  const aliases: string[] = [];
  while (mode === 'x509' && reader.left > 0) aliases.push(reader.vector(2, 1).toString());
  reader.end();
  const sendSeq = words.readUIntBE(0, 6);
  const cipher = suiteById(suite)?.cipher;
  const fits = ({ salt, mac }: WriteKeys): boolean =>
    cipher === 'cbc' ? salt.length === 0 && mac.length === 32 : salt.length === 4 && mac.length === 0;
  if (!cipher || !fits(write) || !fits(read) || flags > (cipher === 'cbc' ? 1 : 0)) throw new DecodeError('no keys');
  if (!mode || mode === 'none' || role > 1 || port === 0 || sendSeq >= MAX_SEQUENCE || recordSize > MAX_PLAINTEXT) {
    throw new DecodeError('no session');
  }
  return {
    key,
    role: role === 1 ? 'client' : 'server',
    suite,
    writeKey: write.key,
    writeSalt: write.salt,
    writeMac: write.mac,
    readKey: read.key,
    readSalt: read.salt,
    readMac: read.mac,
    encryptThenMac: flags === 1,
    peerCid,
    ownCid,
    recordSize,
    sendSeq,
    window: [words.readUIntBE(6, 6) - 1, words.readUInt32BE(12), words.readUInt32BE(16)],
    address,
    port,
    identity: { scheme: 'coaps', mode, name, ...(aliases.length > 0 && { aliases }) },
  };
}

function readKeys(reader: Reader, version: number): WriteKeys {
  const key = reader.take(16);
  if (version === AEAD_ONLY) return { key, salt: reader.take(4), mac: EMPTY };
  return { key, salt: reader.vector(1), mac: reader.vector(1) };
}
