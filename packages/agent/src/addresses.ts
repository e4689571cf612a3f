/**
 * Cache of the addresses of coordinators' names. A connection does not wait for a look-up if the addresses are known.
 *
 * A look-up runs in libuv's thread pool, queued behind other work of the program. Therefore each name has at most one look-up
 * at a time, and the look-up is not part of the connect timeout.
 */
import { lookup } from 'node:dns/promises';
import type { Timers } from './timers.ts';

/** Longest wait of an attempt for addresses that are not known yet, in milliseconds. */
export const LOOK_UP_TIMEOUT_MS = 10_000;
/** Addresses older than this are looked up again at their next use, in milliseconds. */
export const REFRESH_AFTER_MS = 60_000;

/** All addresses of a name, in order of preference. Rejects with the error of the resolver. */
export type LookUp = (name: string) => Promise<readonly string[]>;

/** At least one address, in the order of the attempts; or the error of the look-up. */
export type Found = { readonly addresses: readonly string[] } | { readonly error: unknown };

/** The system's resolver: hosts file and name servers. */
export const systemLookUp: LookUp = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);

interface Name {
  addresses: readonly string[];
  /** The address that connected last. */
  working: string | undefined;
  foundAtMs: number;
  hasFailed: boolean;
  running: Promise<Found> | undefined;
}

export class Addresses {
  readonly #timers: Timers;
  readonly #lookUp: LookUp;
  readonly #onChange: () => void;
  readonly #names = new Map<string, Name>();

  /** `onChange` is called when a look-up has found other addresses of a known name. */
  constructor(timers: Timers, lookUp: LookUp, onChange: () => void = () => {}) {
    this.#timers = timers;
    this.#lookUp = lookUp;
    this.#onChange = onChange;
  }

  /**
   * The addresses of `name`, the one that connected last first. Never rejects.
   *
   * Known addresses are returned at once; after a failure or 1 min they are looked up again for later calls. Otherwise
   * waits for the look-up, at most 10 s. Then the error has the code `ETIMEOUT`, and the next call uses the same look-up.
   */
  of(name: string): Promise<Found> {
    const entry = this.#entry(name);
    const isKnown = entry.addresses.length > 0;
    if (isKnown && !entry.hasFailed && this.#timers.nowMs() - entry.foundAtMs < REFRESH_AFTER_MS)
      return Promise.resolve({ addresses: entry.addresses });
    entry.running ??= this.#refresh(name, entry);
    return isKnown ? Promise.resolve({ addresses: entry.addresses }) : this.#within(entry.running);
  }

  /** The addresses of `name` from the last look-up that found any; empty before. */
  known(name: string): readonly string[] {
    return this.#names.get(name)?.addresses ?? [];
  }

  /** Looks `name` up again, for later calls. A look-up without addresses changes nothing. */
  refresh(name: string): void {
    const entry = this.#entry(name);
    entry.running ??= this.#refresh(name, entry);
  }

  /** Records that `address` of `name` has connected: it is tried first from now on. */
  worked(name: string, address: string): void {
    const entry = this.#entry(name);
    entry.working = address;
    entry.addresses = ordered(entry);
  }

  /** Records that no address of `name` was usable: the next call starts a look-up. */
  failed(name: string): void {
    this.#entry(name).hasFailed = true;
  }

  #entry(name: string): Name {
    let entry = this.#names.get(name);
    if (entry === undefined) {
      entry = { addresses: [], working: undefined, foundAtMs: 0, hasFailed: false, running: undefined };
      this.#names.set(name, entry);
    }
    return entry;
  }

  async #refresh(name: string, entry: Name): Promise<Found> {
    try {
      const addresses = [...new Set(await this.#lookUp(name))];
      if (addresses.length === 0) return { error: Object.assign(new Error('no address'), { code: 'ENOTFOUND' }) };
      const before = new Set(entry.addresses);
      const isChanged =
        before.size > 0 && (before.size !== addresses.length || !addresses.every((one) => before.has(one)));
      entry.addresses = addresses;
      entry.addresses = ordered(entry);
      entry.foundAtMs = this.#timers.nowMs();
      entry.hasFailed = false;
      if (isChanged) this.#onChange();
      return { addresses: entry.addresses };
    } catch (error) {
      return { error };
    } finally {
      entry.running = undefined;
    }
  }

  #within(running: Promise<Found>): Promise<Found> {
    return new Promise((resolve) => {
      const error = Object.assign(new Error('the look-up timed out'), { code: 'ETIMEOUT' });
      const cancel = this.#timers.after(LOOK_UP_TIMEOUT_MS, () => resolve({ error }));
      void running.then((found) => {
        cancel();
        resolve(found);
      });
    });
  }
}

function ordered({ addresses, working }: Name): readonly string[] {
  if (working === undefined || !addresses.includes(working)) return addresses;
  return [working, ...addresses.filter((address) => address !== working)];
}
