/** The process that listens on a port of this machine, from /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** `node server.js (pid 812)`, or `undefined` if it is not visible. */
export function portHolder(port: number): string | undefined {
  const inodes = listeningInodes(port);
  if (inodes.size === 0) return undefined;
  for (const pid of numbersIn('/proc')) {
    for (const descriptor of numbersIn(`/proc/${pid}/fd`)) {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${descriptor}`)) ?? [];
      if (inode !== undefined && inodes.has(inode)) return `${commandOf(pid)} (pid ${pid})`;
    }
  }
  return undefined;
}

const LISTEN = '0A';

function listeningInodes(port: number): Set<string> {
  const inodes = new Set<string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of read(file).split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      const [, hexPort] = columns[1]?.split(':') ?? [];
      if (columns[3] === LISTEN && hexPort !== undefined && Number.parseInt(hexPort, 16) === port)
        inodes.add(columns[9] ?? '');
    }
  }
  return inodes;
}

function commandOf(pid: string): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim().slice(0, 80) || 'a process';
}

function numbersIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
