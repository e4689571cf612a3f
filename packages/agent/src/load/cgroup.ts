/**
 * Limits of the control group of this process, and their use. In a container, a node may have less than the cores and the
 * memory of the machine. Each group from the root down has limits; the smallest limit applies.
 *
 * @see Linux Documentation/admin-guide/cgroup-v2.rst ("cpu.max", "cpu.stat", "memory.max", "memory.stat"),
 *   cgroup-v1/memory.rst, cgroup-v1/cpuacct.rst and scheduler/sched-bwc.rst ("cpu.cfs_quota_us").
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/** CPU quota of a group. */
export interface CpuQuota {
  /** Number of cores, above 0, fractions allowed. */
  readonly cores: number;
  /** CPU time that the whole group has used, in milliseconds; `undefined` if it cannot be read. */
  readonly usedMs: () => number | undefined;
}

/** Memory limit of a group. */
export interface MemoryLimit {
  readonly bytes: number;
  /** Memory of the whole group without reclaimable page cache (`inactive_file`); `undefined` if it cannot be read. */
  readonly usedBytes: () => number | undefined;
}

/** Limits of a control group. Optional fields are absent without a limit of the group. */
export interface Cgroup {
  /** Usable cores: those of the machine, or the quota if it is smaller. */
  readonly cores: number;
  /** Usable memory, in bytes: that of the machine, or the limit if it is smaller. */
  readonly memoryBytes: number;
  readonly cpuQuota?: CpuQuota;
  readonly memoryLimit?: MemoryLimit;
}

/** Returns the content of a file, `undefined` if it cannot be read. */
export type FileReader = (path: string) => string | undefined;

/** Maximum depth of a path. */
const MAX_DEPTH = 32;
/** Version 1 reports "no limit" as the largest multiple of the page size. */
const UNLIMITED_BYTES = 2 ** 60;

export function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The control group of this process, version 1, 2 or both at once. */
export function ownCgroup(read: FileReader = readTextFile): Cgroup {
  const mounts = parseMounts(read('/proc/self/mountinfo') ?? '');
  const memberships = parseMemberships(read('/proc/self/cgroup') ?? '');
  let cpuQuota: CpuQuota | undefined;
  let memoryLimit: MemoryLimit | undefined;
  for (const membership of memberships) {
    for (const [height, directory] of directoriesUp(mounts, membership).entries()) {
      const quota = quotaOf(read, membership, directory, () => accountOf(mounts, memberships, height));
      if (quota && quota.cores < (cpuQuota?.cores ?? Number.POSITIVE_INFINITY)) cpuQuota = quota;
      const limit = limitOf(read, membership, directory);
      if (limit && limit.bytes < (memoryLimit?.bytes ?? UNLIMITED_BYTES)) memoryLimit = limit;
    }
  }
  return {
    cores: Math.min(availableParallelism(), cpuQuota?.cores ?? Number.POSITIVE_INFINITY),
    memoryBytes: Math.min(totalmem(), memoryLimit?.bytes ?? Number.POSITIVE_INFINITY),
    ...(cpuQuota && { cpuQuota }),
    ...(memoryLimit && { memoryLimit }),
  };
}

/** The quota of `directory`; `account` returns the directory in which version 1 counts CPU time. */
function quotaOf(
  read: FileReader,
  { controllers }: Membership,
  directory: string,
  account: () => string | undefined,
): CpuQuota | undefined {
  if (controllers.length === 0) {
    const cores = quotaRatio(read(`${directory}/cpu.max`));
    const usedMs = () => scaled(numberAfter('usage_usec', read(`${directory}/cpu.stat`)), 1e-3);
    return cores === undefined ? undefined : { cores, usedMs };
  }
  if (!controllers.includes('cpu')) return undefined;
  const quota = read(`${directory}/cpu.cfs_quota_us`)?.trim();
  const cores = quotaRatio(`${quota} ${read(`${directory}/cpu.cfs_period_us`)?.trim()}`);
  if (cores === undefined) return undefined;
  const counted = account();
  const usedMs = () => (counted === undefined ? undefined : scaled(whole(read(`${counted}/cpuacct.usage`)), 1e-6));
  return { cores, usedMs };
}

function limitOf(read: FileReader, { controllers }: Membership, directory: string): MemoryLimit | undefined {
  const isVersion2 = controllers.length === 0;
  if (!isVersion2 && !controllers.includes('memory')) return undefined;
  const bytes = whole(read(`${directory}/${isVersion2 ? 'memory.max' : 'memory.limit_in_bytes'}`));
  if (bytes === undefined || bytes === 0 || bytes >= UNLIMITED_BYTES) return undefined;
  const usedBytes = () => {
    const used = whole(read(`${directory}/${isVersion2 ? 'memory.current' : 'memory.usage_in_bytes'}`));
    const cached = numberAfter(isVersion2 ? 'inactive_file' : 'total_inactive_file', read(`${directory}/memory.stat`));
    return used === undefined ? undefined : Math.max(0, used - (cached ?? 0));
  };
  return { bytes, usedBytes };
}

/** The version 1 directory with the CPU time of the group `height` levels above the own group. */
function accountOf(mounts: readonly Mount[], memberships: readonly Membership[], height: number): string | undefined {
  const account = memberships.find(({ controllers }) => controllers.includes('cpuacct'));
  return account && directoriesUp(mounts, account)[height];
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

/** The directory of the process in the mounted tree, then its parents; empty if the tree is not mounted. */
function directoriesUp(mounts: readonly Mount[], membership: Membership): string[] {
  const isVersion2 = membership.controllers.length === 0;
  const mount = mounts.find((candidate) =>
    isVersion2
      ? candidate.isVersion2
      : !candidate.isVersion2 && membership.controllers.every((name) => candidate.controllers.includes(name)),
  );
  if (mount === undefined) return [];
  // In a container the root of the mount is the group of the container. The path repeats this root, or starts below it.
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

/** `"<quota> <period>"` in microseconds as cores; `undefined` for `max`, a negative quota or nothing. */
function quotaRatio(text: string | undefined): number | undefined {
  const match = /^(\d+) (\d+)\s*$/.exec(text ?? '');
  const quota = Number(match?.[1]);
  const period = Number(match?.[2]);
  return quota > 0 && period > 0 ? quota / period : undefined;
}

/** The content of a file with one number. */
function whole(text: string | undefined): number | undefined {
  return /^\d+\s*$/.test(text ?? '') ? Number(text) : undefined;
}

/** The number after `key` in a file with lines `key number`. */
function numberAfter(key: string, text: string | undefined): number | undefined {
  const found = new RegExp(`^${key} (\\d+)$`, 'm').exec(text ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}
