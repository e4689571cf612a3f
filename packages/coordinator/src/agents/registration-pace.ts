/** Rate of registrations per node: a burst of twice the quota, then the quota per minute. Further registrations are queued. */
import { type Fault, type NodeId, quotaText } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';
import { KeyedBuckets } from '../network/token-bucket.ts';

const MAX_NODES = 20_000;
/** Upper bound of registrations of one node that wait in `turn`. */
const MAX_WAITING = 4;

export class RegistrationPace {
  readonly #burst: number;
  readonly #buckets: KeyedBuckets;
  readonly #clocks: Clocks;
  readonly #waiting = new Map<string, number>();
  readonly #ends = new Set<() => void>();

  /** `perMinute`: the quota `registrations`, at least 1. */
  constructor(perMinute: number, clocks: Clocks) {
    this.#burst = 2 * perMinute;
    this.#buckets = new KeyedBuckets({ burst: this.#burst, perSecond: perMinute / 60 }, MAX_NODES);
    this.#clocks = clocks;
  }

  /** The node with the largest used part of its burst, and the number of registrations. */
  busiest(): readonly [node: string | undefined, registrations: number] {
    const [key, used] = this.#buckets.fullest(this.#clocks.nowMs());
    return [key?.slice(key.lastIndexOf(' ') + 1), used];
  }

  /** 0 if the node may register now, which is counted; otherwise the milliseconds until it should retry. */
  delayMs(owner: string, id: NodeId): number {
    return this.#buckets.takeOrWaitMs(`${owner} ${id}`, this.#clocks.nowMs());
  }

  /** Resolves to true when the node may register, and to false at once if too many of its registrations wait. */
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

  /** The fault with which `turn` refuses the node. */
  refusal(id: NodeId): Fault {
    const use = { holder: `node ${id} has`, used: this.#burst, limit: this.#burst, what: 'registrations' };
    const message = `${quotaText({ ...use, quota: 'registrations' })}, of which ${this.#burst / 2} a minute are given back, and ${MAX_WAITING} more that wait for their turn`;
    return { code: 'rate-limited', message };
  }

  /** Ends all waits in `turn` with false. */
  close(): void {
    for (const end of this.#ends) end();
  }

  /** Resolves to false if it is closed before. */
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
