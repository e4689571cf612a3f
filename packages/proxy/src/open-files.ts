/** How many connections the system lets this process have: each is an open file, and so is each connection to a node. */
import { readFileSync } from 'node:fs';

/** Kept for everything that is no connection. */
const RESERVE = 256;

/** Client connections for which there are files enough, two thirds of them; `undefined` where that cannot be told. */
export function affordableConnections(limits: string | undefined = ownLimits()): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)\s/m.exec(limits ?? '') ?? [];
  return soft === undefined ? undefined : Math.max(1, Math.floor(((Number(soft) - RESERVE) * 2) / 3));
}

function ownLimits(): string | undefined {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return undefined;
  }
}
