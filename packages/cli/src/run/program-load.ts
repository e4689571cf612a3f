/**
 * How busy a program is that we can only look at from outside: CPU, memory and files of it and all it started, by /proc,
 * and of its control group.
 */
import {
  type Cgroup,
  CpuMeter,
  cgroupCpuMetric,
  cpuMetric,
  type HeartbeatReport,
  type LoadSource,
  type MemoryUse,
  type Metric,
  MetricSet,
  memoryMetric,
  OpenFiles,
  openFilesMetric,
  ownCgroup,
} from '@rollcall/agent';
import { childrenOf, type ProcessEntry, processTree, readProcess, residentBytes } from './process-table.ts';
import { TreeCpu } from './tree-cpu.ts';

/**
 * CPU is read with each sample, four times a second, of the processes that are known. With each fourth the others are
 * read as well, and children looked for: files and memory cost as much as all else. Looking through all processes of a
 * machine costs some milliseconds, and only finds those that have lost their parent.
 */
const SAMPLES_PER_SECOND = 4;
const SAMPLES_PER_LOOK = 20;
/** CPU time of processes is counted in steps of 10 ms: a second of it is 1 % exact. */
const CPU_WINDOW_MS = 1_000;

export class ProgramLoad implements LoadSource {
  readonly #root: number;
  readonly #cgroup: Cgroup;
  readonly #treeCpu = new TreeCpu();
  readonly #set: MetricSet;
  #entries: readonly ProcessEntry[] = [];
  #files = new Map<number, OpenFiles>();
  #memoryUses: readonly MemoryUse[] = [];
  #openFiles: number | undefined;
  #cpuMs = 0;
  #samples = 0;

  /** `root` is the pid of the program's first process. `onFailure` hears once of each metric that fails. */
  constructor(
    root: number,
    onFailure: (name: string, reason: string) => void = () => {},
    nowMs: () => number = () => performance.now(),
    cgroup: Cgroup = ownCgroup(),
  ) {
    this.#root = root;
    this.#cgroup = cgroup;
    this.#set = new MetricSet(onFailure);
    this.#look();
    const { cores, cpuQuota } = cgroup;
    const metrics: readonly (Metric | undefined)[] = [
      cpuMetric(new CpuMeter(cores, nowMs, () => this.#takeCpu(), CPU_WINDOW_MS)),
      cpuQuota && cgroupCpuMetric(new CpuMeter(cpuQuota.cores, nowMs, cpuQuota.usedMs, CPU_WINDOW_MS)),
      memoryMetric(() => this.#memoryUses),
      openFilesMetric(new OpenFiles(`/proc/${root}`).limit(), () => this.#openFiles),
      { name: 'processes', scale: SHOWN, read: () => this.#entries.length },
      { name: 'threads', scale: SHOWN, read: () => this.#entries.reduce((sum, { threads }) => sum + threads, 0) },
    ];
    for (const metric of metrics) if (metric) this.#set.add(metric);
  }

  /** The combined load at the last sample, 0 idle … 1 full. */
  get load(): number {
    return this.#entries.length === 0 ? 0 : this.#set.load;
  }

  /**
   * CPU time in milliseconds that the program and all it started have used until the last sample; `undefined` without /proc,
   * and when nothing is left of the program.
   */
  get cpuMs(): number | undefined {
    return this.#entries.length === 0 ? undefined : this.#cpuMs;
  }

  sample(): void {
    const sample = this.#samples++;
    if (sample % SAMPLES_PER_LOOK === 0) this.#look();
    else this.#lookAtKnown(sample % SAMPLES_PER_SECOND === 0);
    if (sample % SAMPLES_PER_SECOND === 0) {
      this.#memoryUses = this.#memory();
      this.#openFiles = this.#mostFiles();
    }
    if (this.#entries.length > 0) this.#set.sample();
  }

  /** Numbers for a heartbeat; empty without /proc, and when nothing is left of the program. */
  report(): HeartbeatReport {
    if (this.#entries.length === 0) return {};
    const scales = this.#set.newScales();
    return {
      load: Math.round(this.#set.load * 1_000) / 1_000,
      ...this.#set.report(),
      ...(scales === undefined ? {} : { scales }),
    };
  }

  /** Somebody else is told from now on: the scales are part of the next report. */
  renewScales(): void {
    this.#set.renewScales();
  }

  #takeCpu(): number {
    this.#cpuMs = this.#treeCpu.take(this.#entries);
    return this.#cpuMs;
  }

  #look(): void {
    this.#entries = processTree(this.#root);
  }

  #lookAtKnown(withChildren: boolean): void {
    const known = new Map(this.#entries.map(({ pid, startTicks }) => [pid, startTicks]));
    const found = new Map<number, ProcessEntry>();
    const waiting = [...known.keys()];
    for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
      const entry = found.has(pid) ? undefined : readProcess(pid);
      // Somebody else's by now, when it began at another time.
      if (entry === undefined || (known.get(pid) ?? entry.startTicks) !== entry.startTicks) continue;
      found.set(pid, entry);
      if (withChildren) waiting.push(...childrenOf(pid));
    }
    this.#entries = [...found.values()];
  }

  /**
   * What each process has for itself, and of what they may share the largest part: libraries and the code of a server that
   * forks would count once for each of them. What was not written to since the fork is still counted for each.
   */
  #memory(): readonly MemoryUse[] {
    let own = 0;
    let shared = 0;
    for (const { pid } of this.#entries) {
      const resident = residentBytes(pid);
      own += resident.own;
      shared = Math.max(shared, resident.shared);
    }
    const { memoryBytes, memoryLimit } = this.#cgroup;
    return [
      { usedBytes: own + shared, limitBytes: memoryBytes },
      ...(memoryLimit ? [{ usedBytes: memoryLimit.usedBytes(), limitBytes: memoryLimit.bytes }] : []),
    ];
  }

  /** Open files of the process that has most: the limit is each one's own. */
  #mostFiles(): number | undefined {
    const files = new Map<number, OpenFiles>();
    let most: number | undefined;
    for (const { pid } of this.#entries) {
      const ofProcess = this.#files.get(pid) ?? new OpenFiles(`/proc/${pid}`);
      files.set(pid, ofProcess);
      const count = ofProcess.count();
      if (count !== undefined) most = Math.max(most ?? 0, count);
    }
    this.#files = files;
    return most;
  }
}

/** Says something to people and nothing about the load. */
const SHOWN = { capacity: 1, weight: 0 } as const;
