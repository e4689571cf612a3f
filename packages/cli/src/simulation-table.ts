/** The results of a simulation as a table. */
import type { ContenderRow, Outcome } from '@rollcall/simulator';
import { table } from './format.ts';

interface Column {
  readonly heading: string;
  readonly show: (value: number) => string;
}

const COLUMNS: Readonly<Record<string, Column>> = {
  p50Ms: { heading: 'P50', show: latency },
  p99Ms: { heading: 'P99', show: latency },
  p999Ms: { heading: 'P99.9', show: latency },
  errorShare: { heading: 'ERRORS', show: percent },
  workMaxOverMean: { heading: 'WORK MAX/MEAN', show: twoPlaces },
  sessionsMaxOverMean: { heading: 'SESSIONS MAX/MEAN', show: twoPlaces },
  demandMaxOverMean: { heading: 'DEMAND MAX/MEAN', show: twoPlaces },
  movedShare: { heading: 'MOVED', show: percent },
  fairAfterLives: {
    heading: 'FAIR AFTER',
    show: (value) => (Number.isFinite(value) ? `${value.toFixed(2)} lives` : 'never'),
  },
  fairAfterMs: { heading: 'FAIR AFTER', show: (value) => (Number.isFinite(value) ? latency(value) : 'never') },
  peakShare: { heading: 'PEAK SHARE', show: twoPlaces },
  ejections: { heading: 'EJECTIONS', show: (value) => value.toFixed(0) },
};
const WINDOW_P99 = /^(.+)P99Ms$/;
const NOT_SHOWN = 'requests';

export function simulationTable(rows: readonly ContenderRow[]): string {
  const names = [...(rows[0]?.figures.keys() ?? [])].filter((name) => name !== NOT_SHOWN);
  const columns = names.map(columnOf);
  return table(
    ['ALGORITHM', ...columns.map(({ heading }) => heading)],
    rows.map(({ contender, figures }) => [
      contender,
      ...names.map((name, i) => shown(figures.get(name)!, columns[i]!)),
    ]),
  );
}

function columnOf(name: string): Column {
  const window = WINDOW_P99.exec(name)?.[1];
  return COLUMNS[name] ?? { heading: `P99 ${window ?? name}`.toUpperCase(), show: latency };
}

/** The worst value in brackets, if its text differs. */
function shown({ median, worst }: Outcome, { show }: Column): string {
  const [middle, most] = [show(median), show(worst)];
  return middle === most ? middle : `${middle} (${most})`;
}

function latency(ms: number): string {
  return ms >= 1_000 ? `${(ms / 1_000).toPrecision(3)} s` : `${ms.toPrecision(3)} ms`;
}

function percent(ratio: number): string {
  return ratio === 0 ? '0' : `${(ratio * 100).toPrecision(2)} %`;
}

function twoPlaces(value: number): string {
  return value.toFixed(2);
}
