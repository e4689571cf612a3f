import net from 'node:net';
import type { ClusterNode } from './cluster-node.ts';
import type { NodeTls } from './tls/node-tls.ts';

/** Longest wait for a node to accept a probe, milliseconds. */
export const PROBE_TIMEOUT_MS = 1_000;
/** Probes under way at once; the rest waits its turn. */
const MAX_PROBES = 64;

/** Tries to connect; true when the node accepts within `timeoutMs`. Never rejects. */
export type Probe = (
  node: { readonly host: string; readonly port: number; readonly isTls: boolean },
  timeoutMs: number,
) => Promise<boolean>;

/** Connects as a request would and closes again, sending nothing. */
export const connectProbe =
  (nodeTls: NodeTls): Probe =>
  ({ host, port, isTls }, timeoutMs) =>
    new Promise((resolve) => {
      const socket = isTls
        ? nodeTls.connect(host, port, () => end(true))
        : net.connect({ host, port }, () => end(true));
      const end = (isGood: boolean): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(isGood);
      };
      const timer = setTimeout(() => end(false), timeoutMs);
      socket.on('error', () => end(false));
    });

/** Runs `run` after `delayMs` and returns the way to prevent it. */
export type Delay = (run: () => void, delayMs: number) => () => void;

export interface NodeProbesOptions {
  readonly probe: Probe;
  readonly now: () => number;
  readonly delay: Delay;
  readonly onResult: (node: ClusterNode, isGood: boolean) => void;
}

/** Probes nodes that are suspect or ejected: at most one probe per node at a time, and few at once. */
export class NodeProbes {
  readonly #options: NodeProbesOptions;
  readonly #cancels = new Map<ClusterNode, () => void>();
  readonly #underWay = new Set<ClusterNode>();
  readonly #queue = new Set<ClusterNode>();
  #isClosed = false;

  constructor(options: NodeProbesOptions) {
    this.#options = options;
  }

  /** Probes `node` now. A probe that is under way or waits its turn counts for this one too. */
  check(node: ClusterNode): void {
    this.#cancel(node);
    if (this.#isClosed || this.#underWay.has(node)) return;
    this.#queue.add(node);
    this.#startNext();
  }

  /** Probes `node` at `atMs`; replaces an earlier appointment. */
  scheduleAt(node: ClusterNode, atMs: number): void {
    this.#cancel(node);
    if (this.#isClosed) return;
    const delayMs = Math.max(0, atMs - this.#options.now());
    this.#cancels.set(
      node,
      this.#options.delay(() => this.check(node), delayMs),
    );
  }

  /** The node is of no more interest. */
  forget(node: ClusterNode): void {
    this.#cancel(node);
    this.#queue.delete(node);
  }

  close(): void {
    this.#isClosed = true;
    this.#queue.clear();
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }

  #cancel(node: ClusterNode): void {
    this.#cancels.get(node)?.();
    this.#cancels.delete(node);
  }

  #startNext(): void {
    for (const node of this.#queue) {
      if (this.#underWay.size >= MAX_PROBES) return;
      this.#queue.delete(node);
      this.#underWay.add(node);
      void this.#run(node);
    }
  }

  async #run(node: ClusterNode): Promise<void> {
    const isGood = await this.#options.probe(node, PROBE_TIMEOUT_MS);
    this.#underWay.delete(node);
    if (this.#isClosed) return;
    if (!node.isGone) this.#options.onResult(node, isGood);
    this.#startNext();
  }
}
