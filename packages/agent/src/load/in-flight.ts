/** In-flight where nothing better is known: this many requests at once count as half loaded. */
const HALF_LOAD = 64;

/**
 * Requests the node is serving right now. A request is finished when its response has been handed to the socket
 * whole, or its connection is gone.
 */
export class InFlight {
  #count = 0;
  #finished = 0;
  readonly #capacity: number | undefined;

  /** `capacity` is how many requests at once the node serves well; without it the load rises as n / (n + 64). */
  constructor(capacity?: number) {
    this.#capacity = capacity !== undefined && Number.isFinite(capacity) && capacity > 0 ? capacity : undefined;
  }

  get count(): number {
    return this.#count;
  }

  /** Requests finished since the start. */
  get finished(): number {
    return this.#finished;
  }

  /** 0 none … 1 as many as the node can serve. */
  get load(): number {
    if (this.#capacity !== undefined) return Math.min(1, this.#count / this.#capacity);
    return this.#count / (this.#count + HALF_LOAD);
  }

  /** Counts one request until the returned function is called; calling it again changes nothing. */
  begin(): () => void {
    this.#count += 1;
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      this.#count -= 1;
      this.#finished += 1;
    };
  }
}
