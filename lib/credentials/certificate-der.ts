import { X509Certificate } from 'node:crypto';

/** What of a certificate (RFC 5280 4.1) node does not tell, or tells as text only. */
export interface CertificateFacts {
  readonly certificate: X509Certificate;
  /** Bits of the key usage, the first the highest of the first byte; undefined where it has none. */
  readonly keyUsage: Buffer | undefined;
  /** Purposes, as DER of their OIDs in hex; undefined where it has none. */
  readonly purposes: readonly string[] | undefined;
  /** Undefined: it may not sign others. `Infinity`: chains of any length. */
  readonly pathLength: number | undefined;
  /** Signature algorithm, as DER of its OID in hex. */
  readonly signature: string;
  readonly names: readonly CertificateName[];
  /** An extension that must be understood and is not, or one that is there twice, as DER of its OID in hex. */
  readonly obstacle: string | undefined;
}

export interface CertificateName {
  readonly kind: 'cn' | 'uri' | 'dns';
  readonly name: string;
}

/** Bytes of the largest certificate that is looked at. */
const MAX_CERTIFICATE = 16 * 1024;
const MAX_NAMES = 64;
const MAX_NAME = 255;

const Oid = {
  commonName: '550403',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  certificatePolicies: '551d20',
  extendedKeyUsage: '551d25',
} as const;
const UNDERSTOOD: readonly string[] = Object.values(Oid);
/** Never passed over, critical or not: 2.5.29.30, name constraints. */
const NAME_CONSTRAINTS = '551d1e';

interface Item {
  readonly tag: number;
  readonly body: Buffer;
}

/** Undefined for what is no certificate of version 3 or below in DER. */
export function readFacts(der: Buffer): CertificateFacts | undefined {
  if (der.length > MAX_CERTIFICATE) return undefined;
  try {
    return facts(new X509Certificate(der));
  } catch {
    return undefined;
  }
}

function facts(certificate: X509Certificate): CertificateFacts {
  const [outer] = items(certificate.raw);
  const [tbs, algorithm] = items(outer!.body);
  const fields = items(tbs!.body).filter(({ tag }) => tag !== 0xa0);
  const [, inner, , , subject] = fields;
  // What was signed says the same as what the signature is read by.
  if (!algorithm!.body.equals(inner!.body)) throw new Error('two algorithms');
  const extensions = readExtensions(fields.find(({ tag }) => tag === 0xa3));
  const usage = extensions.found.get(Oid.keyUsage);
  const purposes = extensions.found.get(Oid.extendedKeyUsage);
  return {
    certificate,
    keyUsage: usage && only(usage, 0x03).subarray(1),
    purposes: purposes && items(only(purposes, 0x30)).map(({ body }) => body.toString('hex')),
    pathLength: readPathLength(extensions.found.get(Oid.basicConstraints)),
    signature: items(algorithm!.body)[0]!.body.toString('hex'),
    names: [...commonNames(subject!), ...alternativeNames(extensions.found.get(Oid.subjectAltName))].slice(0, MAX_NAMES),
    obstacle: extensions.obstacle,
  };
}

function readExtensions(field: Item | undefined): { found: ReadonlyMap<string, Buffer>; obstacle: string | undefined } {
  const found = new Map<string, Buffer>();
  let obstacle: string | undefined;
  for (const { body } of field ? items(only(field.body, 0x30)) : []) {
    const [oid, second, third] = items(body);
    const id = oid!.body.toString('hex');
    const critical = second!.tag === 0x01 && second!.body[0] !== 0;
    if (found.has(id) || id === NAME_CONSTRAINTS || (critical && !UNDERSTOOD.includes(id))) obstacle ??= id;
    found.set(id, (third ?? second)!.body);
  }
  return { found, obstacle };
}

function readPathLength(extension: Buffer | undefined): number | undefined {
  if (!extension) return undefined;
  const [ca, length] = items(only(extension, 0x30));
  if (ca?.tag !== 0x01 || ca.body[0] === 0) return undefined;
  return length?.tag === 0x02 ? length.body.readUIntBE(0, Math.min(length.body.length, 6)) : Infinity;
}

/** The most particular first, which is the last. */
function commonNames(subject: Item): CertificateName[] {
  const found = items(subject.body).flatMap(({ body }) =>
    items(body).flatMap((pair) => {
      const [oid, value] = items(pair.body);
      return oid?.body.toString('hex') === Oid.commonName && value ? named('cn', textOf(value)) : [];
    }),
  );
  return found.reverse();
}

function alternativeNames(extension: Buffer | undefined): CertificateName[] {
  const all = extension ? items(only(extension, 0x30)) : [];
  const of = (kind: 'uri' | 'dns', tag: number): CertificateName[] =>
    all.filter((item) => item.tag === tag).flatMap(({ body }) => named(kind, body.toString('latin1')));
  return [...of('uri', 0x86), ...of('dns', 0x82)];
}

/** A name of many devices is none of one. */
function named(kind: CertificateName['kind'], name: string): CertificateName[] {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return name === '' || name.length > MAX_NAME || /[\u0000-\u001f\u007f]/.test(name) || name.includes('*') ? [] : [{ kind, name }];
}

function textOf({ tag, body }: Item): string {
  switch (tag) {
    case 0x0c:
      return new TextDecoder('utf-8', { fatal: true }).decode(body);
    case 0x13:
    case 0x14:
    case 0x16:
      return body.toString('latin1');
    case 0x1e:
      return Buffer.from(body).swap16().toString('utf16le');
    default:
      return '';
  }
}

/** The body of the one item there is. */
function only(bytes: Buffer, tag: number): Buffer {
  const [item, more] = items(bytes);
  if (item?.tag !== tag || more) throw new RangeError('another item');
  return item.body;
}

/** The items that bytes in DER are made of. Throws RangeError where they end too early. */
function items(bytes: Buffer): Item[] {
  const found: Item[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes.readUInt8(at);
    const first = bytes.readUInt8(at + 1);
    const more = first < 0x80 ? 0 : first & 0x7f;
    if (first === 0x80 || more > 3 || (tag & 0x1f) === 0x1f) throw new RangeError('no DER');
    const length = more === 0 ? first : bytes.readUIntBE(at + 2, more);
    const begin = at + 2 + more;
    if (begin + length > bytes.length) throw new RangeError('it ends too early');
    found.push({ tag, body: bytes.subarray(begin, begin + length) });
    at = begin + length;
  }
  return found;
}
