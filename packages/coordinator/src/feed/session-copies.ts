/**
 * Sends the sessions of all workers to every worker, after one has joined or ended. Without it, a worker that replaces another one
 * has only the sessions of its own requests, and a crash of the coordinator loses the others.
 */
import { frameWithLists, joinedJson, SESSIONS_PER_SECOND } from '@rollcall/feed';
import type { Cluster } from '../cluster.ts';

/** Sessions in one message: few enough that no request of a worker waits for it. */
const SESSIONS_A_MESSAGE = 512;
/** Interval between two messages, milliseconds. */
const MESSAGE_MS = (1_000 * SESSIONS_A_MESSAGE) / SESSIONS_PER_SECOND;

export class SessionCopies {
  readonly #cluster: Cluster;
  readonly #broadcast: (text: string) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(cluster: Cluster, broadcast: (text: string) => void) {
    this.#cluster = cluster;
    this.#broadcast = broadcast;
  }

  /** Sends all sessions, also the ones that are already sent. */
  begin(): void {
    this.#cluster.registry.tellSessionsAgain();
    this.#timer ??= setTimeout(() => this.#next(), 0);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #next(): void {
    this.#timer = undefined;
    const { registry, clocks } = this.#cluster;
    const nodes = registry.takeSessions(SESSIONS_A_MESSAGE, clocks.nowMs());
    if (nodes.length === 0) return;
    for (const items of joinedJson(nodes)) this.#broadcast(frameWithLists({ type: 'sessions' }, { nodes: items }));
    this.#timer = setTimeout(() => this.#next(), MESSAGE_MS);
  }
}
