/** Who may keep a stream of events open: a bounded number at once, of which one identity gets a part. */
import type { Fault } from '@rollcall/protocol';
import type { Identity } from '../auth/gate.ts';

/** Streams at once. */
const MAX_SEATS = 200;
/** Of these, streams of one token, of all logins, and of all clients without a token. */
const MAX_PER_IDENTITY = 50;

export class EventSeats {
  readonly #taken = new Map<string, number>();
  #total = 0;

  /** Takes a seat: the way to give it back, once, or why there is none. */
  take({ name, by }: Identity): (() => void) | Fault {
    const key = `${by} ${name}`;
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= MAX_PER_IDENTITY)
      return full(`${MAX_PER_IDENTITY} event streams of ${holder(name, by)} are open, the maximum`);
    if (this.#total >= MAX_SEATS) return full(`${MAX_SEATS} event streams are open, the maximum`);
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
