/** Data of /proc about a program and its descendants. Empty on systems without /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** One process. Times are in milliseconds. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** CPU time of the process itself. */
  readonly ownCpuMs: number;
  /** CPU time of its ended children that it has waited for, with all their descendants. */
  readonly endedCpuMs: number;
  readonly threads: number;
  /** Start of the process in clock ticks since boot: pid and start identify a process uniquely. */
  readonly startTicks: number;
}

/** Linux reports CPU time to user space in hundredths of a second, independent of the kernel's timer frequency. */
const TICK_MS = 10;

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The process `pid`; `undefined` if there is none or it is a zombie. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // The second field is the command in parentheses, which may contain any character.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields.length < 20 || fields[0] === 'Z') return undefined;
  const number = (index: number) => Number(fields[index]);
  return {
    pid,
    parent: number(1),
    session: number(3),
    ownCpuMs: (number(11) + number(12)) * TICK_MS,
    endedCpuMs: (number(13) + number(14)) * TICK_MS,
    threads: number(17),
    startTicks: number(19),
  };
}

/** `root` and all processes of its session or below it, `root` first; empty if all of them are gone. */
export function processTree(root: number): readonly ProcessEntry[] {
  const all: ProcessEntry[] = [];
  for (const pid of processIds()) {
    const entry = readProcess(pid);
    if (entry !== undefined) all.push(entry);
  }
  const members = new Map<number, ProcessEntry>();
  for (const entry of all) if (entry.pid === root || entry.session === root) members.set(entry.pid, entry);
  // A child in another session is found through its parent; parents may come after children in the list.
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

/**
 * Children of a known process, from the list that the kernel has of each thread. Cheap, but without processes that have lost
 * their parent; empty on kernels without this list.
 */
export function childrenOf(pid: number): readonly number[] {
  const children: number[] = [];
  for (const thread of names(`/proc/${pid}/task`)) {
    for (const child of (readText(`/proc/${pid}/task/${thread}/children`) ?? '').split(' '))
      if (child !== '') children.push(Number(child));
  }
  return children;
}

function processIds(): number[] {
  return names('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Private and shareable memory of a process in bytes, 0 if it is gone. */
export function residentBytes(pid: number): { readonly own: number; readonly shared: number } {
  const status = readText(`/proc/${pid}/status`) ?? '';
  const kibibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
  return { own: kibibytes('RssAnon') * 1_024, shared: (kibibytes('RssFile') + kibibytes('RssShmem')) * 1_024 };
}

/** The command of a process, for messages; empty if it is gone. */
export function commandOf(pid: number): string {
  return (readText(`/proc/${pid}/comm`) ?? '').trim();
}

/** A process that listens on a TCP port. */
export interface ListeningPort {
  readonly pid: number;
  readonly port: number;
}

/** TCP ports on which `pids` listen, by pid and port. Processes of other users are left out, except for root. */
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

/** Addresses at which `pids` listen on `port`, including `0.0.0.0` and `::`; empty without permission. */
export function listeningAddresses(pids: readonly number[], port: number): readonly string[] {
  const found = new Set<string>();
  for (const pid of pids) {
    const sockets = socketInodes(pid);
    if (sockets.size === 0) continue;
    for (const socket of listeningSockets(pid)) {
      if (socket.port === port && sockets.has(socket.inode)) found.add(addressOf(socket.address));
    }
  }
  return [...found];
}

/** The processes that listen on `port`, if visible to this user. */
export function holderOf(port: number): ListeningPort | undefined {
  return listeningPorts(processIds()).find((entry) => entry.port === port);
}

function socketInodes(pid: number): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const name of names(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // The descriptor was closed since the directory was read.
    }
  }
  return inodes;
}

const LISTEN = '0A';

/** Listening sockets of the network namespace of `pid`. */
function* listeningSockets(pid: number): Generator<{ inode: string; port: number; address: string }> {
  for (const table of ['tcp', 'tcp6']) {
    for (const line of (readText(`/proc/${pid}/net/${table}`) ?? '').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [address = '', port] = fields[1]?.split(':') ?? [];
      if (fields[3] === LISTEN && port !== undefined)
        yield { inode: fields[9] ?? '', port: Number.parseInt(port, 16), address };
    }
  }
}

/** From the kernel's notation: hex digits of words of four bytes, the last byte of each word first. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  const { hostname } = new URL(`http://[${groups.join(':')}]`);
  return hostname.slice(1, -1);
}
