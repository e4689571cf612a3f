/**
 * Bounds the number of open event streams. An identity gets at most a part of the free seats, which is smaller the fewer are free.
 * So a few identities can never take all seats.
 */
import type { Fault } from '@rollcall/protocol';
import type { Identity } from '../auth/gate.ts';

/** Upper bound of open streams. */
const MAX_SEATS = 200;
/** Upper bounds of the streams of one token, of all logins, and of all clients without a token. */
const MAX_PER_IDENTITY = 50;

export class EventSeats {
  readonly #taken = new Map<string, number>();
  #total = 0;

  /** Takes a seat. Returns the function that releases it, to be called once, or a fault if no seat is free. */
  take({ name, by }: Identity): (() => void) | Fault {
    const key = `${by} ${name}`;
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= MAX_PER_IDENTITY)
      return full(`${MAX_PER_IDENTITY} event streams of ${holder(name, by)} are open, the maximum`);
    const left = MAX_SEATS - this.#total;
    if (left === 0) return full(`${MAX_SEATS} event streams are open, the maximum`);
    if (taken >= left)
      return full(
        `${this.#total} of ${MAX_SEATS} event streams are open, ${taken} of them of ${holder(name, by)}; the others are for other clients`,
      );
    this.#taken.set(key, taken + 1);
    this.#total += 1;
    return () => {
      const left = (this.#taken.get(key) ?? 1) - 1;
      if (left === 0) this.#taken.delete(key);
      else this.#taken.set(key, left);
      this.#total -= 1;
    };
  }
}

function holder(name: string, by: Identity['by']): string {
  if (by === 'loopback') return 'clients without a token';
  return by === 'cookie' ? 'browsers with a login' : `the token ${name}`;
}

function full(message: string): Fault {
  return { code: 'rate-limited', message };
}
