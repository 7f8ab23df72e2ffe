/** Sources and sinks of bodies for lockstep conversations: they do their part at once, or when the test says so. */
import assert from 'node:assert/strict';
import type { BodySink, BodySource, Failure } from '../../lib/coap/types';
import { body } from './coap-dialogue';

/** Lets all promises that wait go on. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export interface Wish {
  readonly offset: number;
  readonly length: number;
  readonly give: (data?: Uint8Array) => Promise<void>;
  readonly fail: (error: Error) => Promise<void>;
}

/** A source that says what it was asked for, and gives it at once or when told to. */
export class Source implements BodySource {
  readonly asked: string[] = [];
  readonly ends: (Failure | undefined)[] = [];
  readonly wishes: Wish[] = [];
  readonly size: number;
  readonly #late: boolean;

  constructor(size: number, late = false) {
    this.size = size;
    this.#late = late;
  }

  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    this.asked.push(`${offset}+${length}`);
    const data = body(this.size).subarray(offset, offset + length);
    if (!this.#late) return data;
    return new Promise((resolve, reject) => {
      this.wishes.push({
        offset,
        length,
        give: (other = data) => (resolve(other), settled()),
        fail: (error) => (reject(error), settled()),
      });
    });
  }

  end(failure?: Failure): void {
    this.ends.push(failure);
  }

  wish(): Wish {
    const wish = this.wishes.shift();
    assert.ok(wish, 'the source was not asked');
    return wish;
  }

  expectEnd(reason?: string): void {
    assert.deepEqual(
      this.ends.map((failure) => failure?.reason),
      [reason],
    );
  }
}

/** A sink that keeps what it was given, and says that it has it at once or when told to. */
export class Sink implements BodySink {
  readonly written: [offset: number, length: number][] = [];
  readonly ends: (Failure | undefined)[] = [];
  readonly waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  data = Buffer.alloc(0);
  readonly maxBody?: number;
  readonly #late: boolean;

  constructor(late = false, maxBody?: number) {
    this.#late = late;
    if (maxBody !== undefined) this.maxBody = maxBody;
  }

  write(data: Uint8Array, offset: number): void | Promise<void> {
    this.written.push([offset, data.length]);
    assert.ok(offset <= this.data.length, 'blocks follow each other');
    this.data = Buffer.concat([this.data.subarray(0, offset), data]);
    if (!this.#late) return undefined;
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  end(failure?: Failure): void {
    this.ends.push(failure);
  }

  done(): Promise<void> {
    const waiting = this.waiting.shift();
    assert.ok(waiting, 'nothing was written');
    waiting.resolve();
    return settled();
  }

  expectEnd(reason?: string): void {
    assert.deepEqual(
      this.ends.map((failure) => failure?.reason),
      [reason],
    );
  }
}
