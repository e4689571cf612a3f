/**
 * Load of a program without SDK: CPU, memory and open files of its process tree from /proc, and the numbers of its control
 * group.
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
 * Each sample, four times a second, reads the CPU time of known processes. Each fourth sample also reads memory and files, which
 * are as expensive as all else, and searches for children. A scan of all processes costs some milliseconds, and finds only
 * processes that have lost their parent.
 */
const SAMPLES_PER_SECOND = 4;
const SAMPLES_PER_LOOK = 20;
/** The kernel counts CPU time in steps of 10 ms, which is 1 % of a second. */
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

  /** `root` is the pid of the program's first process. `onFailure` is called once for each metric that fails. */
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
   * CPU time in milliseconds of the process tree until the last sample; `undefined` without /proc, and after the end of all its
   * processes.
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

  /** Numbers for a heartbeat; empty without /proc, and after the end of the program. */
  report(): HeartbeatReport {
    if (this.#entries.length === 0) return {};
    const scales = this.#set.newScales();
    return {
      load: Math.round(this.#set.load * 1_000) / 1_000,
      ...this.#set.report(),
      ...(scales === undefined ? {} : { scales }),
    };
  }

  /** Reports go to another receiver: the next one contains the metric definitions. */
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
      // A process with this pid but another start is not of this program.
      if (entry === undefined || (known.get(pid) ?? entry.startTicks) !== entry.startTicks) continue;
      found.set(pid, entry);
      if (withChildren) waiting.push(...childrenOf(pid));
    }
    this.#entries = [...found.values()];
  }

  /**
   * Private memory of each process, and the largest shareable part once. Otherwise libraries and code of a forking server would count
   * once per process. Pages that were not written since the fork still count for each process.
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

  /** Open files of the process with the most, because the limit is per process. */
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

/** For display only; has no weight in the load. */
const SHOWN = { capacity: 1, weight: 0 } as const;
