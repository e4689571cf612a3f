/**
 * What the control group allows this process: in a container the machine's cores and memory are not the node's.
 * Limits apply along the whole path from the root, so the smallest one on the way counts.
 *
 * @see Linux Documentation/admin-guide/cgroup-v2.rst ("cpu.max", "memory.max"), cgroup-v1/memory.rst and
 *   scheduler/sched-bwc.rst ("cpu.cfs_quota_us").
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/** Absent: no limit. */
export interface CgroupLimits {
  readonly cores?: number;
  readonly memoryBytes?: number;
}

/** Content of a file, `undefined` when it cannot be read. */
export type FileReader = (path: string) => string | undefined;

/** Deepest path that is walked up. */
const MAX_DEPTH = 32;
/** Version 1 says "no limit" with the largest multiple of the page size. */
const UNLIMITED_BYTES = 2 ** 60;

export function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Cores and memory this process may use: the machine's, or less where its control group says so. */
export function allowedResources(read: FileReader = readTextFile): {
  readonly cores: number;
  readonly memoryBytes: number;
} {
  const limits = cgroupLimits(read);
  return {
    cores: Math.min(availableParallelism(), limits.cores ?? Number.POSITIVE_INFINITY),
    memoryBytes: Math.min(totalmem(), limits.memoryBytes ?? Number.POSITIVE_INFINITY),
  };
}

/** Limits of the control group of this process, version 1, 2 or both at once. Empty where there are none. */
export function cgroupLimits(read: FileReader): CgroupLimits {
  const mounts = parseMounts(read('/proc/self/mountinfo') ?? '');
  let cores = Number.POSITIVE_INFINITY;
  let memoryBytes = Number.POSITIVE_INFINITY;
  for (const membership of parseMemberships(read('/proc/self/cgroup') ?? '')) {
    for (const directory of directoriesUp(mounts, membership)) {
      if (membership.controllers.length === 0) {
        cores = Math.min(cores, quotaRatio(read(`${directory}/cpu.max`)));
        memoryBytes = Math.min(memoryBytes, bytes(read(`${directory}/memory.max`)));
      }
      if (membership.controllers.includes('cpu')) {
        const quota = read(`${directory}/cpu.cfs_quota_us`);
        const period = read(`${directory}/cpu.cfs_period_us`);
        cores = Math.min(cores, quotaRatio(`${quota?.trim()} ${period?.trim()}`));
      }
      if (membership.controllers.includes('memory')) {
        memoryBytes = Math.min(memoryBytes, bytes(read(`${directory}/memory.limit_in_bytes`)));
      }
    }
  }
  return {
    ...(Number.isFinite(cores) ? { cores } : {}),
    ...(Number.isFinite(memoryBytes) ? { memoryBytes } : {}),
  };
}

interface Membership {
  /** Version 1 controllers; empty for version 2. */
  readonly controllers: readonly string[];
  readonly path: string;
}

interface Mount {
  readonly root: string;
  readonly directory: string;
  readonly isVersion2: boolean;
  readonly controllers: readonly string[];
}

function parseMemberships(text: string): Membership[] {
  const memberships: Membership[] = [];
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (match) memberships.push({ controllers: match[1] === '' ? [] : match[1]!.split(','), path: match[2]! });
  }
  return memberships;
}

function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const match = /^\d+ \d+ \S+ (\S+) (\S+) .*? - (cgroup2?) \S+ (\S+)$/.exec(line);
    if (!match) continue;
    const isVersion2 = match[3] === 'cgroup2';
    mounts.push({
      root: match[1]!,
      directory: match[2]!,
      isVersion2,
      controllers: isVersion2 ? [] : match[4]!.split(','),
    });
  }
  return mounts;
}

/** The process's directory in the mounted tree and all above it; empty when the tree is not mounted. */
function directoriesUp(mounts: readonly Mount[], membership: Membership): string[] {
  const isVersion2 = membership.controllers.length === 0;
  const mount = mounts.find((candidate) =>
    isVersion2
      ? candidate.isVersion2
      : !candidate.isVersion2 && membership.controllers.every((name) => candidate.controllers.includes(name)),
  );
  if (mount === undefined) return [];
  // In a container the mount's root is the container's own group, and the path either repeats it or starts below it.
  const root = mount.root === '/' ? '' : mount.root;
  const path =
    membership.path.startsWith(`${root}/`) || membership.path === root ? membership.path.slice(root.length) : '';
  const segments = path
    .split('/')
    .filter((segment) => segment !== '' && segment !== '..')
    .slice(0, MAX_DEPTH);
  const directories: string[] = [];
  for (let depth = segments.length; depth >= 0; depth -= 1) {
    directories.push([mount.directory, ...segments.slice(0, depth)].join('/'));
  }
  return directories;
}

/** `"<quota> <period>"` in microseconds as cores; infinite for `max`, a negative quota or nothing. */
function quotaRatio(text: string | undefined): number {
  const match = /^(\d+) (\d+)\s*$/.exec(text ?? '');
  const quota = Number(match?.[1]);
  const period = Number(match?.[2]);
  return quota > 0 && period > 0 ? quota / period : Number.POSITIVE_INFINITY;
}

function bytes(text: string | undefined): number {
  const value = /^\d+\s*$/.test(text ?? '') ? Number(text) : Number.POSITIVE_INFINITY;
  return value > 0 && value < UNLIMITED_BYTES ? value : Number.POSITIVE_INFINITY;
}
