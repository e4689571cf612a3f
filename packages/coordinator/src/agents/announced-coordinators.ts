/** The addresses of coordinators for agents: the own one, and the addresses that others have announced to the shared memory. */
import { agentUrl, type CoordinatorResource } from '@rollcall/protocol';

/** Greatest number of addresses: an agent holds at most five connections. */
const MAX_ADDRESSES = 5;
/** Minimum time between two changes, milliseconds: each is sent to all agents. */
export const MIN_CHANGE_MS = 1_000;

export class AnnouncedCoordinators {
  readonly #own: string | undefined;
  #urls: readonly string[];
  #changedAtMs = Number.NEGATIVE_INFINITY;

  /** `own`: the address of this coordinator; absent: it is not announced. */
  constructor(own: string | undefined) {
    this.#own = own;
    this.#urls = addresses(own, []);
  }

  /** Sorted, without repeats. */
  get urls(): readonly string[] {
    return this.#urls;
  }

  /** Takes all coordinators that are known now. Returns whether the list has changed. A change too soon after another is left for the next call. */
  take(coordinators: readonly CoordinatorResource[], nowMs: number): boolean {
    if (nowMs - this.#changedAtMs < MIN_CHANGE_MS) return false;
    const urls = addresses(this.#own, coordinators);
    if (urls.join() === this.#urls.join()) return false;
    this.#urls = urls;
    this.#changedAtMs = nowMs;
    return true;
  }
}

/** A coordinator that is down keeps its place, unless more run than the list has places: agents try it in the background. */
function addresses(own: string | undefined, coordinators: readonly CoordinatorResource[]): string[] {
  const urlsOf = (isDown: boolean): string[] =>
    coordinators
      .filter(({ liveness }) => (liveness === 'down') === isDown)
      .flatMap(({ url }) => url ?? [])
      .sort();
  // By what agents make of it: two spellings of one address are one.
  const distinct = new Map<string | undefined, string>();
  for (const url of [...(own === undefined ? [] : [own]), ...urlsOf(false), ...urlsOf(true)])
    if (!distinct.has(agentUrl(url))) distinct.set(agentUrl(url), url);
  return [...distinct.values()].slice(0, MAX_ADDRESSES).sort();
}
