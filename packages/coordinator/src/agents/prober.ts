/**
 * Connects to the addresses of nodes until the first connect succeeds; after that the workers observe the port. A success is
 * reported to the registry as `reachable`.
 *
 * A node that proves its instance is asked for the proof before it is up. An HTTP answer without the proof comes from another
 * program. A missing answer is no evidence of another program: the node is then up by its connect, as other nodes are.
 *
 * The ready path of a member without an agent is requested before the member is up.
 */
import type { ConnectionId } from '@rollcall/core';
import type { NodeId } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import type { ConnectProbe } from '../network/connect-probe.ts';
import { connectProbe } from '../network/connect-probe.ts';
import type { KindAnswer } from '../network/probe-kind.ts';
import type { PinnedAddress } from './node-address-policy.ts';
import type { ProbeKinds } from './probe-kinds.ts';
import type { ReadyPaths } from './ready-paths.ts';

/** Delays before the attempts to reach a joining node, milliseconds; the last one repeats. */
const JOINING_WAITS_MS = [0, 100, 300, 600, 1_000, 2_000, 5_000] as const;
/**
 * Failed attempts before the node is reported as unreachable, or refused. A node may just be starting to listen, and a
 * predecessor may answer its last connections.
 */
const QUIET_TRIES = 3;
/** Upper bound of concurrent connects; further ones are queued. */
const MAX_AT_ONCE = 256;

/** Result of one attempt: the reason why the connect failed, or the answer of a node that proves its instance. */
interface Outcome {
  readonly problem?: string;
  readonly answer?: KindAnswer | undefined;
}

interface Watch {
  readonly id: NodeId;
  readonly connection: ConnectionId;
  readonly address: PinnedAddress;
  readonly abort: AbortController;
  tries: number;
  timer: NodeJS.Timeout | undefined;
  /** The node was reported as unreachable. */
  isReported: boolean;
}

export interface ProberOptions {
  readonly probe?: ConnectProbe;
  readonly maxAtOnce?: number;
  /** Determines how a reached node can be probed. */
  readonly kinds?: Pick<ProbeKinds, 'ask' | 'learn' | 'forget' | 'close'>;
  /** Determines whether a reached member without an agent is ready, before it is up. */
  readonly readyPaths?: Pick<ReadyPaths, 'watch' | 'forget' | 'close'>;
}

export class Prober {
  readonly #cluster: Cluster;
  readonly #probe: ConnectProbe;
  readonly #maxAtOnce: number;
  readonly #kinds: ProberOptions['kinds'];
  readonly #readyPaths: ProberOptions['readyPaths'];
  readonly #watches = new Map<NodeId, Watch>();
  readonly #waiting: Watch[] = [];
  #underWay = 0;

  constructor(cluster: Cluster, { probe = connectProbe, maxAtOnce = MAX_AT_ONCE, ...others }: ProberOptions = {}) {
    this.#cluster = cluster;
    this.#probe = probe;
    this.#maxAtOnce = maxAtOnce;
    this.#kinds = others.kinds;
    this.#readyPaths = others.readyPaths;
    cluster.onEvent((event) => {
      if (event.type === 'gone') this.forget(event.id);
    });
  }

  /** Number of nodes being probed. */
  get size(): number {
    return this.#watches.size;
  }

  /** Starts to probe a node on behalf of the connection that registered it. Replaces an earlier watch of the node. */
  watch(id: NodeId, connection: ConnectionId, address: PinnedAddress): void {
    this.forget(id);
    const abort = new AbortController();
    const watch: Watch = { id, connection, address, abort, tries: 0, timer: undefined, isReported: false };
    this.#watches.set(id, watch);
    this.#schedule(watch);
  }

  forget(id: NodeId): void {
    this.#kinds?.forget(id);
    this.#readyPaths?.forget(id);
    this.#stop(id);
  }

  close(): void {
    for (const id of [...this.#watches.keys()]) this.#stop(id);
    this.#waiting.length = 0;
    this.#kinds?.close();
    this.#readyPaths?.close();
  }

  #stop(id: NodeId): void {
    const watch = this.#watches.get(id);
    if (!watch) return;
    this.#watches.delete(id);
    clearTimeout(watch.timer);
    watch.abort.abort();
  }

  #schedule(watch: Watch): void {
    const waitMs = JOINING_WAITS_MS[Math.min(watch.tries, JOINING_WAITS_MS.length - 1)]!;
    if (waitMs === 0) this.#start(watch);
    else watch.timer = setTimeout(() => this.#start(watch), waitMs);
  }

  #start(watch: Watch): void {
    if (this.#underWay >= this.#maxAtOnce) {
      this.#waiting.push(watch);
      return;
    }
    this.#underWay += 1;
    void this.#reach(watch)
      .then((outcome) => this.#take(watch, outcome))
      .finally(() => {
        this.#underWay -= 1;
        const next = this.#waiting.shift();
        if (next) this.#start(next);
      });
  }

  async #reach({ id, address, abort }: Watch): Promise<Outcome> {
    const problem = await this.#probe(address.host, address.port, abort.signal);
    if (problem !== undefined) return { problem };
    const node = this.#cluster.registry.node(id);
    if (node?.kind !== 'agent') await this.#readyPaths?.watch(id, address);
    if (node?.kind !== 'agent' || !node.registration.proves) return {};
    return { answer: await this.#kinds?.ask(id, address, abort.signal) };
  }

  #take(watch: Watch, { problem, answer }: Outcome): void {
    const { id, connection, address } = watch;
    if (this.#watches.get(id) !== watch) return;
    if (problem !== undefined || answer === 'other') {
      watch.tries += 1;
      if (watch.tries >= QUIET_TRIES && problem !== undefined) this.#report(watch, problem);
      else if (watch.tries >= QUIET_TRIES) {
        this.#cluster.apply({ type: 'reachable', id, connection, isReachable: false, isOther: true });
        return;
      }
      this.#schedule(watch);
      return;
    }
    this.#stop(id);
    const isKnown = answer === 'proof' || answer === 'options';
    this.#cluster.apply({ type: 'reachable', id, connection, isReachable: true, ...(isKnown && { probe: answer }) });
    // It may have lost its address to a node that was reached there first.
    if (!isKnown && this.#cluster.registry.node(id)?.liveness !== 'gone') this.#kinds?.learn(id, address);
  }

  #report(watch: Watch, problem: string): void {
    if (watch.isReported) return;
    watch.isReported = true;
    const { id, connection, address } = watch;
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    const detail = `${host}:${address.port}: ${problem}`;
    this.#cluster.apply({ type: 'reachable', id, connection, isReachable: false, detail });
  }
}
