/** The client connections of one engine. Each is added when it begins, and removed when it ends. */

/** A client connection as the set sees it. */
export interface SetClient {
  /** True between requests. */
  readonly isIdle: boolean;
}

export class ClientSet<Connection extends SetClient> {
  readonly #all = new Set<Connection>();
  /** Connections without a complete request head so far, the oldest first. */
  readonly #withoutRequest = new Set<Connection>();

  get size(): number {
    return this.#all.size;
  }

  /** All of them, the oldest first. */
  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#all.values();
  }

  add(client: Connection): void {
    this.#all.add(client);
    this.#withoutRequest.add(client);
  }

  /** The first request head of `client` is complete. */
  onFirstRequest(client: Connection): void {
    this.#withoutRequest.delete(client);
  }

  /** Without effect on a repeat. */
  remove(client: Connection): void {
    this.#all.delete(client);
    this.#withoutRequest.delete(client);
  }

  /** The oldest connection without a complete request head; `undefined` if there is none. */
  get oldestWithoutRequest(): Connection | undefined {
    const [oldest] = this.#withoutRequest;
    return oldest;
  }

  /** The first idle one among the `maxLooks` oldest connections; `undefined` if none of them is idle. */
  firstIdle(maxLooks: number): Connection | undefined {
    let looks = 0;
    for (const client of this.#all) {
      if (client.isIdle) return client;
      if (++looks === maxLooks) return undefined;
    }
    return undefined;
  }
}
