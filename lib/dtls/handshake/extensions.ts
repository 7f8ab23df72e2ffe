import { Reader, written, type Writer } from '../bytes';
import { ExtensionType } from '../constants';
import { DecodeError } from '../errors';

/** Extensions by their number; the order does not matter. */
export type Extensions = ReadonlyMap<number, Buffer>;

/** More than any client sends. */
const MAX_EXTENSIONS = 64;

/** What is left of a hello message (RFC 5246 7.4.1.4): nothing at all, or one list. One that names a type twice is malformed. */
export function readExtensions(reader: Reader): Extensions {
  const found = new Map<number, Buffer>();
  if (reader.left === 0) return found;
  const list = new Reader(reader.vector(2));
  while (list.left > 0) {
    const type = list.uint(2);
    const data = list.vector(2);
    if (found.has(type)) throw new DecodeError(`extension ${type} is there twice`);
    if (found.size >= MAX_EXTENSIONS) throw new DecodeError('too many extensions');
    found.set(type, data);
  }
  return found;
}

/** The list as it stands at the end of a hello message; no bytes at all when there are none. */
export function writeExtensions(writer: Writer, extensions: Extensions): void {
  if (extensions.size === 0) return;
  const list = writer.open();
  for (const [type, data] of extensions) writer.uint(type, 2).vector(data, 2);
  writer.close(list);
}

/** The groups of `supported_groups`, in the client's order; undefined when the extension is not there (RFC 8422 5.1.1). */
export function readGroups(extensions: Extensions): number[] | undefined {
  const data = extensions.get(ExtensionType.SUPPORTED_GROUPS);
  if (!data) return undefined;
  const reader = new Reader(data);
  const list = new Reader(reader.vector(2, 2));
  reader.end();
  const groups: number[] = [];
  while (list.left > 0) groups.push(list.uint(2));
  return groups;
}

export function writeGroups(groups: readonly number[]): Buffer {
  return written((writer) => {
    const list = writer.open();
    for (const group of groups) writer.uint(group, 2);
    writer.close(list);
  });
}

/** The connection ID its sender wants to be sent (RFC 9146 3), possibly empty; undefined when the extension is not there. */
export function readConnectionId(extensions: Extensions): Buffer | undefined {
  const data = extensions.get(ExtensionType.CONNECTION_ID);
  if (!data) return undefined;
  const reader = new Reader(data);
  const cid = reader.vector(1);
  reader.end();
  return cid;
}

/** Whether the extension of RFC 7627 is there; it must be empty. */
export function readExtendedMasterSecret(extensions: Extensions): boolean {
  const data = extensions.get(ExtensionType.EXTENDED_MASTER_SECRET);
  if (data && data.length > 0) throw new DecodeError('extended_master_secret is not empty');
  return data !== undefined;
}

/** `renegotiated_connection` of RFC 5746; undefined when the extension is not there. */
export function readRenegotiationInfo(extensions: Extensions): Buffer | undefined {
  const data = extensions.get(ExtensionType.RENEGOTIATION_INFO);
  if (!data) return undefined;
  const reader = new Reader(data);
  const info = reader.vector(1);
  reader.end();
  return info;
}
