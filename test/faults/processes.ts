/** Data of /proc about processes and their connections, for the namespace of the front. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';

/** The children of `pid`, by process id; empty when it has ended. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      textOf(`/proc/${pid}/task/${thread}/children`)
        .trim()
        .split(' ')
        .filter((child) => child !== '')
        .map(Number),
    );
  } catch {
    return [];
  }
}

/** The script that a node process runs; `''` when it has ended. */
export function scriptOf(pid: number): string {
  return (
    textOf(`/proc/${pid}/cmdline`)
      .split('\0')
      .slice(1)
      .find((word) => !word.startsWith('-')) ?? ''
  );
}

/** The process is stopped by a signal. */
export function isStopped(pid: number): boolean {
  return textOf(`/proc/${pid}/stat`).split(') ')[1]?.startsWith('T') === true;
}

/** The process has ended, so its sockets are closed. Its parent may not have read the exit code yet. */
export function hasEnded(pid: number): boolean {
  const state = textOf(`/proc/${pid}/stat`).split(') ')[1] ?? '';
  return state === '' || /^[ZX]/.test(state);
}

/** Gives all processes of this namespace the ordinary priority. Where that is not permitted, they keep theirs. */
export function raisePriorities(): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    for (const thread of threadsOf(pid))
      try {
        setPriority(Number(thread), 0);
      } catch {
        // The process has ended, or permission is missing.
      }
}

function threadsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Sends a signal; a process that has ended is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}

/**
 * Which of `pids` has accepted the connection from each local port, for connections to port `toPort` of this namespace.
 * Read at one time: a connection that is younger is missing.
 */
export function ownersByPeerPort(toPort: number, pids: readonly number[]): Map<number, number> {
  const peerByInode = new Map<string, number>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const line of textOf(file).split('\n').slice(1)) {
      const [, local = '', peer = '', , , , , , , inode = ''] = line.trim().split(/\s+/);
      if (portOf(local) === toPort) peerByInode.set(inode, portOf(peer));
    }
  const owners = new Map<number, number>();
  for (const pid of pids)
    for (const inode of socketsOf(pid)) {
      const port = peerByInode.get(inode);
      if (port !== undefined) owners.set(port, pid);
    }
  return owners;
}

function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '0', 16);
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
