import { randomBytes } from 'node:crypto';

/** Ids for requests that came without one: unique among all engines, counted within one. */
export class RequestIds {
  readonly #prefix = `${randomBytes(6).toString('hex')}-`;
  #made = 0;

  next(): string {
    return this.#prefix + (++this.#made).toString(36);
  }
}
