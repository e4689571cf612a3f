/** Maximum numbers of connections of this process. Each connection of a client and each to a node is an open file. */
import { readFileSync } from 'node:fs';

/** Files reserved for other uses than connections. */
const RESERVE = 256;

/** Shares of the open files. What they leave is for requests in flight. */
export interface FileShares {
  /** Connections of clients: two thirds. */
  readonly clients: number;
  /** Idle connections to all nodes together: a sixth. */
  readonly idle: number;
  /** Probes that wait for an answer on a fresh connection: a twelfth. */
  readonly probes: number;
}

/** The shares of this process; `undefined` if its limit of open files is unknown. */
export function fileShares(limits: string | undefined = ownLimits()): FileShares | undefined {
  const [, soft] = /^Max open files\s+(\d+)\s/m.exec(limits ?? '') ?? [];
  if (soft === undefined) return undefined;
  const share = (part: number): number => Math.max(1, Math.floor((Number(soft) - RESERVE) * part));
  return { clients: share(2 / 3), idle: share(1 / 6), probes: share(1 / 12) };
}

function ownLimits(): string | undefined {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return undefined;
  }
}
