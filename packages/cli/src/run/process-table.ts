/** What /proc says about a program and everything it started. On systems without /proc everything is empty. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** One process. Times are in milliseconds. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** CPU time of the process and of its children that have ended. */
  readonly cpuMs: number;
  /** Start of the process in clock ticks since boot: with the pid it names one process for ever. */
  readonly startTicks: number;
}

/** Linux reports CPU time in hundredths of a second to user space, whatever the kernel's own clock is. */
const TICK_MS = 10;

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The process `pid`; `undefined` when there is none, or only its exit code waits to be collected. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // The second field is the command in parentheses and may itself contain anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields.length < 20 || fields[0] === 'Z') return undefined;
  const number = (index: number) => Number(fields[index]);
  return {
    pid,
    parent: number(1),
    session: number(3),
    cpuMs: (number(11) + number(12) + number(13) + number(14)) * TICK_MS,
    startTicks: number(19),
  };
}

/** `root` and all processes of its session or below it, `root` first; empty when it is gone and nothing is left of it. */
export function processTree(root: number): readonly ProcessEntry[] {
  const all: ProcessEntry[] = [];
  for (const pid of processIds()) {
    const entry = readProcess(pid);
    if (entry !== undefined) all.push(entry);
  }
  const members = new Map<number, ProcessEntry>();
  for (const entry of all) if (entry.pid === root || entry.session === root) members.set(entry.pid, entry);
  // A child that made a session of its own is found through its parent; parents may come after children in the list.
  for (let hasGrown = true; hasGrown; ) {
    hasGrown = false;
    for (const entry of all) {
      if (members.has(entry.pid) || !members.has(entry.parent)) continue;
      members.set(entry.pid, entry);
      hasGrown = true;
    }
  }
  return [...members.values()].sort((a, b) => Number(b.pid === root) - Number(a.pid === root));
}

function processIds(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Resident memory of a process in bytes, 0 when it is gone. */
export function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`) ?? '')?.[1];
  return Number(kibibytes ?? 0) * 1_024;
}

/** The command of a process, for people; empty when it is gone. */
export function commandOf(pid: number): string {
  return (readText(`/proc/${pid}/comm`) ?? '').trim();
}

/** A process that listens on a TCP port. */
export interface ListeningPort {
  readonly pid: number;
  readonly port: number;
}

/** TCP ports on which `pids` listen, by pid and port. Processes of other users are left out unless we are root. */
export function listeningPorts(pids: readonly number[]): readonly ListeningPort[] {
  const found = new Map<string, ListeningPort>();
  for (const pid of pids) {
    const sockets = socketInodes(pid);
    if (sockets.size === 0) continue;
    for (const { inode, port } of listeningSockets(pid)) {
      if (sockets.has(inode)) found.set(`${pid} ${port}`, { pid, port });
    }
  }
  return [...found.values()].sort((a, b) => a.port - b.port || a.pid - b.pid);
}

/** Who listens on `port`, if we may know. */
export function holderOf(port: number): ListeningPort | undefined {
  return listeningPorts(processIds()).find((entry) => entry.port === port);
}

function socketInodes(pid: number): ReadonlySet<string> {
  const inodes = new Set<string>();
  let names: string[] = [];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return inodes;
  }
  for (const name of names) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // Closed since the directory was read.
    }
  }
  return inodes;
}

const LISTEN = '0A';

/** Listening sockets of the network namespace of `pid`. */
function* listeningSockets(pid: number): Generator<{ inode: string; port: number }> {
  for (const table of ['tcp', 'tcp6']) {
    for (const line of (readText(`/proc/${pid}/net/${table}`) ?? '').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const port = fields[1]?.split(':')[1];
      if (fields[3] === LISTEN && port !== undefined) yield { inode: fields[9] ?? '', port: Number.parseInt(port, 16) };
    }
  }
}
