/** Who a node is: the same program started again is the same node, but never the same process. */
import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { NodeProcess } from '@rollcall/protocol';

/** What tells copies of a program apart that start in the same place. */
export interface IdentitySource {
  /** Default: this machine's. */
  readonly hostname?: string;
  /** Default: this process's working directory. */
  readonly directory?: string;
  /** Which copy: a port, or the number of a slot. */
  readonly slot: number;
}

/** A part of the place, or what is taken in its place and why. */
interface PlacePart {
  readonly text: string;
  readonly problem?: string;
}

const SUFFIX_LENGTH = 7;
const MAX_NAME_LENGTH = 64;

/**
 * The id of a node that was given none: `<balancer>-<6 hex digits>`, a hash of host name, working directory and slot.
 *
 * The same program started again in the same place gets the same id. A long balancer name is cut to make room.
 */
export function defaultNodeId(balancer: string, source: IdentitySource): string {
  const host = source.hostname ?? ownHostname().text;
  const directory = source.directory ?? ownDirectory().text;
  const digest = createHash('sha256')
    .update([host, directory, String(source.slot)].join('\0'))
    .digest('hex');
  return `${balancer.slice(0, MAX_NAME_LENGTH - SUFFIX_LENGTH)}-${digest.slice(0, 6)}`;
}

/** Why the default id of this process is not what another start of the program would get; empty: it is. */
export function weaknessesOfIdentity(): readonly string[] {
  return [ownHostname().problem, ownDirectory().problem].filter((problem) => problem !== undefined);
}

/** Without a name the machine is this process: two machines with one id would take each other's place. */
function ownHostname(): PlacePart {
  try {
    return { text: hostname() };
  } catch (error) {
    const variable = process.env['HOSTNAME'];
    if (variable) return { text: variable, problem: `no host name (${codeOf(error)}), HOSTNAME is used` };
    const problem = `no host name (${codeOf(error)}), the id changes with each start`;
    return { text: `${process.pid} ${performance.timeOrigin}`, problem };
  }
}

/** A directory that was deleted has no name, and what the shell or the command line called it is what it was. */
function ownDirectory(): PlacePart {
  try {
    return { text: process.cwd() };
  } catch (error) {
    const variable = process.env['PWD'];
    const problem = `no working directory (${codeOf(error)})`;
    return variable
      ? { text: variable, problem: `${problem}, PWD is used` }
      : { text: process.argv[1] ?? process.execPath, problem: `${problem}, the path of the program is used` };
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

/** 128 random bits as 32 hex digits: tells a reconnect of one process from a second process with the same id. */
export function newInstance(): string {
  return randomBytes(16).toString('hex');
}

/** Host name and pid of this process, for people. A host name that cannot be read or shown is left out. */
export function thisProcess(): NodeProcess {
  const { pid } = process;
  try {
    const host = hostname();
    return /^[!-~]{1,255}$/.test(host) ? { host, pid } : { pid };
  } catch {
    return { pid };
  }
}

/** Start of this process in Unix milliseconds. */
export function processIncarnation(): number {
  return Math.round(performance.timeOrigin);
}
