const DAY = 86_400_000;
const WARN_DAYS = 30;
/** Devices that are remembered as told of; beyond it all may be told of again. */
const MAX_TOLD = 10_000;

/** What to say of a certificate that ends within 30 days; '' of another one. Times in ms since 1970; `name` begins the sentence. */
export function endingText(name: string, until: number, now: number): string {
  if (until - now >= WARN_DAYS * DAY) return '';
  const date = new Date(until).toISOString().slice(0, 10);
  return `${name} ends on ${date}, in ${Math.floor((until - now) / DAY)} days. Replace it in time.`;
}

/** Whether something was told of within a day already. */
export class ToldToday {
  readonly #told = new Map<string, number>();

  /** False once a day and name: it is to be told of now. */
  has(name: string, now: number): boolean {
    const before = this.#told.get(name);
    if (before !== undefined && now - before < DAY) return true;
    if (this.#told.size >= MAX_TOLD) this.#told.clear();
    this.#told.set(name, now);
    return false;
  }
}
