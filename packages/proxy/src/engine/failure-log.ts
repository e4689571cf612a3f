/**
 * One log line for a request that a node has failed: each 502 and 504 can be traced to a node and a cause. Each node has at most one line
 * per second. The next line has the count of requests in between.
 */
import type { Failure } from './failure.ts';
import type { UpstreamNode } from './router.ts';
import type { EngineLog } from './shared-services.ts';

/** A request without a complete answer of a node. */
export interface FailedRequest {
  readonly node: UpstreamNode;
  readonly failure: Failure;
  /** The limit that ended the request, like `upstream-timeout 30s`; `undefined` if none did. */
  readonly limit?: string | undefined;
  /** Attempts so far, including this one. */
  readonly attempts: number;
  readonly requestId: string;
  /** Status for the client; 0 if the node's answer broke off. */
  readonly status: number;
}

/** Time between two lines of one node, milliseconds. */
const QUIET_MS = 1_000;

interface Lines {
  lastAtMs: number;
  /** Failed requests since the last line. */
  unlogged: number;
}

export class FailureLog {
  readonly #log: EngineLog | undefined;
  readonly #byNode = new WeakMap<UpstreamNode, Lines>();

  constructor(log: EngineLog | undefined) {
    this.#log = log;
  }

  /** A failure of the client is no failure of the node, and makes no line. */
  note(request: FailedRequest, nowMs: number): void {
    const { node, failure, limit, attempts, requestId, status } = request;
    if (this.#log === undefined || failure.party === 'client') return;
    const lines = this.#byNode.get(node) ?? { lastAtMs: Number.NEGATIVE_INFINITY, unlogged: 0 };
    this.#byNode.set(node, lines);
    if (nowMs - lines.lastAtMs < QUIET_MS) {
      lines.unlogged += 1;
      return;
    }
    const { unlogged } = lines;
    lines.lastAtMs = nowMs;
    lines.unlogged = 0;
    const { party, how } = failure;
    // e.g. `ECONNREFUSED`
    const code = failure.cause?.code;
    const cause = code === undefined ? how : `${how} (${code})`;
    this.#log.warn(
      {
        node: node.id,
        address: `${node.host}:${node.port}`,
        cause: how,
        ...(limit !== undefined && { limit }),
        ...(code !== undefined && { code }),
        phase: party,
        attempts,
        requestId,
        ...(status > 0 && { status }),
        ...(unlogged > 0 && { unlogged }),
      },
      `request failed at node ${node.id}: ${cause}${limit === undefined ? '' : `, limit: ${limit}`}; ${status > 0 ? `answered ${status}` : 'the answer broke off'}`,
    );
  }
}
