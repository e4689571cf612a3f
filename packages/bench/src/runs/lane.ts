/** Runs one contender between the load generator and the nodes. */
import { mkdirSync } from 'node:fs';
import { BenchError } from '../bench-error.ts';
import type { Certificate, Contender } from '../contenders/contender.ts';
import { statusOf } from '../load/first-answer.ts';
import type { Load, LoadGenerator } from '../load/load-generator.ts';
import type { LoadPlan, Pace } from '../load/messages.ts';
import type { SiteNodes } from '../nodes/site-nodes.ts';
import type { CpuPlan } from '../system/cpu-plan.ts';
import { freePorts } from '../system/free-ports.ts';
import { readCpuTime, readMemory, readProgramTime } from '../system/process-tree.ts';
import type { Running, Workplace } from '../system/workplace.ts';
import type { CostSample, IdleSample, LatencySample } from './sample.ts';
import type { Scenario } from './scenario.ts';

const READY_MS = 20_000;
/** Pause after the start of a contender, for its start-up work, milliseconds. */
const SETTLE_MS = 700;
/** Maximum warm-up, milliseconds. Just-in-time compilers need several thousand requests. */
const WARM_UP_MS = 1_500;
/** Warm-up before latencies are measured, milliseconds. Before its end compilation delays one request in a hundred. */
const LATENCY_WARM_UP_MS = 6_000;
/** Pause after the last connection is opened, before memory is read, milliseconds. */
const HELD_MS = 1_000;
const ARRIVALS_SEED = 20_261_121;

export interface LaneParts {
  readonly workplace: Workplace;
  readonly cpus: CpuPlan;
  readonly generator: LoadGenerator;
  readonly certificate: Certificate | undefined;
}

/** A contender that answers, and its environment. */
export interface Lane {
  readonly running: Running;
  readonly port: number;
  readonly nodes: SiteNodes;
}

/** Duration of a run. */
export interface RunLength {
  readonly connections: number;
  readonly measureMs: number;
}

let directories = 0;

/** Starts `contender`, calls `use` when it answers, and always ends it. Rejects if it exits by itself. */
export async function withContender<Result>(
  parts: LaneParts,
  contender: Contender,
  scenario: Scenario,
  nodes: SiteNodes,
  use: (running: Running, port: number) => Promise<Result>,
): Promise<Result> {
  const { workplace, cpus, certificate } = parts;
  const directory = workplace.path(`${contender.name.replaceAll(/[^\w.-]/g, '_')}.${directories++}`);
  mkdirSync(directory);
  const [port] = (await freePorts(1)) as [number];
  const running = await contender.start({
    workplace,
    directory,
    port,
    nodes: nodes.ports,
    cpus: cpus.contender,
    front: scenario.front,
    certificate,
  });
  try {
    const answers = async (): Promise<boolean> => (await statusOf(port, scenario.front.isTls)) === 200;
    await workplace.until(answers, running, 'no answer with status 200', READY_MS);
    await workplace.sleep(SETTLE_MS);
    const result = await use(running, port);
    // Figures of a contender that has exited are invalid.
    if (running.hasEnded)
      throw new BenchError(
        `${await running.ended} while it was measured${running.log() && `; it wrote:\n${running.log()}`}`,
      );
    return result;
  } finally {
    await workplace.end(running);
  }
}

/** Closed loop: the maximum rate of the contender, and the cost of each request. */
export async function measureCost(
  { generator, workplace }: LaneParts,
  scenario: Scenario,
  { connections, measureMs }: RunLength,
  running: Running,
  port: number,
): Promise<CostSample> {
  const plan = planOf(scenario, port, connections, { kind: 'closed' });
  return withLoad(generator, plan, async () => {
    await workplace.sleep(Math.min(WARM_UP_MS, measureMs));
    const before = readCpuTime(running.pid);
    await generator.count();
    const sinceMs = performance.now();
    await workplace.sleep(measureMs);
    const after = readCpuTime(running.pid);
    const seconds = (performance.now() - sinceMs) / 1_000;
    const load = await generator.report();
    const [user, system] = [after.user - before.user, after.system - before.system];
    return {
      cpuUs: perRequestUs(user + system, load),
      userUs: perRequestUs(user, load),
      systemUs: perRequestUs(system, load),
      perSecond: load.perSecond,
      memoryBytes: readMemory(running.pid),
      answered: load.answered,
      failures: load.failures,
      cpusBusy: (user + system) / seconds,
      generatorBusyRatio: load.busyRatio,
    };
  });
}

