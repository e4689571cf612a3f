/** Contenders in turn, round by round, in one scenario. */
import type { Contender } from '../contenders/contender.ts';
import type { SiteNodes } from '../nodes/site-nodes.ts';
import { spreadOf } from '../numbers/spread.ts';
import { type LaneParts, measureCost, measureIdle, measureLatency, type RunLength, withContender } from './lane.ts';
import type { Result } from './sample.ts';
import type { Scenario } from './scenario.ts';

/** Share of what the slowest can do at which latencies are compared: every contender still has room. */
const RATE_SHARE = 0.4;
/** What a run takes besides its own length, milliseconds: starting, warming up, ending. */
const AROUND_MS = 3_500;
const AROUND_LATENCY_MS = 8_500;

export interface SideBySideOptions extends RunLength {
  readonly rounds: number;
  /** Requests a second of the open-loop runs; `undefined`: from what was measured; 0: no such runs. */
  readonly rate: number | undefined;
  readonly say: (line: string) => void;
}

/** How long all rounds take for one contender in one scenario, milliseconds. */
export function roundsMs({
  rounds,
  measureMs,
  rate,
}: Pick<SideBySideOptions, 'rounds' | 'measureMs' | 'rate'>): number {
  return rounds * (measureMs + AROUND_MS + (rate === 0 ? 0 : measureMs + AROUND_LATENCY_MS));
}

/** The results in the order of `contenders`, and the rate at which latencies were taken (0: not at all). */
export interface SideBySide {
  readonly scenario: Scenario;
  readonly results: readonly Result[];
  readonly rate: number;
}

/**
 * Measures each contender once a round, so that a slow minute of the machine meets all of them; every other round the
 * other way round, so that none is always the first. A contender that fails is told and left out of the round.
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
        const told = await measure(contender, result).catch((error: Error) => {
          parts.workplace.signal.throwIfAborted();
          result.error = error.message;
          return `failed: ${error.message}`;
        });
        say(`${scenario.title}, ${what} ${round}/${rounds}, ${contender.name}: ${told}`);
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

/** A rate that all who were measured can carry, in round figures; 0 when nobody was. */
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

/** What went wrong, loud enough to be seen. */
function marks(failures: Readonly<Record<string, number>>): string {
  const all = Object.entries(failures);
  return all.length === 0 ? '' : ` — FAILURES: ${all.map(([why, times]) => `${times} × ${why}`).join(', ')}`;
}
