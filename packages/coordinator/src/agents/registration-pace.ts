/** How often one node may register: a burst of twice the quota, then the quota a minute. What is beyond waits for its turn. */
import type { NodeId } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';
import { KeyedBuckets } from '../network/token-bucket.ts';

const MAX_NODES = 20_000;
/** Registrations of one node that may wait in `turn`. */
const MAX_WAITING = 4;

export class RegistrationPace {
  readonly #buckets: KeyedBuckets;
  readonly #clocks: Clocks;
  readonly #waiting = new Map<string, number>();
  readonly #ends = new Set<() => void>();

  /** `perMinute`: the quota `registrations`, at least 1. */
  constructor(perMinute: number, clocks: Clocks) {
    this.#buckets = new KeyedBuckets({ burst: 2 * perMinute, perSecond: perMinute / 60 }, MAX_NODES);
    this.#clocks = clocks;
  }

  /** The node that has used up most of its burst of late, and how many registrations that is. */
  busiest(): readonly [node: string | undefined, registrations: number] {
    const [key, used] = this.#buckets.fullest(this.#clocks.nowMs());
    return [key?.slice(key.lastIndexOf(' ') + 1), used];
  }

  /** 0 when the node may register now, which counts; otherwise milliseconds until it should ask again. */
  delayMs(owner: string, id: NodeId): number {
    return this.#buckets.takeOrWaitMs(`${owner} ${id}`, this.#clocks.nowMs());
  }

  /** Resolves to true when the node may register, and to false at once when too many of its registrations wait. */
  async turn(owner: string, id: NodeId): Promise<boolean> {
    let delayMs = this.delayMs(owner, id);
    if (delayMs === 0) return true;
    const key = `${owner} ${id}`;
    const waiting = this.#waiting.get(key) ?? 0;
    if (waiting >= MAX_WAITING) return false;
    this.#waiting.set(key, waiting + 1);
    for (; delayMs > 0; delayMs = this.delayMs(owner, id)) if (!(await this.#pause(delayMs))) break;
    const left = this.#waiting.get(key)! - 1;
    if (left === 0) this.#waiting.delete(key);
    else this.#waiting.set(key, left);
    return delayMs === 0;
  }

  /** Ends what waits in `turn`, without a turn. */
  close(): void {
    for (const end of this.#ends) end();
  }

  /** Resolves to false when it is closed before. */
  #pause(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (isOver: boolean): void => {
        clearTimeout(timer);
        this.#ends.delete(close);
        resolve(isOver);
      };
      const close = (): void => end(false);
      const timer = setTimeout(() => end(true), ms);
      this.#ends.add(close);
    });
  }
}
