/** Who a node is: the same program started again is the same node, but never the same process. */
import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

/** What tells copies of a program apart that start in the same place. */
export interface IdentitySource {
  /** Default: this machine's. */
  readonly hostname?: string;
  /** Default: this process's working directory. */
  readonly directory?: string;
  /** Which copy: a port, or the number of a slot. */
  readonly slot: number;
}

const SUFFIX_LENGTH = 7;
const MAX_NAME_LENGTH = 64;

/**
 * The id of a node that was given none: `<balancer>-<6 hex digits>`, a hash of host name, working directory and slot.
 *
 * The same program started again in the same place gets the same id. A long balancer name is cut to make room.
 */
export function defaultNodeId(balancer: string, source: IdentitySource): string {
  const parts = [source.hostname ?? hostname(), source.directory ?? process.cwd(), String(source.slot)];
  const digest = createHash('sha256').update(parts.join('\0')).digest('hex');
  return `${balancer.slice(0, MAX_NAME_LENGTH - SUFFIX_LENGTH)}-${digest.slice(0, 6)}`;
}

/** 128 random bits as 32 hex digits: tells a reconnect of one process from a second process with the same id. */
export function newInstance(): string {
  return randomBytes(16).toString('hex');
}

/** Start of this process in Unix milliseconds. */
export function processIncarnation(): number {
  return Math.round(performance.timeOrigin);
}
