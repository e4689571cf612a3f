/**
 * The peer of a node's agent. It is a coordinator, the wrapper that started the program, or the leader of the `node:cluster`
 * workers that serve the port.
 */
import cluster from 'node:cluster';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { AgentOptions } from './agent.ts';
import { newInstance } from './identity.ts';
import type { JoinToken } from './join-token.ts';
import {
  instanceOf,
  NODE_VARIABLE,
  type NodeSocketName,
  nodeSocketUrl,
  parseNodeSocket,
} from './local/node-socket-name.ts';
import { PortGroup, type PortGroupOptions } from './local/port-group.ts';
import { reasonOf } from './reason.ts';

/** Limit in octets, so that a socket path with a name like `123456.sock` has at most 107 octets. */
const MAX_DIRECTORY_LENGTH = 90;

export interface Link extends Pick<AgentOptions, 'coordinators' | 'areAlternatives' | 'token' | 'tls' | 'isAnswering'> {
  /** Instance of the registration: 32 hex digits. */
  readonly instance: string;
  /** The agent connects to another process of the node, which logs the problems with coordinators. */
  readonly isLocal: boolean;
  /** Other processes may serve the port as well. */
  readonly isShared?: boolean;
  /** Ends the leadership of this process. Called after its agent has left. */
  leave(): Promise<void>;
}

export interface LinkOptions
  extends Omit<PortGroupOptions, 'directory' | 'number' | 'coordinators' | 'areAlternatives'> {
  /** Called only if this process may connect to coordinators. */
  readonly coordinators: () => Pick<AgentOptions, 'coordinators' | 'areAlternatives'>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Port of the node; `undefined` when only its address is known. */
  readonly port: number | undefined;
  /** Receives the reason when a local socket cannot be used. */
  readonly onProblem: (message: string) => void;
}

/** Chooses the peer by the environment. Never throws. */
export function linkOf(options: LinkOptions): Link {
  const { environment, port, token, tls, onProblem } = options;
  const text = environment[NODE_VARIABLE];
  const name = text ? parseNodeSocket(text) : undefined;
  const number = cluster.worker?.id;
  if (name !== undefined) return { ...localLink(name), isShared: number !== undefined };
  if (text) onProblem(`${NODE_VARIABLE} does not name a local socket and is ignored: it is set by rollcall run`);
  const coordinators = options.coordinators();
  if (number !== undefined && port !== undefined) {
    const group = groupOf({ ...options, ...coordinators, number }, port);
    if (group !== undefined) return groupLink(group, onProblem);
    onProblem(
      `the workers of port ${port} cannot form one node, and only one of them registers: set TMPDIR to a directory that they can write, with a short path`,
    );
  }
  return {
    ...coordinators,
    token,
    ...(tls === undefined ? {} : { tls }),
    instance: newInstance(),
    isLocal: false,
    leave: async () => {},
  };
}

function localLink(name: NodeSocketName): Link {
  return {
    coordinators: [nodeSocketUrl(name)],
    token: (): JoinToken => ({ token: name.secret }),
    instance: instanceOf(name),
    isLocal: true,
    leave: async () => {},
  };
}

function groupLink(group: PortGroup, onProblem: (message: string) => void): Link {
  return {
    ...localLink(group.name),
    // The secret changes when the directory was removed and created again.
    token: () => ({ token: group.name.secret }),
    get instance() {
      return instanceOf(group.name);
    },
    isShared: true,
    isAnswering: () =>
      group.hasLeader().catch((error: unknown) => {
        onProblem(`the workers of this port cannot elect a leader (${reasonOf(error)}); retrying`);
        return false;
      }),
    leave: () => group.leave(),
  };
}

/** The group in the first usable directory; `undefined` if there is none. */
function groupOf(options: Omit<PortGroupOptions, 'directory'>, port: number): PortGroup | undefined {
  for (const parent of new Set([tmpdir(), '/tmp', '/dev/shm'])) {
    const directory = groupDirectory(parent, port);
    if (directory.length > MAX_DIRECTORY_LENGTH) continue;
    try {
      removeLeftovers(dirname(directory));
      return new PortGroup({ ...options, directory });
    } catch {
      // Try the next directory.
    }
  }
  return undefined;
}

/** The directory of this user, primary process and port. A later primary process with the same pid has another directory. */
function groupDirectory(parent: string, port: number): string {
  const parts = [pidNamespace(), process.ppid, startOf(process.ppid), port].filter((part) => part !== undefined);
  return join(parent, `rollcall-${process.getuid?.() ?? 0}`, parts.join('-'));
}

/** Removes the directories of ended primary processes of this PID namespace; without /proc it removes nothing. */
function removeLeftovers(parent: string): void {
  const own = pidNamespace();
  if (own === undefined || !existsSync(parent)) return;
  for (const name of readdirSync(parent)) {
    const [, namespace, pid, start] = /^(\d+)-(\d+)-(\d+)-\d+$/.exec(name) ?? [];
    if (namespace === own && startOf(Number(pid)) !== start)
      rmSync(join(parent, name), { recursive: true, force: true });
  }
}

/** The PID namespace: containers may share a temporary directory and use the same pids. `undefined` without /proc. */
function pidNamespace(): string | undefined {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
  } catch {
    return undefined;
  }
}

/** Start time of a process, in ticks since the boot of the machine; `undefined` without /proc. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
