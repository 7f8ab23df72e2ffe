import { Reader, written, type Writer } from '../bytes';
import { CertificateTypeNumber, ExtensionType } from '../constants';
import { DecodeError } from '../errors';
import type { CertificateType } from '../types';

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
  return readNumbers(extensions, ExtensionType.SUPPORTED_GROUPS);
}

/** `signature_algorithms`, the peer's preferred first; undefined when the extension is not there (RFC 5246 7.4.1.4.1). */
export function readSignatureAlgorithms(extensions: Extensions): number[] | undefined {
  return readNumbers(extensions, ExtensionType.SIGNATURE_ALGORITHMS);
}

/** A list of numbers of two bytes. */
function readNumbers(extensions: Extensions, type: number): number[] | undefined {
  const data = extensions.get(type);
  if (!data) return undefined;
  const reader = new Reader(data);
  const list = new Reader(reader.vector(2, 2));
  reader.end();
  const numbers: number[] = [];
  while (list.left > 0) numbers.push(list.uint(2));
  return numbers;
}

/** The form that `readGroups` and `readSignatureAlgorithms` read. */
export function writeNumbers(numbers: readonly number[]): Buffer {
  return written((writer) => {
    const list = writer.open();
    for (const number of numbers) writer.uint(number, 2);
    writer.close(list);
  });
}

type CertificateTypeExtension = typeof ExtensionType.CLIENT_CERTIFICATE_TYPE | typeof ExtensionType.SERVER_CERTIFICATE_TYPE;

/** The types of certificates a client names (RFC 7250 3); those we do not know are left out. Undefined when the extension is not there. */
export function readCertificateTypes(extensions: Extensions, type: CertificateTypeExtension): CertificateType[] | undefined {
  const data = extensions.get(type);
  if (!data) return undefined;
  const reader = new Reader(data);
  const list = reader.vector(1, 1);
  reader.end();
  return Array.from(list).flatMap((number) => certificateType(number) ?? []);
}

/** The type a server has chosen; undefined for one it cannot have been offered. */
export function readChosenCertificateType(extensions: Extensions, type: CertificateTypeExtension): CertificateType | undefined {
  const data = extensions.get(type);
  // Without the answer it is X.509.
  if (!data) return 'x509';
  return data.length === 1 ? certificateType(data[0]!) : undefined;
}

function certificateType(number: number): CertificateType | undefined {
  if (number === CertificateTypeNumber.x509) return 'x509';
  return number === CertificateTypeNumber.rpk ? 'rpk' : undefined;
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
  return readFlag(extensions, ExtensionType.EXTENDED_MASTER_SECRET);
}

/** Whether the extension of RFC 7366 is there; it must be empty. */
export function readEncryptThenMac(extensions: Extensions): boolean {
  return readFlag(extensions, ExtensionType.ENCRYPT_THEN_MAC);
}

function readFlag(extensions: Extensions, type: number): boolean {
  const data = extensions.get(type);
  if (data && data.length > 0) throw new DecodeError(`extension ${type} is not empty`);
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
