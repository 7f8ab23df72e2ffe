import { createHmac, timingSafeEqual } from 'node:crypto';
import { written } from './bytes';
import type { ClientHello } from './handshake/messages';

/** Old clients keep room for 16 bytes only; that is more than anybody guesses. */
const COOKIE_LENGTH = 16;
const SECRET_LENGTH = 32;
/** Used hellos remembered in each of two generations. */
const MAX_SPENT = 65_536;

/**
 * Stateless cookies (RFC 6347 4.2.1): an HMAC over where the client is and what it must repeat, under a secret that changes.
 * The secret before stays good, so a cookie lives for one to two `lifetime`s (ms). A hello whose handshake is done is
 * remembered for that long, so that a late copy of it starts nothing.
 */
export class Cookies {
  readonly #lifetime: number;
  readonly #randomBytes: (count: number) => Uint8Array;
  #current: Uint8Array;
  #previous: Uint8Array | undefined;
  #rotateAt: number;
  #spent = new Set<string>();
  #spentBefore = new Set<string>();

  constructor(options: { lifetime: number; now: number; randomBytes: (count: number) => Uint8Array }) {
    this.#lifetime = options.lifetime;
    this.#randomBytes = options.randomBytes;
    this.#current = options.randomBytes(SECRET_LENGTH);
    this.#rotateAt = options.now + options.lifetime;
  }

  /** The cookie for this hello from this address. */
  make(hello: ClientHello, source: string, now: number): Buffer {
    this.#rotate(now);
    return mac(this.#current, hello, source);
  }

  check(hello: ClientHello, source: string, now: number): boolean {
    this.#rotate(now);
    if (hello.cookie.length !== COOKIE_LENGTH) return false;
    if (timingSafeEqual(hello.cookie, mac(this.#current, hello, source))) return true;
    return this.#previous !== undefined && timingSafeEqual(hello.cookie, mac(this.#previous, hello, source));
  }

  /** Whether a handshake that began with this hello has been completed. */
  isSpent(random: Buffer): boolean {
    const key = random.toString('latin1');
    return this.#spent.has(key) || this.#spentBefore.has(key);
  }

  spend(random: Buffer): void {
    if (this.#spent.size >= MAX_SPENT) {
      this.#spentBefore = this.#spent;
      this.#spent = new Set();
    }
    this.#spent.add(random.toString('latin1'));
  }

  #rotate(now: number): void {
    if (now < this.#rotateAt) return;
    const late = now >= this.#rotateAt + this.#lifetime;
    this.#previous = late ? undefined : this.#current;
    this.#current = this.#randomBytes(SECRET_LENGTH);
    this.#rotateAt = now + this.#lifetime;
    this.#spentBefore = late ? new Set() : this.#spent;
    this.#spent = new Set();
  }
}

function mac(secret: Uint8Array, hello: ClientHello, source: string): Buffer {
  const { version, random, sessionId, cipherSuites, compressionMethods } = hello;
  const repeated = written((writer) => {
    writer.vector(Buffer.from(source), 1).uint(version, 2).bytes(random).vector(sessionId, 1);
    const suites = writer.open();
    for (const suite of cipherSuites) writer.uint(suite, 2);
    writer.close(suites).vector(compressionMethods, 1);
  });
  return Buffer.from(createHmac('sha256', secret).update(repeated).digest('binary'), 'latin1').subarray(0, COOKIE_LENGTH);
}
