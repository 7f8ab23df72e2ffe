/** Code points of DTLS 1.2: RFC 5246, 6347, and the extensions named beside them. */

export const VERSION_1_2 = 0xfefd;
/** Numbers count down: what is larger than this is older than DTLS 1.2. */
export const VERSION_1_0 = 0xfeff;

export const ContentType = {
  CHANGE_CIPHER_SPEC: 20,
  ALERT: 21,
  HANDSHAKE: 22,
  APPLICATION_DATA: 23,
  /** RFC 9146 4. */
  TLS12_CID: 25,
} as const;

export const HandshakeType = {
  HELLO_REQUEST: 0,
  CLIENT_HELLO: 1,
  SERVER_HELLO: 2,
  HELLO_VERIFY_REQUEST: 3,
  NEW_SESSION_TICKET: 4,
  CERTIFICATE: 11,
  SERVER_KEY_EXCHANGE: 12,
  CERTIFICATE_REQUEST: 13,
  SERVER_HELLO_DONE: 14,
  CERTIFICATE_VERIFY: 15,
  CLIENT_KEY_EXCHANGE: 16,
  FINISHED: 20,
} as const;

export const AlertLevel = { WARNING: 1, FATAL: 2 } as const;

export const AlertDescription = {
  CLOSE_NOTIFY: 0,
  UNEXPECTED_MESSAGE: 10,
  BAD_RECORD_MAC: 20,
  HANDSHAKE_FAILURE: 40,
  BAD_CERTIFICATE: 42,
  UNSUPPORTED_CERTIFICATE: 43,
  CERTIFICATE_REVOKED: 44,
  CERTIFICATE_EXPIRED: 45,
  CERTIFICATE_UNKNOWN: 46,
  ILLEGAL_PARAMETER: 47,
  UNKNOWN_CA: 48,
  DECODE_ERROR: 50,
  DECRYPT_ERROR: 51,
  PROTOCOL_VERSION: 70,
  INTERNAL_ERROR: 80,
  USER_CANCELED: 90,
  NO_RENEGOTIATION: 100,
  UNSUPPORTED_EXTENSION: 110,
  /** RFC 4279 6. */
  UNKNOWN_PSK_IDENTITY: 115,
} as const;

const alertNames = new Map<number, string>(Object.entries(AlertDescription).map(([name, code]) => [code, name.toLowerCase()]));

/** "handshake_failure (40)"; "alert 200" for one we have no name for. */
export function alertText(description: number): string {
  const name = alertNames.get(description);
  return name === undefined ? `alert ${description}` : `${name} (${description})`;
}

export const ExtensionType = {
  /** RFC 6066. */
  SERVER_NAME: 0,
  MAX_FRAGMENT_LENGTH: 1,
  SUPPORTED_GROUPS: 10,
  EC_POINT_FORMATS: 11,
  SIGNATURE_ALGORITHMS: 13,
  /** RFC 7250. */
  CLIENT_CERTIFICATE_TYPE: 19,
  SERVER_CERTIFICATE_TYPE: 20,
  /** RFC 7366. */
  ENCRYPT_THEN_MAC: 22,
  /** RFC 7627. */
  EXTENDED_MASTER_SECRET: 23,
  /** RFC 8449. */
  RECORD_SIZE_LIMIT: 28,
  /** RFC 9146. Drafts used 53 and 254; those are not answered. */
  CONNECTION_ID: 54,
  /** RFC 5746. */
  RENEGOTIATION_INFO: 0xff01,
} as const;

/** TLS_EMPTY_RENEGOTIATION_INFO_SCSV, RFC 5746 3.3. */
export const EMPTY_RENEGOTIATION_INFO_SCSV = 0x00ff;

export const Group = { SECP256R1: 23, SECP384R1: 24, X25519: 29 } as const;
export type GroupId = (typeof Group)[keyof typeof Group];

