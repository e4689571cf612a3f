/** The pools of idle connections of one engine, one for each node that has had a request or a probe. */
import type { UpstreamNode } from './router.ts';
import { type IdleRoom, type PooledConnection, UpstreamPool } from './upstream-pool.ts';

export class UpstreamPools<Connection extends PooledConnection> {
  readonly #byNode = new Map<UpstreamNode, UpstreamPool<Connection>>();
  readonly #maxIdlePerNode: number;
  readonly #room: IdleRoom;
  /** Position of `#makeRoom` among the pools. */
  #turn: Iterator<UpstreamPool<Connection>>;

  /** `maxIdle`: idle connections of all pools together. Each is an open file, and thousands of nodes have one after a probe. */
  constructor(maxIdlePerNode: number, maxIdle: number = Number.POSITIVE_INFINITY) {
    this.#maxIdlePerNode = maxIdlePerNode;
    this.#room = { idle: 0, maxIdle, makeRoom: () => this.#makeRoom() };
    this.#turn = this.#byNode.values();
  }

  /** Number of idle connections. */
  get idle(): number {
    return this.#room.idle;
  }

  /** Closes the oldest idle connection of the next pool that has one. The pools take turns, so that none of them keeps all. */
  #makeRoom(): void {
    for (let left = this.#byNode.size; left >= 0; left--) {
      const { value, done } = this.#turn.next();
      if (done === true) this.#turn = this.#byNode.values();
      else if (value.closeOldest()) return;
    }
  }

  /** The pool of `node`, made on first use. */
  of(node: UpstreamNode): UpstreamPool<Connection> {
    let pool = this.#byNode.get(node);
    if (pool === undefined) {
      pool = new UpstreamPool(this.#maxIdlePerNode, this.#room);
      this.#byNode.set(node, pool);
    }
    return pool;
  }

  /** The pool of `node`; `undefined` before its first use. */
  get(node: UpstreamNode): UpstreamPool<Connection> | undefined {
    return this.#byNode.get(node);
  }

  /** The node is gone: idle connections close now, busy ones after their exchange. */
  remove(node: UpstreamNode): void {
    this.#byNode.get(node)?.close();
    this.#byNode.delete(node);
  }

  /** Closes all idle connections. */
  empty(): void {
    for (const pool of this.#byNode.values()) pool.empty();
  }

  /** The same as `remove` for every node. */
  close(): void {
    for (const pool of this.#byNode.values()) pool.close();
    this.#byNode.clear();
  }
}
