/** Notices of the agent for the log of a node, and the codes that the agent itself generates. */

/** One sentence for the log of the node. `code` is a code of the protocol or one of `AGENT_CODES`. */
export interface Notice {
  readonly code: string;
  readonly message: string;
}

/** Codes of notices that the agent itself generates. */
export const AGENT_CODES = [
  'no-coordinator',
  'coordinator-unreachable',
  'coordinator-ignored',
  'connection-lost',
  'budget',
  'bad-token-file',
  'coordinator-garbage',
  'misuse',
  'metric-failed',
  'weak-identity',
  'internal-error',
] as const;

export type AgentCode = (typeof AGENT_CODES)[number];
