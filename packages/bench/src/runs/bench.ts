/** The environment of every measurement: options, workplace, output of progress and notes. */
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
  /** Root of the clone. */
  readonly root: string;
  /** Prints a line of progress to standard error. */
  readonly say: (line: string) => void;
  /** Sentences about skipped parts. */
  readonly leftOut: string[];
  /** CPUs that this process may use. */
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
    // Otherwise the compiler and garbage collector threads of this process could run on any CPU.
    pinProcess(process.pid, cpus.load.at(-1)!);
    const generator = await LoadGenerator.start(this.workplace, cpus.load);
    return { workplace: this.workplace, cpus, generator, certificate: this.#certificate };
  }

  /** The nodes of this kind. They are started once. */
  async nodes(kind: NodeKind, { cpus }: LaneParts): Promise<SiteNodes> {
    const key = `${kind} ${cpus.nodes}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const started = await startNodes(this.workplace, kind, cpus.nodes);
    this.#nodes.set(key, started);
    return started;
  }

  /** The certificate of all runs; `undefined` without openssl. Call it before `parts`. */
  certificate(): Certificate | undefined {
    this.#certificate ??= makeCertificate(this.workplace);
    return this.#certificate;
  }

  /** Notes a skipped part, in the progress and in the report. */
  leaveOut(what: string): void {
    this.leftOut.push(what);
    this.say(what);
  }

  #plan(contenderCpus: number): CpuPlan {
    const plan = planCpus(this.cpus, contenderCpus);
    if (plan.contender.length > 0 && findProgram('taskset') === undefined)
      throw new BenchError('taskset, which pins processes to CPUs, is not installed: install util-linux');
    return plan;
  }
}
