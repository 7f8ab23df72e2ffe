import { appendFile } from 'node:fs/promises';

/** Lines of an NSS key log into a file that only its owner may read, in order, without holding anybody up. */
export class KeyLog {
  readonly #file: string;
  readonly #onProblem: (text: string) => void;
  #waiting: string[] = [];
  #writing = false;
  #told = false;

  constructor(file: string, onProblem: (text: string) => void) {
    this.#file = file;
    this.#onProblem = onProblem;
  }

  readonly write = (line: string): void => {
    this.#waiting.push(`${line}\n`);
    if (!this.#writing) void this.#flush();
  };

  async #flush(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join('');
      this.#waiting = [];
      try {
        await appendFile(this.#file, text, { mode: 0o600 });
      } catch (error) {
        if (!this.#told) this.#onProblem(`The key log "${this.#file}" cannot be written: ${(error as Error).message}`);
        this.#told = true;
      }
    }
    this.#writing = false;
  }
}
