/** Identity of a node: a restarted program is the same node, with another instance. */
import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { NodeProcess } from '@rollcall/protocol';

/** Inputs of the default id. They distinguish copies of a program on one machine. */
export interface IdentitySource {
  /** Default: the host name of this machine. */
  readonly hostname?: string;
  /** Default: the working directory of this process. */
  readonly directory?: string;
  /** Port, or number of the slot. */
  readonly slot: number;
}

/** A part of the identity; `problem` if it is a substitute. */
interface PlacePart {
  readonly text: string;
  readonly problem?: string;
}

const SUFFIX_LENGTH = 7;
const MAX_NAME_LENGTH = 64;

/**
 * The default id of a node: `<balancer>-<6 hex digits>`. The digits are a hash of host name, working directory and slot.
 *
 * A restarted program has the same id. A long balancer name is cut to 57 characters.
 */
export function defaultNodeId(balancer: string, source: IdentitySource): string {
  const host = source.hostname ?? ownHostname().text;
  const directory = source.directory ?? ownDirectory().text;
  const digest = createHash('sha256')
    .update([host, directory, String(source.slot)].join('\0'))
    .digest('hex');
  return `${balancer.slice(0, MAX_NAME_LENGTH - SUFFIX_LENGTH)}-${digest.slice(0, 6)}`;
}

/** Reasons why the default id may change with a restart; empty if it does not. */
export function weaknessesOfIdentity(): readonly string[] {
  return [ownHostname().problem, ownDirectory().problem].filter((problem) => problem !== undefined);
}

/** Without a host name the process itself is used: two machines with one id would supersede each other. */
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

/** For a deleted directory, `PWD` or the path of the program is used. */
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

/** 128 random bits as 32 hex digits. They distinguish a reconnect of one process from a second process with the same id. */
export function newInstance(): string {
  return randomBytes(16).toString('hex');
}

/** Host name and pid of this process, informational. An unreadable or unprintable host name is left out. */
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
