/**
 * Requests the ready paths of members without an agent, by the same rules as `rollcall run --ready`. Each member is checked once a
 * second, and less often if there are more than 250. A check sends a request, unless one is open or a pause is not over. Changes are
 * reported to the registry. The answers never decide whether a member is up: the workers observe that.
 */
import type { NodeView } from '@rollcall/core';
import {
  isReadyStatus,
  type NodeId,
  READY_GIVE_UP_MS,
  READY_INTERVAL_MS,
  ReadyPath,
  unreadyText,
} from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import { PROBE_TIMEOUT_MS } from '../network/connect-probe.ts';
import { askNode, type NodeAnswer, type NodeRequest } from '../network/node-request.ts';
import { type NodeAddressPolicy, type PinnedAddress, UNKNOWN_REACH } from './node-address-policy.ts';

/** Upper bound of concurrent requests; further ones are queued. */
const MAX_AT_ONCE = 256;
/** The interval of checks is at least this for each member, in milliseconds: at most 250 requests per second in all. */
const INTERVAL_PER_MEMBER_MS = 4;

export interface ReadyPathsOptions {
  readonly cluster: Cluster;
  /** Checks the address of a member again after a request without a connection, because its name may have another address. */
  readonly policy: Pick<NodeAddressPolicy, 'check'>;
  readonly userAgent: string;
  readonly ask?: (question: NodeRequest, signal: AbortSignal) => Promise<NodeAnswer>;
  readonly maxAtOnce?: number;
  /** 0 … 1, spreads the checks of members that were registered together. */
  readonly random?: () => number;
}

interface Watch {
  readonly id: NodeId;
  readonly url: NodeView['registration']['url'];
  readonly path: string;
  readonly state: ReadyPath;
  readonly abort: AbortController;
  /** Resolves with the first answer, or when it is overdue. */
  readonly first: Promise<void>;
  readonly endFirst: () => void;
  /** `undefined` after a request without a connection. */
  address: PinnedAddress | undefined;
  timer: NodeJS.Timeout | undefined;
  isOverdue: boolean;
  /** The last report to the registry. */
  problem: string | undefined;
  isLate: boolean;
}

export class ReadyPaths {
  readonly #options: ReadyPathsOptions;
  readonly #maxAtOnce: number;
  readonly #ask: NonNullable<ReadyPathsOptions['ask']>;
  readonly #watches = new Map<NodeId, Watch>();
  readonly #waiting = new Set<Watch>();
  #underWay = 0;

  constructor(options: ReadyPathsOptions) {
    this.#options = options;
    this.#maxAtOnce = options.maxAtOnce ?? MAX_AT_ONCE;
    this.#ask = options.ask ?? askNode;
    options.cluster.onEvent((event) => {
      if (event.type === 'gone') this.forget(event.id);
    });
  }

  /** Number of members whose path is requested. */
  get size(): number {
    return this.#watches.size;
  }

