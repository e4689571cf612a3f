/**
 * The address of a program. Another program may listen on the same port at another address, so only an address at which a process
 * of the program listens is used.
 */
import { type AnnouncedAddress, announcedAddress, ownAddresses } from '@rollcall/agent';
import { listeningAddresses, processTree } from './process-table.ts';

/** The address at which the program with the root process `pid` listens on `port`; `undefined` without permission to see it. */
export function boundAddress(pid: number, port: number, preferred: string): string | undefined {
  const processes = processTree(pid).map((entry) => entry.pid);
  const addresses = listeningAddresses(processes, port);
  return ['::', '0.0.0.0', preferred].find((address) => addresses.includes(address)) ?? addresses[0];
}

/** The address for the wrapper's own checks: the one that has answered, unless another program answered. */
export function askedAddress(bound: string | undefined, answered: string): string {
  return bound === undefined || bound === '::' || bound === '0.0.0.0' ? answered : bound;
}

export interface ProgramPlace {
  /** From `boundAddress`. */
  readonly bound: string | undefined;
  /** Address at which it answers the wrapper. */
  readonly answers: string;
  /** Local and remote address of the connection to the coordinator; empty if unknown. */
  readonly local: string;
  readonly remote: string;
}

/** The address for the cluster, or the reason why there is none. */
export function programAddress({ bound, answers, local, remote }: ProgramPlace): AnnouncedAddress {
  // Without /proc, an answer on IPv6 loopback only means that the program does not listen on IPv4.
  const place = bound ?? (answers === '::1' && local === '127.0.0.1' ? answers : undefined);
  return announcedAddress({ bound: place, local, remote, interfaces: ownAddresses(), setting: '--address' });
}
