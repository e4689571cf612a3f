/** Parses files of /proc on Linux. The functions are pure. */

/** A process as in `/proc/PID/stat`. */
export interface ProcessStat {
  readonly pid: number;
  readonly parentPid: number;
  /** User and kernel time of all threads of the process, including finished threads; clock ticks. */
  readonly userTicks: number;
  readonly systemTicks: number;
  /** User and kernel time of all descendants that have exited and were waited for; clock ticks. */
  readonly endedUserTicks: number;
  readonly endedSystemTicks: number;
  /** Start time, clock ticks since boot. Together with the pid it identifies a process uniquely. */
  readonly startTicks: number;
}

/** Indices of fields after the command name; 0 is the state. */
const PARENT = 1;
const UTIME = 11;
const STIME = 12;
const CUTIME = 13;
const CSTIME = 14;
const START = 19;

/** Parses `/proc/PID/stat`; `undefined` if invalid. The name may contain spaces and parentheses. @see proc(5) */
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

/** `root` and its descendants in `processes`, parents before children; empty if `root` is absent. */
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
 * CPU time of a tree so far, seconds. The time of a child that has exited is counted at the parent that waited for it. Therefore no
 * time is lost or counted twice if a process exits between two readings.
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
