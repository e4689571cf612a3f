/**
 * At which address a program is found. Another program may listen on the same port of another address: only where a process of
 * ours accepts connections is ours.
 */
import { type AnnouncedAddress, announcedAddress, ownAddresses } from '@rollcall/agent';
import { listeningAddresses, processTree } from './process-table.ts';

/** The address at which the program with the root process `pid` listens on `port`; `undefined` when we may not know. */
export function boundAddress(pid: number, port: number, preferred: string): string | undefined {
  const processes = processTree(pid).map((entry) => entry.pid);
  const addresses = listeningAddresses(processes, port);
  return ['::', '0.0.0.0', preferred].find((address) => addresses.includes(address)) ?? addresses[0];
}

/** The address for the wrapper's own checks: where the program has answered, unless another program has. */
export function askedAddress(bound: string | undefined, answered: string): string {
  return bound === undefined || bound === '::' || bound === '0.0.0.0' ? answered : bound;
}

export interface ProgramPlace {
  /** From `boundAddress`. */
  readonly bound: string | undefined;
  /** Where it answers the wrapper. */
  readonly answers: string;
  /** Our end of the connection to the coordinator, and the coordinator's; empty when unknown. */
  readonly local: string;
  readonly remote: string;
}

/** The address for the cluster, or why there is none. */
export function programAddress({ bound, answers, local, remote }: ProgramPlace): AnnouncedAddress {
  // Without /proc, an answer on IPv6 loopback only means that the program does not listen on IPv4.
  const place = bound ?? (answers === '::1' && local === '127.0.0.1' ? answers : undefined);
  return announcedAddress({ bound: place, local, remote, interfaces: ownAddresses(), setting: '--address' });
}
