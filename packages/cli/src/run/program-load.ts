/** How busy a program is that we can only look at from outside: CPU and memory of it and all it started, by /proc. */
import { allowedResources, CpuMeter, type HeartbeatReport, memoryLoad, memoryRatio } from '@rollcall/agent';
import { processTree, readProcess, residentBytes } from './process-table.ts';

/** Looking through all processes of a machine costs some milliseconds: so many samples share one look. */
const SAMPLES_PER_LOOK = 5;

export class ProgramLoad {
  readonly #root: number;
  readonly #memoryLimitBytes: number;
  readonly #cpu: CpuMeter;
  #pids: readonly number[] = [];
  #samples = 0;
  #cpuMs = 0;

  /** `root` is the pid of the program's first process. */
  constructor(root: number, nowMs: () => number = () => performance.now()) {
    this.#root = root;
    const { cores, memoryBytes } = allowedResources();
    this.#memoryLimitBytes = memoryBytes;
    this.#look();
    this.#cpu = new CpuMeter(cores, nowMs, () => this.#cpuTotalMs());
  }

  /** Numbers for a heartbeat; empty on systems without /proc. The load is CPU of what may be used, or memory pressure. */
  sample(): HeartbeatReport {
    this.#samples += 1;
    if (this.#samples % SAMPLES_PER_LOOK === 0) this.#look();
    if (this.#pids.length === 0) return {};
    const cpu = this.#cpu.sample();
    const usedBytes = this.#pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
    const memory = memoryRatio([{ usedBytes, limitBytes: this.#memoryLimitBytes }]);
    return {
      load: rounded(Math.max(cpu, memoryLoad(memory))),
      metrics: { cpu: rounded(cpu), memory: rounded(memory) },
    };
  }

  #look(): void {
    this.#pids = processTree(this.#root).map((entry) => entry.pid);
  }

  /** Never falls: what a child used stays counted when the child has ended unseen. */
  #cpuTotalMs(): number {
    const totalMs = this.#pids.reduce((sum, pid) => sum + (readProcess(pid)?.cpuMs ?? 0), 0);
    this.#cpuMs = Math.max(this.#cpuMs, totalMs);
    return this.#cpuMs;
  }
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