/** Open loop: latencies at `perSecond`, from the due time of each request. */
export async function measureLatency(
  { generator, workplace, cpus }: LaneParts,
  scenario: Scenario,
  { connections, measureMs }: RunLength,
  perSecond: number,
  { running, port, nodes }: Lane,
): Promise<LatencySample> {
  const pace = { kind: 'open', perSecond, isEven: false, seed: ARRIVALS_SEED } as const;
  return withLoad(generator, planOf(scenario, port, connections, pace), async () => {
    await workplace.sleep(LATENCY_WARM_UP_MS);
    await generator.count();
    const othersRatio = watchOthers(cpus, running, nodes);
    await workplace.sleep(measureMs);
    const ratio = othersRatio();
    const { latency, answered, failures, spoiledRatio } = await generator.report();
    return {
      perSecond,
      p50Us: latency.percentileUs(0.5),
      p99Us: latency.percentileUs(0.99),
      maxUs: latency.maxUs,
      answered,
      failures,
      spoiledRatio,
      othersRatio: ratio,
    };
  });
}

/**
 * Starts to measure the time of other programs on the CPUs of the contender and of the nodes. The returned function gives the
 * larger of the two shares of the time since then, 0–1; NaN if nothing is pinned.
 */
export function watchOthers({ contender, nodes }: CpuPlan, running: Running, site: SiteNodes): () => number {
  const ofContender = watchCpus(contender, running.pid);
  const ofNodes = watchCpus(nodes, site.running.pid);
  return () => Math.max(ofContender(), ofNodes());
}

function watchCpus(cpus: readonly number[], owner: number): () => number {
  const takenSeconds = (): number => {
    const { user, system } = readCpuTime(owner);
    return readProgramTime(cpus) - user - system;
  };
  const before = takenSeconds();
  const sinceMs = performance.now();
  return () => Math.max(0, (takenSeconds() - before) / ((performance.now() - sinceMs) / 1_000) / cpus.length);
}

/** Memory of idle connections, each after one response. */
export async function measureIdle(
  { generator, workplace }: LaneParts,
  scenario: Scenario,
  connections: number,
  running: Running,
  port: number,
): Promise<IdleSample> {
  // Memory that the first requests allocate does not belong to the connections.
  await withLoad(generator, planOf(scenario, port, 64, { kind: 'closed' }), () => workplace.sleep(WARM_UP_MS));
  await workplace.sleep(HELD_MS);
  const before = readMemory(running.pid);
  return withLoad(generator, planOf(scenario, port, connections, { kind: 'hold' }), async () => {
    await workplace.sleep(HELD_MS);
    const after = readMemory(running.pid);
    const { failures } = await generator.report();
    return { connections, bytesPerConnection: (after - before) / connections, failures };
  });
}

/** Runs the plan during `use`, and always closes its connections. */
export async function withLoad<Result>(
  generator: LoadGenerator,
  plan: LoadPlan,
  use: () => Promise<Result>,
): Promise<Result> {
  await generator.begin(plan);
  try {
    return await use();
  } finally {
    // After an interrupt the generator may not answer; the workplace ends it.
    await generator.stop().catch(() => undefined);
  }
}

export function planOf(scenario: Scenario, port: number, connections: number, pace: Pace): LoadPlan {
  return { port, connections, traffic: scenario.traffic, pace };
}

function perRequestUs(seconds: number, { answered }: Load): number {
  return answered === 0 ? Number.NaN : (seconds / answered) * 1e6;
}
