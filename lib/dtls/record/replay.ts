/** The window of 64 record numbers (RFC 6347 4.1.2.6): tells what was not seen before. */
export class ReplayWindow {
  /** The newest number taken; -1 before the first. */
  newest = -1;
  /** Bits of the numbers newest - 31 .. newest, the lowest bit being the newest, and of the 32 before. */
  #low = 0;
  #high = 0;

  /** Whether `seq` is new: not seen, and not older than the window. */
  isNew(seq: number): boolean {
    const age = this.newest - seq;
    if (age < 0) return true;
    if (age > 63) return false;
    return age < 32 ? ((this.#low >>> age) & 1) === 0 : ((this.#high >>> (age - 32)) & 1) === 0;
  }

  /** Notes `seq`; to be called only once the record has proven authentic. */
  take(seq: number): void {
    const step = seq - this.newest;
    if (step > 0) {
      this.#shift(step);
      this.newest = seq;
      this.#low = (this.#low | 1) >>> 0;
      return;
    }
    const age = -step;
    if (age < 32) this.#low = (this.#low | (1 << age)) >>> 0;
    else if (age < 64) this.#high = (this.#high | (1 << (age - 32))) >>> 0;
  }

  #shift(step: number): void {
    if (step >= 64) {
      this.#low = this.#high = 0;
    } else if (step >= 32) {
      this.#high = step === 32 ? this.#low : (this.#low << (step - 32)) >>> 0;
      this.#low = 0;
    } else {
      this.#high = ((this.#high << step) | (this.#low >>> (32 - step))) >>> 0;
      this.#low = (this.#low << step) >>> 0;
    }
  }

  /** For keeping: the newest number and the two halves of the window. */
  get state(): readonly [newest: number, low: number, high: number] {
    return [this.newest, this.#low, this.#high];
  }

  restore([newest, low, high]: readonly [number, number, number]): void {
    this.newest = newest;
    this.#low = low >>> 0;
    this.#high = high >>> 0;
  }
}