  /**
   * Starts to request the ready path of a member at its checked address, or continues. Resolves when the registry knows whether the
   * member is ready: after the first answer, or `PROBE_TIMEOUT_MS` without one. A node without a ready path, or with an agent, has no
   * requests.
   */
  watch(id: NodeId, address: PinnedAddress): Promise<void> {
    const node = this.#options.cluster.registry.node(id);
    const known = this.#watches.get(id);
    if (known && isOf(known, node)) {
      known.address = address;
      return known.first;
    }
    this.forget(id);
    const path = pathOf(node);
    if (node === undefined || path === undefined) return Promise.resolve();
    let endFirst = (): void => {};
    const first = new Promise<void>((resolve) => {
      endFirst = resolve;
    });
    const watch: Watch = {
      id,
      url: node.registration.url,
      path,
      state: new ReadyPath(),
      abort: new AbortController(),
      first,
      endFirst,
      address,
      timer: undefined,
      isOverdue: false,
      problem: node.readyReason,
      isLate: node.isReadyLate,
    };
    this.#watches.set(id, watch);
    watch.timer = setTimeout(() => {
      watch.isOverdue = true;
      this.#report(watch);
      const { random = Math.random } = this.#options;
      watch.timer = setTimeout(() => this.#check(watch), random() * this.#intervalMs);
    }, PROBE_TIMEOUT_MS);
    this.#request(watch);
    return first;
  }

  forget(id: NodeId): void {
    const watch = this.#watches.get(id);
    if (!watch) return;
    this.#watches.delete(id);
    this.#waiting.delete(watch);
    clearTimeout(watch.timer);
    watch.abort.abort();
    watch.endFirst();
  }

  close(): void {
    for (const id of [...this.#watches.keys()]) this.forget(id);
  }

  get #intervalMs(): number {
    return Math.max(READY_INTERVAL_MS, INTERVAL_PER_MEMBER_MS * this.#watches.size);
  }

  #check(watch: Watch): void {
    const { cluster } = this.#options;
    if (!isOf(watch, cluster.registry.node(watch.id))) {
      this.forget(watch.id);
      return;
    }
    watch.timer = setTimeout(() => this.#check(watch), this.#intervalMs);
    if (watch.state.isDue(cluster.clocks.nowMs())) this.#request(watch);
    this.#report(watch);
  }

  #request(watch: Watch): void {
    if (this.#underWay >= this.#maxAtOnce) {
      this.#waiting.add(watch);
      return;
    }
    this.#waiting.delete(watch);
    this.#underWay += 1;
    const { clocks } = this.#options.cluster;
    watch.state.asked(clocks.nowMs());
    void this.#answer(watch).then((answer) => {
      this.#underWay -= 1;
      if (this.#watches.get(watch.id) === watch) {
        watch.state.take(answer, clocks.nowMs());
        if (answer.type === 'refused' || answer.type === 'unconnected') watch.address = undefined;
        this.#report(watch);
      }
      const [next] = this.#waiting;
      if (next) this.#request(next);
    });
  }

  async #answer(watch: Watch): Promise<NodeAnswer> {
    const { url, path, abort } = watch;
    const address = watch.address ?? (await this.#addressOf(watch));
    if (address === undefined) return { type: 'unconnected' };
    watch.address = address;
    const headers = { 'user-agent': this.#options.userAgent };
    return this.#ask({ url, ...address, method: 'GET', path, headers, timeoutMs: READY_GIVE_UP_MS }, abort.signal);
  }

  async #addressOf({ id, url }: Watch): Promise<PinnedAddress | undefined> {
    const { cluster, policy } = this.#options;
    const checked = await policy.check(url, cluster.registry.node(id)?.reach ?? UNKNOWN_REACH);
    if (!('code' in checked)) return checked;
    cluster.apply({ type: 'address-refused', id, message: checked.message });
    return undefined;
  }

  #report(watch: Watch): void {
    const { cluster } = this.#options;
    const { id, state } = watch;
    const node = cluster.registry.node(id);
    if (node === undefined || !isOf(watch, node)) return;
    const problem = problemOf(watch);
    const isLate = state.isLate(cluster.clocks.nowMs());
    // A late path is reported at each check, because a load counts for a limited time.
    if (problem !== watch.problem || isLate || watch.isLate) {
      const { connection } = node;
      cluster.apply({ type: 'ready-path', id, connection, isLate, ...(problem !== undefined && { problem }) });
    }
    watch.problem = problem;
    watch.isLate = isLate;
    if (state.status !== undefined || watch.isOverdue) watch.endFirst();
  }
}

/** The path of a member without an agent; `undefined` for other nodes. */
function pathOf(node: NodeView | undefined): string | undefined {
  return node === undefined || node.kind === 'agent' || node.liveness === 'gone'
    ? undefined
    : node.registration.readyPath;
}

function isOf({ url, path }: Watch, node: NodeView | undefined): boolean {
  return node?.registration.url === url && pathOf(node) === path;
}

/** Before the first answer a member is as it was, until the answer is overdue. */
function problemOf({ state: { status }, path, isOverdue, problem }: Watch): string | undefined {
  if (status !== undefined) return isReadyStatus(status) ? undefined : unreadyText(status, path);
  return isOverdue ? `has not answered ${path} within ${PROBE_TIMEOUT_MS / 1_000} s` : problem;
}
