import { createHash, type X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { OwnKey } from '../dtls/types';
import { endingText } from './ending';
import { fingerprintOf } from './public-keys';
import { capital, readAnchors, readServerKeys, ServerKeyError, subjectOf, type PemText, type ServerKeys } from './server-keys';

/** Each text is PEM, or the name of a file with PEM in it, which is read again when it changes. */
export interface ServerKeySettings {
  /** Private keys: EC on P-256 or P-384, RSA. Several: of several kinds, or for several names. */
  readonly serverKey?: string | readonly string[] | undefined;
  /** Opens keys that are encrypted. */
  readonly serverKeyPassphrase?: string | undefined;
  /** The certificates of these keys and of who issued them, in any order. Default: the keys are shown as they are. */
  readonly serverCertificate?: string | readonly string[] | undefined;
  /** Certificates of the CAs whose word on devices counts. */
  readonly trustAnchors?: string | readonly string[] | undefined;
}

export interface ServerIdentityOptions extends ServerKeySettings {
  /** `distrusted`: a CA that counted before does not count any more. */
  readonly onChange: (distrusted: boolean) => void;
  /** Hears in plain words, once each, of files that cannot be used, and once a day of certificates that end soon. */
  readonly onNotice: (text: string) => void;
  /** Milliseconds since 1970. Default the system's. */
  readonly now?: () => number;
  /** Files are looked at this often, ms. Default 10000. */
  readonly rescan?: number;
}

interface Content extends ServerKeys {
  readonly anchors: readonly X509Certificate[];
}

interface Source {
  readonly what: 'key' | 'certificate' | 'anchor';
  readonly place: string;
  /** Undefined: the text itself was given. */
  readonly file: string | undefined;
  readonly text: string;
}

const WORDS = { key: 'the server key', certificate: 'the server certificate', anchor: 'the trusted certificate' } as const;
const DAY = 86_400_000;
const MAX_FILE = 4 * 1024 * 1024;

/**
 * Who the server is to its devices, and whom it trusts: key pairs with their chains, and certificates of CAs. Files are looked at
 * again while `start` holds; what cannot be used changes nothing.
 */
export class ServerIdentity {
  readonly #options: ServerIdentityOptions;
  #sources: readonly Source[];
  #content: Content;
  #seen = '';
  #problem = '';
  /** What was wrong at the last look: files of a pair are not written in one moment. */
  #doubt = '';
  #warnedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #closed = true;

  /** Reads all there is. Throws `ServerKeyError`. */
  constructor(options: ServerIdentityOptions) {
    this.#options = options;
    this.#sources = sourcesOf(options).map((source) => ({ ...source, text: source.file === undefined ? source.text : readNow(source) }));
    this.#content = contentOf(this.#sources, options.serverKeyPassphrase, this.#now());
  }

  /** Key pairs of ours. */
  get own(): readonly OwnKey[] {
    return this.#content.own;
  }

  get anchors(): readonly X509Certificate[] {
    return this.#content.anchors;
  }

  /** Changes with the CAs that count. */
  get anchorsMark(): string {
    return createHash('sha256').update(fingerprints(this.#content.anchors).sort().join(' ')).digest('hex');
  }

  /** Whether these settings mean what this was made from. */
  isFrom(settings: ServerKeySettings): boolean {
    return settingsKey(settings) === settingsKey(this.#options);
  }

  /** Looks at files and dates from now on, until `close`; may be called again after it. */
  start(): void {
    if (this.#sources.length === 0) return;
    this.#closed = false;
    this.#arm(0);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Looks now, and resolves when what was found counts. Never rejects. */
  refresh(): Promise<void> {
    this.#running ??= this.#look().finally(() => (this.#running = undefined));
    return this.#running;
  }

  #arm(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), delay);
    this.#timer.unref();
  }

  /** A call, since the compiler takes a field for unchanged across an await. */
  #isClosed(): boolean {
    return this.#closed;
  }

  async #look(): Promise<void> {
    try {
      const seen = await stamps(this.#sources);
      if (seen !== this.#seen || this.#doubt !== '' || this.#now() >= this.#content.until) {
        const sources = await Promise.all(this.#sources.map(async (source) => ({ ...source, text: await readSoon(source) })));
        if (this.#isClosed()) return;
        this.#take(sources);
        this.#seen = seen;
      }
      this.#doubt = this.#problem = '';
    } catch (error) {
      if (!this.#isClosed()) this.#tell((error as Error).message);
    }
    if (this.#isClosed()) return;
    this.#warn();
    this.#arm(this.#options.rescan ?? 10_000);
  }

  #take(sources: readonly Source[]): void {
    const now = this.#now();
    if (now < this.#content.until && sources.every(({ text }, index) => text === this.#sources[index]?.text)) return;
    const content = contentOf(sources, this.#options.serverKeyPassphrase, now);
    const still = new Set(fingerprints(content.anchors));
    const distrusted = fingerprints(this.#content.anchors).some((each) => !still.has(each));
    this.#sources = sources;
    this.#content = content;
    this.#warnedAt = Number.NEGATIVE_INFINITY;
    this.#options.onChange(distrusted);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #tell(problem: string): void {
    const again = this.#doubt === problem;
    this.#doubt = problem;
    if (!again || this.#problem === problem) return;
    this.#problem = problem;
    this.#options.onNotice(`${problem} Until it is right again, what was there before counts.`);
  }

  /** Of certificates that end soon, or have ended. */
  #warn(): void {
    const now = this.#now();
    if (now - this.#warnedAt < DAY) return;
    this.#warnedAt = now;
    for (const certificate of this.#content.certificates) this.#warnOf(certificate, 'The server certificate of', now);
    for (const certificate of this.#content.anchors) this.#warnOf(certificate, 'The trusted CA', now);
  }

  #warnOf(certificate: X509Certificate, what: string, now: number): void {
    const name = `${what} ${subjectOf(certificate)}`;
    const until = Date.parse(certificate.validTo);
    const date = new Date(until).toISOString().slice(0, 10);
    const { onNotice } = this.#options;
    if (Date.parse(certificate.validFrom) > now) onNotice(`${name} is valid from ${certificate.validFrom} on only.`);
    else if (until < now) onNotice(`${name} ended on ${date}: devices refuse it, or are refused. Replace it.`);
    else {
      const ending = endingText(name, until, now);
      if (ending !== '') onNotice(ending);
    }
  }
}

function sourcesOf({ serverKey, serverCertificate, trustAnchors }: ServerKeySettings): Source[] {
  return [...sources('key', serverKey), ...sources('certificate', serverCertificate), ...sources('anchor', trustAnchors)];
}

function sources(what: Source['what'], given: string | readonly string[] = []): Source[] {
  return texts(given).map((text) =>
    text.includes('-----BEGIN')
      ? { what, place: WORDS[what], file: undefined, text }
      : { what, place: `${WORDS[what]} in "${text}"`, file: text, text: '' },
  );
}

function texts(given: string | readonly string[] = []): string[] {
  return (typeof given === 'string' ? [given] : given).map((text) => text.trim()).filter((text) => text !== '');
}

function settingsKey({ serverKey, serverKeyPassphrase = '', serverCertificate, trustAnchors }: ServerKeySettings): string {
  return JSON.stringify([texts(serverKey), serverKeyPassphrase, texts(serverCertificate), texts(trustAnchors)]);
}

function contentOf(all: readonly Source[], passphrase: string | undefined, now: number): Content {
  const of = (what: Source['what']): PemText[] => all.filter((source) => source.what === what);
  return { ...readServerKeys(of('key'), of('certificate'), passphrase, now), anchors: readAnchors(of('anchor')) };
}

function readNow(source: Source): string {
  try {
    return readFileSync(source.file ?? '', 'utf8');
  } catch (error) {
    throw unreadable(source, error);
  }
}

async function readSoon(source: Source): Promise<string> {
  const { file, text } = source;
  if (file === undefined) return text;
  try {
    if ((await stat(file)).size > MAX_FILE) throw new Error('it is too large');
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(source, error);
  }
}

async function stamps(all: readonly Source[]): Promise<string> {
  const each = all.map(async (source) => {
    const { file } = source;
    if (file === undefined) return '';
    try {
      const { size, mtimeMs, ino } = await stat(file);
      return `${size} ${mtimeMs} ${ino}`;
    } catch (error) {
      throw unreadable(source, error);
    }
  });
  return (await Promise.all(each)).join('|');
}

/** The system's words name the file. What looks like a key in another form than PEM is not repeated: it is no name. */
function unreadable({ what, place, file = '' }: Source, error: unknown): ServerKeyError {
  if (mayBeKey(file)) {
    return new ServerKeyError(
      `${capital(WORDS[what])} is neither text in PEM, from "-----BEGIN" to "-----END", nor the name of a file that is there.`,
    );
  }
  return new ServerKeyError(`${capital(place)} cannot be read: ${(error as Error).message}.`);
}

/** Whether a text that names no file could be a key, or part of one, in base64, digits, JSON, binary or the words of a tool. */
function mayBeKey(text: string): boolean {
  return (
    text.length > 255 ||
    /[\p{Cc}\ufffd{}]/u.test(text) ||
    /[A-Za-z0-9+=]{32}/.test(text) ||
    /(?:[0-9a-f]{2}[: ]){8}/i.test(text) ||
    /^[^/.][A-Za-z0-9+/=_-]{39}/.test(text)
  );
}

function fingerprints(certificates: readonly X509Certificate[]): string[] {
  return certificates.map(({ raw }) => fingerprintOf(raw));
}
