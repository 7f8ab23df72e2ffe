import { ContentType, HANDSHAKE_HEADER, RECORD_HEADER } from '../constants';
import { plainRecord } from '../record/codec';
import type { SecureLink } from '../record/link';
import { writeFragment } from './messages';

/** One step of a flight: a handshake message of an epoch, or a ChangeCipherSpec. */
export type FlightStep =
  | { readonly kind: 'message'; readonly type: number; readonly messageSeq: number; readonly body: Buffer; readonly epoch: 0 | 1 }
  | { readonly kind: 'change-cipher-spec' };

/** What a flight is written with. `plainSeq` is the number of the next record of epoch 0, `recordSize` the largest plaintext of a record. */
export interface FlightWriter {
  plainSeq: number;
  readonly recordSize: number;
  readonly link: SecureLink | undefined;
}

/** A fragment smaller than this is not worth a datagram; the start of a hello must hold its cookie. */
const MIN_FRAGMENT = 64;

/**
 * The flight as datagrams of at most `mtu` bytes and no more than a record may have, under new record numbers: messages in as many fragments as it takes, and as
 * many records in a datagram as fit (RFC 6347 4.2.3, 4.1.1).
 */
export function writeFlight(steps: readonly FlightStep[], writer: FlightWriter, mtu: number): Buffer[] {
  const datagrams: Buffer[] = [];
  // Devices with a limit have room for a datagram of one such record, and Scandium cuts off what is beyond.
  const most = Math.min(mtu, writer.recordSize + RECORD_HEADER);
  let records: Buffer[] = [];
  let size = 0;
  const put = (record: Buffer): void => {
    if (size > 0 && size + record.length > most) {
      datagrams.push(Buffer.concat(records));
      records = [];
      size = 0;
    }
    records.push(record);
    size += record.length;
  };
  for (const step of steps) {
    if (step.kind === 'change-cipher-spec') {
      put(plainRecord(ContentType.CHANGE_CIPHER_SPEC, writer.plainSeq++, Buffer.from([1])));
      continue;
    }
    const { link } = writer;
    const overhead = HANDSHAKE_HEADER + (step.epoch === 0 ? RECORD_HEADER : (link?.overhead ?? 0));
    const mostOfRecord = Math.min(writer.recordSize, step.epoch === 0 ? Infinity : (link?.maxData ?? 0)) - HANDSHAKE_HEADER;
    const largest = Math.min(Math.max(MIN_FRAGMENT, most - overhead), mostOfRecord);
    let offset = 0;
    do {
      const room = most - size - overhead;
      const rest = step.body.length - offset;
      // What is left of a datagram is used when a fair piece fits into it.
      const piece = Math.min(rest, room >= Math.min(rest, MIN_FRAGMENT) ? Math.min(room, largest) : largest);
      const fragment = writeFragment(step.type, step.messageSeq, step.body, offset, piece);
      if (step.epoch === 0) put(plainRecord(ContentType.HANDSHAKE, writer.plainSeq++, fragment));
      else if (link?.canSend) put(link.seal(ContentType.HANDSHAKE, fragment));
      offset += piece;
    } while (offset < step.body.length);
  }
  if (records.length > 0) datagrams.push(Buffer.concat(records));
  return datagrams;
}
