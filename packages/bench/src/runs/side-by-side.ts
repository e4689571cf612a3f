/** Measures contenders alternately in one scenario. */
import type { Contender } from '../contenders/contender.ts';
import type { SiteNodes } from '../nodes/site-nodes.ts';
import { spreadOf } from '../numbers/spread.ts';
import { type LaneParts, measureCost, measureIdle, measureLatency, type RunLength, withContender } from './lane.ts';
import type { Result } from './sample.ts';
import type { Scenario } from './scenario.ts';

/** Rate of open-loop runs over the maximum rate of the slowest contender, so that no contender is saturated. */
const RATE_SHARE = 0.4;
/** Overhead of a run, milliseconds: start, warm-up, end. */
const AROUND_MS = 3_500;
const AROUND_LATENCY_MS = 8_500;

export interface SideBySideOptions extends RunLength {
  readonly rounds: number;
  /** Rate of the open-loop runs, requests per second; `undefined`: from the measured maximum; 0: no such runs. */
  readonly rate: number | undefined;
  readonly say: (line: string) => void;
}

/** Duration of all rounds of one contender in one scenario, milliseconds. */
export function roundsMs({
  rounds,
  measureMs,
  rate,
}: Pick<SideBySideOptions, 'rounds' | 'measureMs' | 'rate'>): number {
  return rounds * (measureMs + AROUND_MS + (rate === 0 ? 0 : measureMs + AROUND_LATENCY_MS));
}

/** Results in the order of `contenders`, and the rate of the open-loop runs (0: none). */
export interface SideBySide {
  readonly scenario: Scenario;
  readonly results: readonly Result[];
  readonly rate: number;
}

/**
 * Measures each contender once per round, so that a slow period of the machine affects all contenders. The order is reversed in every
 * second round. A contender that fails is reported and skipped in the round.
 */
export async function sideBySide(
  parts: LaneParts,
  contenders: readonly Contender[],
  scenario: Scenario,
  nodes: SiteNodes,
  options: SideBySideOptions,
): Promise<SideBySide> {
  const { rounds, say } = options;
  const connections = scenario.connections ?? options.connections;
  const length: RunLength = { connections, measureMs: options.measureMs };
  const lanes = contenders.map((contender) => ({ contender, result: emptyResult(contender) }));
  const everyRound = async (
    what: string,
    measure: (contender: Contender, result: Result) => Promise<string>,
  ): Promise<void> => {
    for (let round = 1; round <= rounds; round++)
      for (const { contender, result } of round % 2 === 1 ? lanes : [...lanes].reverse()) {
        const outcome = await measure(contender, result).catch((error: Error) => {
          parts.workplace.signal.throwIfAborted();
          result.error = error.message;
          return `failed: ${error.message}`;
        });
        say(`${scenario.title}, ${what} ${round}/${rounds}, ${contender.name}: ${outcome}`);
      }
  };

  if (scenario.measures === 'idle') {
    await everyRound('round', (contender, result) =>
      withContender(parts, contender, scenario, nodes, (running, port) =>
        measureIdle(parts, scenario, connections, running, port),
      ).then((sample) => {
        result.idle.push(sample);
        return `${(sample.bytesPerConnection / 1_024).toFixed(1)} KiB for each connection${marks(sample.failures)}`;
      }),
    );
    return { scenario, results: lanes.map(({ result }) => result), rate: 0 };
  }

  await everyRound('round', (contender, result) =>
    withContender(parts, contender, scenario, nodes, (running, port) =>
      measureCost(parts, scenario, length, running, port),
    ).then((sample) => {
      result.cost.push(sample);
      return `${sample.cpuUs.toFixed(1)} µs CPU, ${Math.round(sample.perSecond)} requests/s${marks(sample.failures)}`;
    }),
  );
  const rate = options.rate ?? commonRate(lanes.map(({ result }) => result));
  if (rate > 0)
    await everyRound(`latency at ${rate}/s`, (contender, result) =>
      withContender(parts, contender, scenario, nodes, (running, port) =>
        measureLatency(parts, scenario, length, rate, { running, port, nodes }),
      ).then((sample) => {
        result.latency.push(sample);
        const [p50, p99] = [sample.p50Us, sample.p99Us].map((us) => (us / 1_000).toFixed(2));
        return `p50 ${p50} ms, p99 ${p99} ms${marks(sample.failures)}`;
      }),
    );
  return { scenario, results: lanes.map(({ result }) => result), rate };
}

/** A rate that every measured contender can carry, rounded; 0 if no contender was measured. */
function commonRate(results: readonly Result[]): number {
  const capacities = results.flatMap(({ cost }) => spreadOf(cost.map(({ perSecond }) => perSecond))?.median ?? []);
  if (capacities.length === 0) return 0;
  const rate = Math.min(...capacities) * RATE_SHARE;
  const step = 10 ** Math.max(0, Math.floor(Math.log10(rate)) - 1);
  return Math.floor(rate / step) * step;
}

function emptyResult(contender: Contender): Result {
  return { name: contender.name, version: contender.version() ?? 'unknown', cost: [], latency: [], idle: [] };
}

/** Failures of a sample as a visible text. */
function marks(failures: Readonly<Record<string, number>>): string {
  const all = Object.entries(failures);
  return all.length === 0 ? '' : ` — FAILURES: ${all.map(([why, times]) => `${times} × ${why}`).join(', ')}`;
}
