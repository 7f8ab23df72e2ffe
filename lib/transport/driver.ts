import type { Clock, Core } from './types';

/**
 * Owns the only timer: asks its cores when they want to hear again, and tells them the time.
 * After anything that may have moved a core's deadline, call `changed()`.
 */
export class Driver {
  readonly clock: Clock;
  readonly #cores: Core[] = [];
  readonly #onError: (error: unknown) => void;
  #armedFor = Infinity;
  #advancing = false;

  constructor(options: { clock: Clock; onError: (error: unknown) => void }) {
    this.clock = options.clock;
    this.#onError = options.onError;
  }

  attach(core: Core): void {
    this.#cores.push(core);
    this.changed();
  }

  detach(core: Core): void {
    const index = this.#cores.indexOf(core);
    if (index >= 0) this.#cores.splice(index, 1);
    if (this.#cores.length === 0) this.#arm(Infinity);
  }

  /** Re-arms only when something became due earlier: a later deadline is found when the alarm rings. */
  changed(): void {
    if (this.#advancing) return;
    const next = this.#earliest();
    if (next < this.#armedFor) this.#arm(next);
  }

  #earliest(): number {
    let earliest = Infinity;
    for (const core of this.#cores) earliest = Math.min(earliest, core.deadline());
    return earliest;
  }

  #arm(at: number): void {
    this.#armedFor = at;
    this.clock.alarm(at, this.#wake);
  }

  readonly #wake = (): void => {
    this.#advancing = true;
    const now = this.clock.now();
    for (const core of [...this.#cores]) {
      try {
        core.advance(now);
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#advancing = false;
    this.#arm(this.#earliest());
  };
}
