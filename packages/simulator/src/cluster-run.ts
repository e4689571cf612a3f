/**
 * One scenario under one rule, from the first request to the last. Requests come by chance (Poisson), reach a proxy by
 * chance, are placed by that proxy's own copy of the rule and served in order. There is no delay on the way, so what a
 * node tells beside an answer is as new as can be.
 */
import type { AttemptOutcome, Candidate, LiveNumbers, Rng } from '@rollcall/core';
import { boundedPareto, constant, type Draw, exponential, lognormal } from './chance.ts';
import type { Contender, ContenderFactory, World } from './contender.ts';
import { EventHeap } from './event-heap.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import type { Scenario, Step, Work } from './scenario.ts';
import { seeded } from './seeded.ts';
import { type Job, SimNode } from './sim-node.ts';

export interface RunResult {
  readonly requests: number;
  /** Share of requests without an answer in time, or with an error. */
  readonly errorShare: number;
  readonly latencies: LatencyHistogram;
  /** Work placed on the node that got most for its speed, over the mean. */
  readonly maxOverMean: number;
}

type NodeId = Candidate['id'];
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface SimCandidate extends Candidate {
  readonly live: Mutable<LiveNumbers>;
  readonly index: number;
}

interface Proxy {
  readonly contender: Contender;
  readonly candidates: readonly SimCandidate[];
}

const NONE: ReadonlySet<NodeId> = new Set();
/** Weight of the newest report in the smoothed utilisation that a node tells. */
const UTILISATION_ALPHA = 0.5;
export function runScenario(scenario: Scenario, create: ContenderFactory, seed: number): RunResult {
  return new ClusterRun(scenario, create, seed).run();
}

class ClusterRun {
  readonly #scenario: Scenario;
  readonly #heap = new EventHeap();
  readonly #nodes: SimNode[] = [];
  readonly #proxies: Proxy[] = [];
  readonly #jobs = new Map<number, { readonly job: Job; readonly candidate: SimCandidate; readonly proxy: Proxy }>();
  readonly #latencies = new LatencyHistogram();
  readonly #placedWork: Float64Array;
  readonly #utilisation: Float64Array;
  readonly #work: Draw;
  readonly #whichProxy: Rng;
  #nowMs = 0;
  #nextJob = 0;
  #errors = 0;
  #requests = 0;