/** Numbers of signature algorithms (RFC 5246 7.4.1.4.1, RFC 8446 4.2.3), those with SHA-1 left out. */
export const SignatureScheme = {
  ECDSA_SHA256: 0x0403,
  ECDSA_SHA384: 0x0503,
  ECDSA_SHA512: 0x0603,
  RSA_PSS_SHA256: 0x0804,
  RSA_PSS_SHA384: 0x0805,
  RSA_PSS_SHA512: 0x0806,
  RSA_PKCS1_SHA256: 0x0401,
  RSA_PKCS1_SHA384: 0x0501,
  RSA_PKCS1_SHA512: 0x0601,
} as const;

/** `CertificateType` of RFC 7250 on the wire. */
export const CertificateTypeNumber = { x509: 0, rpk: 2 } as const;

export type Aead = 'ccm' | 'ccm8' | 'gcm';
/** AES-128 all of them; CBC with HMAC-SHA256. */
export type Cipher = Aead | 'cbc';

export type KeyExchange = 'psk' | 'ecdhe_psk' | 'ecdhe_ecdsa' | 'ecdhe_rsa';

/** A cipher suite we can do: how the keys are agreed on, and how records are protected. */
export interface CipherSuite {
  readonly id: number;
  readonly name: string;
  readonly keyExchange: KeyExchange;
  readonly cipher: Cipher;
}

/** RFC 6655, RFC 5487, RFC 5489, RFC 8442, RFC 7251 and RFC 5289. All of them use P_SHA256. A client offers them in this order. */
export const CIPHER_SUITES: readonly CipherSuite[] = [
  { id: 0xc0ae, name: 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8', keyExchange: 'ecdhe_ecdsa', cipher: 'ccm8' },
  { id: 0xc0ac, name: 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM', keyExchange: 'ecdhe_ecdsa', cipher: 'ccm' },
  { id: 0xc02b, name: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', keyExchange: 'ecdhe_ecdsa', cipher: 'gcm' },
  { id: 0xc02f, name: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', keyExchange: 'ecdhe_rsa', cipher: 'gcm' },
  { id: 0xc0a8, name: 'TLS_PSK_WITH_AES_128_CCM_8', keyExchange: 'psk', cipher: 'ccm8' },
  { id: 0xc0a4, name: 'TLS_PSK_WITH_AES_128_CCM', keyExchange: 'psk', cipher: 'ccm' },
  { id: 0x00a8, name: 'TLS_PSK_WITH_AES_128_GCM_SHA256', keyExchange: 'psk', cipher: 'gcm' },
  { id: 0xd003, name: 'TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256', keyExchange: 'ecdhe_psk', cipher: 'ccm8' },
  { id: 0xd005, name: 'TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256', keyExchange: 'ecdhe_psk', cipher: 'ccm' },
  { id: 0xd001, name: 'TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256', keyExchange: 'ecdhe_psk', cipher: 'gcm' },
  { id: 0xc023, name: 'TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256', keyExchange: 'ecdhe_ecdsa', cipher: 'cbc' },
  { id: 0x00ae, name: 'TLS_PSK_WITH_AES_128_CBC_SHA256', keyExchange: 'psk', cipher: 'cbc' },
  { id: 0xc037, name: 'TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256', keyExchange: 'ecdhe_psk', cipher: 'cbc' },
];

/** Whether its peers prove themselves by a pre-shared key; else by certificates or raw public keys. */
export function usesPsk({ keyExchange }: CipherSuite): boolean {
  return keyExchange === 'psk' || keyExchange === 'ecdhe_psk';
}

export function suiteById(id: number): CipherSuite | undefined {
  return CIPHER_SUITES.find((suite) => suite.id === id);
}

/** Record and handshake numbers are below these. */
export const MAX_SEQUENCE = 2 ** 48 - 1;
export const RECORD_HEADER = 13;
export const HANDSHAKE_HEADER = 12;
/** RFC 5246 6.2.3: 2^14 of plaintext and at most 2048 of expansion. */
export const MAX_PLAINTEXT = 16_384;
export const MAX_CIPHERTEXT = MAX_PLAINTEXT + 2_048;
