/** What Linux says of processes in /proc, as pure readers of its texts. */

/** One process in `/proc/PID/stat`. */
export interface ProcessStat {
  readonly pid: number;
  readonly parentPid: number;
  /** User and kernel time of the process with all its threads, those that have ended too; clock ticks. */
  readonly userTicks: number;
  readonly systemTicks: number;
  /** The same of all children that have ended and were waited for, and of theirs; clock ticks. */
  readonly endedUserTicks: number;
  readonly endedSystemTicks: number;
  /** When it started, clock ticks since the machine did: with the pid it names a process for good. */
  readonly startTicks: number;
}

/** Fields after the command's name, counted from 0: state is the first. */
const PARENT = 1;
const UTIME = 11;
const STIME = 12;
const CUTIME = 13;
const CSTIME = 14;
const START = 19;

/** Reads `/proc/PID/stat`; `undefined` when it is not one. The name may hold spaces and parentheses. @see proc(5) */
export function parseStat(text: string): ProcessStat | undefined {
  const nameEnd = text.lastIndexOf(')');
  const pid = Number.parseInt(text, 10);
  if (nameEnd < 0 || Number.isNaN(pid)) return undefined;
  const fields = text.slice(nameEnd + 2).split(' ');
  const number = (index: number): number => Number(fields[index]);
  const stat = {
    pid,
    parentPid: number(PARENT),
    userTicks: number(UTIME),
    systemTicks: number(STIME),
    endedUserTicks: number(CUTIME),
    endedSystemTicks: number(CSTIME),
    startTicks: number(START),
  };
  return Object.values(stat).some(Number.isNaN) ? undefined : stat;
}

/** `root` and everything below it out of `processes`, parents before their children; empty when `root` is not there. */
export function treeOf(root: number, processes: readonly ProcessStat[]): readonly ProcessStat[] {
  const tree = processes.filter(({ pid }) => pid === root);
  for (let i = 0; i < tree.length; i++)
    for (const child of processes)
      if (child.parentPid === tree[i]!.pid && child.pid !== root && !tree.includes(child)) tree.push(child);
  return tree;
}

/** CPU time, seconds. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

/**
 * All that a tree has used so far, seconds. Time of children that have ended is counted at the parent that waited for
 * them, at every level, so none is lost or counted twice when a process of the tree ends between two readings.
 */
export function cpuTimeOf(tree: readonly ProcessStat[], ticksPerSecond: number): CpuTime {
  let [user, system] = [0, 0];
  for (const stat of tree) {
    user += stat.userTicks + stat.endedUserTicks;
    system += stat.systemTicks + stat.endedSystemTicks;
  }
  return { user: user / ticksPerSecond, system: system / ticksPerSecond };
}

/** Octets of `field` (as `Pss` or `Rss`) in a text of `Name:  123 kB` lines; `undefined` when it is not there. */
export function memoryField(text: string, field: string): number | undefined {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text);
  return found === null ? undefined : Number(found[1]) * 1_024;
}

/** Numbers of a list as in `0-2,5`, ascending as written. @see cpuset(7), "List format" */
export function parseCpuList(text: string): readonly number[] {
  const cpus: number[] = [];
  for (const [, first, last = first] of text.matchAll(/(\d+)(?:-(\d+))?/g))
    for (let cpu = Number(first); cpu <= Number(last); cpu++) cpus.push(cpu);
  return cpus;
}

/** Time that programs have used on some CPUs, and that the machine below has taken, in ticks, from `/proc/stat`. @see proc(5) */
export function programTicks(text: string, cpus: readonly number[]): number {
  let total = 0;
  for (const cpu of cpus) {
    const fields = new RegExp(`^cpu${cpu} (.*)$`, 'm').exec(text)?.[1]?.split(' ').map(Number);
    // user, nice, system and steal; interrupts are mostly the contender's own packets.
    for (const index of [0, 1, 2, 7]) total += fields?.[index] ?? Number.NaN;
  }
  return total;
}
