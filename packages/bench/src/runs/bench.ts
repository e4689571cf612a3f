/** What every measurement has: its options, its workplace, and somebody to tell. */
import { existsSync } from 'node:fs';
import { BenchError } from '../bench-error.ts';
import type { Certificate } from '../contenders/contender.ts';
import { LoadGenerator } from '../load/load-generator.ts';
import { type NodeKind, type SiteNodes, startNodes } from '../nodes/site-nodes.ts';
import type { BenchOptions } from '../options.ts';
import { type CpuPlan, planCpus } from '../system/cpu-plan.ts';
import { pinProcess } from '../system/pin-process.ts';
import { allowedCpus } from '../system/process-tree.ts';
import { findProgram } from '../system/programs.ts';
import type { Workplace } from '../system/workplace.ts';
import { makeCertificate } from './certificate.ts';
import type { LaneParts } from './lane.ts';

export class Bench {
  readonly options: BenchOptions;
  readonly workplace: Workplace;
  /** Top of the clone. */
  readonly root: string;
  /** Progress, a line each, to standard error. */
  readonly say: (line: string) => void;
  /** What was left out and why. */
  readonly leftOut: string[];
  /** CPUs that the bench was given. */
  readonly cpus: readonly number[] = allowedCpus();
  readonly #nodes = new Map<string, SiteNodes>();
  #certificate: Certificate | undefined;

  constructor(
    options: BenchOptions,
    workplace: Workplace,
    root: string,
    say: (line: string) => void,
    leftOut: string[],
  ) {
    if (!existsSync('/proc/self/stat'))
      throw new BenchError('CPU time is read from /proc, which this system does not have: run it on Linux');
    this.options = options;
    this.workplace = workplace;
    this.root = root;
    this.say = say;
    this.leftOut = leftOut;
  }

  /** Generator and CPUs for contenders that run on `contenderCpus` CPUs. */
  async parts(contenderCpus = 1): Promise<LaneParts> {
    const cpus = this.#plan(contenderCpus);
    // We ourselves would turn up anywhere, with what the compiler and the collector of this process have to do.
    pinProcess(process.pid, cpus.load.at(-1)!);
    const generator = await LoadGenerator.start(this.workplace, cpus.load);
    return { workplace: this.workplace, cpus, generator, certificate: this.#certificate };
  }

  /** The nodes of a kind, started once. */
  async nodes(kind: NodeKind, { cpus }: LaneParts): Promise<SiteNodes> {
    const key = `${kind} ${cpus.nodes}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const started = await startNodes(this.workplace, kind, cpus.nodes);
    this.#nodes.set(key, started);
    return started;
  }

  /** One for the whole bench; `undefined` without openssl. Ask before `parts`. */
  certificate(): Certificate | undefined {
    this.#certificate ??= makeCertificate(this.workplace);
    return this.#certificate;
  }

  /** Leaves something out, and says so at once and in the report. */
  leaveOut(what: string): void {
    this.leftOut.push(what);
    this.say(what);
  }

  #plan(contenderCpus: number): CpuPlan {
    const plan = planCpus(this.cpus, contenderCpus);
    if (plan.contender.length > 0 && findProgram('taskset') === undefined)
      throw new BenchError('taskset keeps each to its CPU and is not here: install util-linux');
    return plan;
  }
}
