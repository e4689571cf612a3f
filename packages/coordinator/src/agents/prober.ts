/**
 * Tries the addresses of nodes: of joining ones until somebody answers, of static members for as long as they are there,
 * unless requests show that they are. What it finds goes to the registry as `reachable`.
 */
import type { ConnectionId, Endings } from '@rollcall/core';
import type { NodeId } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import type { ConnectProbe } from '../network/connect-probe.ts';
import { connectProbe } from '../network/connect-probe.ts';
import type { PinnedAddress } from './node-address-policy.ts';

/** Waits before the tries of a joining node, milliseconds; the last one repeats. */
const JOINING_WAITS_MS = [0, 100, 300, 600, 1_000, 2_000, 5_000] as const;
/** Tries that may fail before the node is called unreachable: it may just be starting to listen. */
const QUIET_TRIES = 3;
/** Between probes of a static member, milliseconds. */
const STATIC_WAIT_MS = 2_000;
/** Every so many times a static member is probed though requests were answered: clients that gave up look the same. */
const MAX_SPARED = 4;
/** Connects under way at once; the others wait their turn. */
const MAX_AT_ONCE = 256;

interface Watch {
  readonly id: NodeId;
  readonly connection: ConnectionId;
  readonly address: PinnedAddress;
  /** Goes on after a good result. */
  readonly isForever: boolean;
  readonly abort: AbortController;
  tries: number;
  timer: NodeJS.Timeout | undefined;
  /** What was told last. */
  isReachable: boolean | undefined;
  /** Its requests when it was looked at last. */
  endings: Endings;
  /** Probes in a row that requests have made needless. */
  spared: number;
}

export interface ProberOptions {
  readonly probe?: ConnectProbe;
  readonly maxAtOnce?: number;
}

export class Prober {
  readonly #cluster: Cluster;
  readonly #probe: ConnectProbe;
  readonly #maxAtOnce: number;
  readonly #watches = new Map<NodeId, Watch>();
  readonly #waiting: Watch[] = [];
  #underWay = 0;

  constructor(cluster: Cluster, { probe = connectProbe, maxAtOnce = MAX_AT_ONCE }: ProberOptions = {}) {
    this.#cluster = cluster;
    this.#probe = probe;
    this.#maxAtOnce = maxAtOnce;
    cluster.onEvent((event) => {
      if (event.type === 'gone') this.forget(event.id);
    });
  }

  /** Nodes being probed. */
  get size(): number {
    return this.#watches.size;
  }

  /** Begins to probe a node, in the name of the connection that registered it. Replaces an earlier watch of the node. */
  watch(id: NodeId, connection: ConnectionId, address: PinnedAddress, isForever: boolean): void {
    this.forget(id);
    const abort = new AbortController();
    const watch: Watch = {
      id,
      connection,
      address,
      isForever,
      abort,
      tries: 0,
      timer: undefined,
      isReachable: undefined,
      endings: this.#cluster.registry.endings(id),
      spared: 0,
    };
    this.#watches.set(id, watch);
    this.#schedule(watch);
  }

  forget(id: NodeId): void {
    const watch = this.#watches.get(id);
    if (!watch) return;
    this.#watches.delete(id);
    clearTimeout(watch.timer);
    watch.abort.abort();
  }

  close(): void {
    for (const id of [...this.#watches.keys()]) this.forget(id);
    this.#waiting.length = 0;
  }

  #schedule(watch: Watch): void {
    const waitMs = watch.isReachable
      ? STATIC_WAIT_MS
      : JOINING_WAITS_MS[Math.min(watch.tries, JOINING_WAITS_MS.length - 1)]!;
    if (waitMs === 0) this.#start(watch);
    else watch.timer = setTimeout(() => (this.#isServing(watch) ? this.#schedule(watch) : this.#start(watch)), waitMs);
  }

  /** Have requests said since the last look what a probe would find? */
  #isServing(watch: Watch): boolean {
    const { good, failed } = watch.endings;
    watch.endings = this.#cluster.registry.endings(watch.id);
    const isServing = watch.isReachable === true && watch.endings.good > good && watch.endings.failed === failed;
    watch.spared = isServing && watch.spared < MAX_SPARED ? watch.spared + 1 : 0;
    return watch.spared > 0;
  }

  #start(watch: Watch): void {
    if (this.#underWay >= this.#maxAtOnce) {
      this.#waiting.push(watch);
      return;
    }
    this.#underWay += 1;
    void this.#probe(watch.address.host, watch.address.port, watch.abort.signal)
      .then((problem) => this.#take(watch, problem))
      .finally(() => {
        this.#underWay -= 1;
        const next = this.#waiting.shift();
        if (next) this.#start(next);
      });
  }

  #take(watch: Watch, problem: string | undefined): void {
    if (this.#watches.get(watch.id) !== watch) return;
    watch.tries += 1;
    if (problem === undefined) {
      watch.tries = 0;
      this.#tell(watch, true, undefined);
      if (!watch.isForever) {
        this.forget(watch.id);
        return;
      }
    } else if (watch.tries >= QUIET_TRIES) {
      this.#tell(watch, false, problem);
    }
    this.#schedule(watch);
  }

  #tell(watch: Watch, isReachable: boolean, problem: string | undefined): void {
    if (watch.isReachable === isReachable) return;
    watch.isReachable = isReachable;
    const { host, port } = watch.address;
    this.#cluster.apply({
      type: 'reachable',
      id: watch.id,
      connection: watch.connection,
      isReachable,
      ...(problem !== undefined && { detail: `${host.includes(':') ? `[${host}]` : host}:${port}: ${problem}` }),
    });
  }
}
