/** Whatever chooses the node, with everything it is told while a pass goes on. */
import type { Running, Workplace } from '../../system/workplace.ts';
import type { NodePorts } from '../messages.ts';

export interface BalancerRequest {
  readonly workplace: Workplace;
  /** A new directory of its own, which others may read. */
  readonly directory: string;
  /** All nodes of the pass by number; they listen. */
  readonly nodes: readonly NodePorts[];
  /** Number of the one that joins later; -1 for none. */
  readonly absent: number;
  /** A session stays on its node; otherwise requests are without sessions. */
  readonly hasSessions: boolean;
  /** Processes that clients choose among. */
  readonly proxies: number;
  /** Makes nodes register with a coordinator as their agents. */
  readonly register: (numbers: readonly number[], coordinator: string) => Promise<void>;
}

export interface RunningBalancer {
  /** Where clients connect, any of them. */
  readonly ports: readonly number[];
  readonly processes: readonly Running[];
  /** The absent node is there from now on. */
  join(node: number): Promise<void>;
  /** The node takes nothing new from now on. The node itself waits until it is idle. */
  leave(node: number): Promise<void>;
}

export interface Balancer {
  /** As in `--only` and in tables. */
  readonly name: string;
  /** What makes it available, as a sentence. */
  readonly remedy: string;
  /** Its version; `undefined` when it is not here. */
  version(): string | undefined;
  /** Sessions can stay on their node. */
  readonly keepsSessions: boolean;
  /** Starts it. Resolves when it forwards to all nodes but the absent one. */
  start(request: BalancerRequest): Promise<RunningBalancer>;
}