  constructor(scenario: Scenario, create: ContenderFactory, seed: number) {
    this.#scenario = scenario;
    // Streams of their own, so that every rule meets the same requests, the same work and the same antagonists.
    const stream = (number: number): Rng => seeded(seed * 1_000_003 + number);
    this.#whichProxy = stream(2);
    this.#work = workOf(scenario.work, stream(3));
    for (const { count, speed } of scenario.nodes)
      for (let i = 0; i < count; i++)
        this.#nodes.push(
          new SimNode({
            index: this.#nodes.length,
            speed,
            heap: this.#heap,
            now: () => this.#nowMs,
            onDone: (node, job, busyMs) => this.#onDone(node, job, busyMs),
          }),
        );
    this.#placedWork = new Float64Array(this.#nodes.length);
    this.#utilisation = new Float64Array(this.#nodes.length);
    const ids = this.#nodes.map(({ index }) => `n${index}` as NodeId);
    for (let number = 0; number < scenario.proxies; number++) {
      const candidates = ids.map((id, index): SimCandidate => ({ ...newCandidate(id), index }));
      const contender = create({
        rng: stream(100 + number),
        world: this.#world(),
        indexOf: (id) => Number(id.slice(1)),
      });
      contender.onMembership?.(candidates);
      this.#proxies.push({ contender, candidates });
    }
    this.#planAntagonists(stream(4));
    for (const step of scenario.steps ?? []) this.#heap.plan(step.atMs, () => this.#step(step));
    this.#planReports(stream(5));
    this.#planArrivals(stream(6));
  }

  #world(): World {
    return {
      nowMs: () => this.#nowMs,
      nodes: this.#nodes.length,
      proxies: this.#scenario.proxies,
      inFlight: (node) => this.#nodes[node]!.inFlight,
      finishMs: (node) =>
        this.#nodes[node]!.backlogMs() + this.#scenario.work.meanMs / this.#nodes[node]!.effectiveSpeed,
      probedLatencyMs: (node) => this.#nodes[node]!.recent.medianMs(this.#nodes[node]!.inFlight),
    };
  }

  run(): RunResult {
    const { warmupMs, durationMs, deadlineMs } = this.#scenario;
    const endMs = warmupMs + durationMs + deadlineMs;
    for (let event = this.#heap.take(); event !== undefined && event.atMs <= endMs; event = this.#heap.take()) {
      this.#nowMs = event.atMs;
      event.run();
    }
    return {
      requests: this.#requests,
      errorShare: this.#errors / Math.max(1, this.#requests),
      latencies: this.#latencies,
      maxOverMean: this.#maxOverMean(),
    };
  }

  // ---- load

  #capacity(): number {
    const { antagonists } = this.#scenario;
    const left = antagonists === undefined ? 1 : 1 - antagonists.share * (1 - antagonists.factor);
    return this.#nodes.reduce((sum, { speed }) => sum + speed, 0) * left;
  }

  #planArrivals(rng: Rng): void {
    const { utilisation, work, warmupMs, durationMs } = this.#scenario;
    const gap = exponential(work.meanMs / (utilisation * this.#capacity()), rng);
    const arrive = (): void => {
      this.#send();
      const nextMs = this.#nowMs + gap();
      if (nextMs < warmupMs + durationMs) this.#heap.plan(nextMs, arrive);
    };
    this.#heap.plan(gap(), arrive);
  }

  #send(): void {
    const proxy = this.#proxies[Math.floor(this.#whichProxy() * this.#proxies.length)]!;
    const workMs = this.#work();
    const request = { nowMs: this.#nowMs, isNewSession: false };
    const candidate = proxy.contender.pick(proxy.candidates, request, NONE)!;
    this.#attempt(proxy, candidate, workMs);
  }

  #attempt(proxy: Proxy, candidate: SimCandidate, workMs: number): void {
    const { deadlineMs } = this.#scenario;
    const job: Job = {
      id: this.#nextJob++,
      sentMs: this.#nowMs,
      workMs,
      isAbandoned: false,
      inFlightBefore: 0,
      isInFlight: false,
      beganMs: 0,
    };
    this.#placedWork[candidate.index]! += workMs;
    candidate.live.inFlight++;
    proxy.contender.onSend?.(candidate, this.#nowMs);
    this.#jobs.set(job.id, { job, candidate, proxy });
    this.#heap.plan(this.#nowMs + deadlineMs, () => this.#onDeadline(job));
    this.#nodes[candidate.index]!.take(job);
  }

  #onDone(node: SimNode, job: Job, busyMs: number): void {
    const known = this.#jobs.get(job.id);
    if (known === undefined) return;
    const { candidate, proxy } = known;
    const outcome: AttemptOutcome = node.failsWithinMs === undefined ? 'ok' : 'server-error';
    const latencyMs = this.#nowMs - job.sentMs;
    const report = {
      inFlight: node.inFlight,
      serviceMs: busyMs,
      load: this.#utilisation[node.index]!,
      sessions: 0,
    };
    proxy.contender.onReport?.(candidate, report, this.#nowMs);
    proxy.contender.onResponse?.(candidate, outcome, latencyMs, this.#nowMs);
    this.#over(job, latencyMs, outcome !== 'ok');
  }

  #onDeadline(job: Job): void {
    const known = this.#jobs.get(job.id);
    if (known === undefined) return;
    this.#nodes[known.candidate.index]!.abandon(job);
    known.proxy.contender.onResponse?.(known.candidate, 'failed', Number.NaN, this.#nowMs);
    this.#over(job, this.#scenario.deadlineMs, true);
  }

  #over(job: Job, latencyMs: number, isError: boolean): void {
    const { candidate } = this.#jobs.get(job.id)!;
    this.#jobs.delete(job.id);
    candidate.live.inFlight--;
    const { warmupMs, durationMs, deadlineMs } = this.#scenario;
    if (job.sentMs < warmupMs || job.sentMs >= warmupMs + durationMs) return;
    this.#requests++;
    if (isError) this.#errors++;
    this.#latencies.add(isError ? deadlineMs : latencyMs);
  }

  // ---- what happens to nodes

  #planAntagonists(rng: Rng): void {
    const { antagonists } = this.#scenario;
    if (antagonists === undefined) return;
    const { share, factor, stayMs } = antagonists;
    const slowed = new Set<number>();
    const stay = exponential(stayMs, rng);
    const settle = (): void => {
      let node = Math.floor(rng() * this.#nodes.length);
      while (slowed.has(node)) node = Math.floor(rng() * this.#nodes.length);
      slowed.add(node);
      this.#nodes[node]!.slowTo(factor);
      this.#heap.plan(this.#nowMs + stay(), () => {
        slowed.delete(node);
        this.#nodes[node]!.slowTo(1);
        settle();
      });
    };
    for (let i = 0; i < Math.round(share * this.#nodes.length); i++) settle();
  }

  #step({ node, does }: Step): void {
    if (does.kind === 'slow') this.#nodes[node]!.slowTo(does.factor);
    else this.#nodes[node]!.failsWithinMs = does.withinMs;
  }

  /** Every node reports by its own clock. */
  #planReports(rng: Rng): void {
    const { reportMs, warmupMs, durationMs } = this.#scenario;
    for (const node of this.#nodes) {
      const report = (): void => {
        const busy = Math.min(1, node.takeBusyMs() / reportMs);
        const smoothed = this.#utilisation[node.index]!;
        this.#utilisation[node.index] = smoothed + UTILISATION_ALPHA * (busy - smoothed);
        for (const { candidates } of this.#proxies) {
          const candidate = candidates[node.index];
          if (candidate === undefined) continue;
          candidate.live.load = this.#utilisation[node.index]!;
          candidate.live.loadAtMs = this.#nowMs;
        }
        if (this.#nowMs + reportMs < warmupMs + durationMs) this.#heap.plan(this.#nowMs + reportMs, report);
      };
      this.#heap.plan(rng() * reportMs, report);
    }
  }

  #maxOverMean(): number {
    const perSpeed = this.#nodes.map(({ speed, index }) => this.#placedWork[index]! / speed);
    const mean = perSpeed.reduce((sum, value) => sum + value, 0) / perSpeed.length;
    return Math.max(...perSpeed) / mean;
  }
}

function workOf(work: Work, rng: Rng): Draw {
  switch (work.kind) {
    case 'constant':
      return constant(work.meanMs);
    case 'exponential':
      return exponential(work.meanMs, rng);
    case 'lognormal':
      return lognormal(work.meanMs, work.variation, rng);
    case 'pareto':
      return boundedPareto(work.meanMs, work.shape, work.span, rng);
  }
}

function newCandidate(id: NodeId): Omit<SimCandidate, 'index'> {
  return {
    id,
    weight: 1,
    cores: 1,
    upAtMs: Number.NEGATIVE_INFINITY,
    live: {
      inFlight: 0,
      load: Number.NaN,
      loadAtMs: Number.NEGATIVE_INFINITY,
      sessions: Number.NaN,
      placed: 0,
      latencyMs: Number.NaN,
    },
  };
}
