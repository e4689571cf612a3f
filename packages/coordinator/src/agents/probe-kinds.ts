/**
 * Determines how nodes can be probed, after they were reached. It does not delay `up`: until the answer is known, a node is
 * assumed to answer `OPTIONS *`.
 */
import type { NodeId } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import { type KindAnswer, type KindProbe, probeKind } from '../network/probe-kind.ts';
import type { PinnedAddress } from './node-address-policy.ts';

/** Delay before each question, milliseconds. A program that has just started may be too busy to answer the first one. */
const WAITS_MS = [0, 2_000, 10_000] as const;
/** Upper bound of concurrent questions; further ones are queued. */
const MAX_AT_ONCE = 256;

interface Task {
  readonly id: NodeId;
  readonly address: PinnedAddress;
  readonly abort: AbortController;
  tries: number;
  timer: NodeJS.Timeout | undefined;
}

export interface ProbeKindsOptions {
  readonly probe?: KindProbe;
  readonly userAgent?: string;
}

export class ProbeKinds {
  readonly #cluster: Cluster;
  readonly #probe: KindProbe;
  readonly #userAgent: string;
  readonly #tasks = new Map<NodeId, Task>();
  readonly #waiting: Task[] = [];
  #underWay = 0;

  constructor(cluster: Cluster, { probe = probeKind, userAgent = 'rollcall-probe' }: ProbeKindsOptions = {}) {
    this.#cluster = cluster;
    this.#probe = probe;
    this.#userAgent = userAgent;
  }

  /** Starts for a node that was reached at `address`. Replaces an earlier task of the node. */
  learn(id: NodeId, address: PinnedAddress): void {
    this.forget(id);
    const task: Task = { id, address, abort: new AbortController(), tries: 0, timer: undefined };
    this.#tasks.set(id, task);
    this.#schedule(task);
  }

  /** Asks a node once. Resolves to `undefined` if the node does not exist. Never rejects. */
  async ask(id: NodeId, address: PinnedAddress, signal: AbortSignal): Promise<KindAnswer | undefined> {
    const node = this.#cluster.registry.node(id);
    if (!node) return undefined;
    const { url, instance, readyPath, proves, contexts, stripPrefix } = node.registration;
    const isAgent = node.kind === 'agent';
    const home = stripPrefix ? '/' : contexts[0]?.path;
    return this.#probe(
      {
        url,
        ...address,
        instance: isAgent ? instance : undefined,
        hasReadyPath: readyPath !== undefined,
        provesAt: isAgent && proves ? (readyPath ?? home) : undefined,
        userAgent: this.#userAgent,
      },
      signal,
    );
  }

  forget(id: NodeId): void {
    const task = this.#tasks.get(id);
    if (!task) return;
    this.#tasks.delete(id);
    clearTimeout(task.timer);
    task.abort.abort();
  }

  close(): void {
    for (const id of [...this.#tasks.keys()]) this.forget(id);
    this.#waiting.length = 0;
  }

  #schedule(task: Task): void {
    const waitMs = WAITS_MS[task.tries];
    if (waitMs === undefined) this.#tasks.delete(task.id);
    else if (waitMs === 0) this.#start(task);
    else task.timer = setTimeout(() => this.#start(task), waitMs);
  }

  #start(task: Task): void {
    if (this.#tasks.get(task.id) !== task) return;
    if (this.#underWay >= MAX_AT_ONCE) {
      this.#waiting.push(task);
      return;
    }
    this.#underWay += 1;
    void this.#ask(task).finally(() => {
      this.#underWay -= 1;
      const next = this.#waiting.shift();
      if (next) this.#start(next);
    });
  }

  async #ask(task: Task): Promise<void> {
    const { id, address, abort } = task;
    const asked = this.#cluster.registry.node(id)?.registration;
    const probe = await this.ask(id, address, abort.signal);
    if (asked === undefined || probe === undefined || this.#tasks.get(id) !== task) return;
    // The same process may have reconnected, and each PUT of a member has its own number.
    const current = this.#cluster.registry.node(id);
    if (current?.registration.instance !== asked.instance || current.registration.url !== asked.url) return;
    const { connection } = current;
    if (probe === 'other') {
      this.#cluster.apply({ type: 'reachable', id, connection, isReachable: false, isOther: true });
      return;
    }
    this.#cluster.apply({ type: 'reachable', id, connection, isReachable: true, probe });
    const hasAnswered = probe === 'proof' || probe === 'options';
    task.tries = hasAnswered ? WAITS_MS.length : task.tries + 1;
    this.#schedule(task);
  }
}
