/** The verdict as the top line, the title of the browser tab, and its icon. */
import type { BalancerRow, Rates, Verdict } from '@rollcall/protocol';
import { errorText, latencyText, plural, rateText } from './figures.ts';
import type { Live } from './live.ts';
import type { Tone } from './node-state.ts';
import { spanText, timeText } from './times.ts';

export interface VerdictLine {
  readonly tone: Tone;
  /** One to three words: what the colour means. */
  readonly word: string;
  readonly text: string;
  readonly title: string;
}

const WORDS = { outage: 'Outage', harm: 'Users affected', risk: 'At risk' } as const;

/** `nowMs` is the time of the browser. */
export function verdictLine({ link, cluster, seenAtMs, skewMs }: Live, nowMs: number, isUtc: boolean): VerdictLine {
  if (cluster === undefined) {
    if (link.state === 'connecting') return quiet('Connecting', 'Waiting for the coordinator', 'Connecting');
    if (link.state === 'refused') return quiet('Login needed', link.why, 'Login needed');
    return quiet('No connection', 'The coordinator does not answer.', 'No connection');
  }
  if (link.state === 'lost' || link.state === 'refused') {
    const asOf = `as of ${timeText(seenAtMs + skewMs, isUtc)}, ${spanText(nowMs - seenAtMs)} ago`;
    const why = link.state === 'lost' ? 'The coordinator does not answer; traffic is not affected by this' : link.why;
    return { tone: 'quiet', word: 'Not live', text: `${why}. Figures ${asOf}.`, title: `Not live, ${asOf}` };
  }
  const { verdict, balancers, totals } = cluster;
  const { level } = verdict;
  if (level === undefined) {
    const text = wellText(balancers, totals);
    return { tone: 'good', word: 'All well', text, title: `All well: ${text}` };
  }
  const count = problemCount(verdict);
  const first = verdict.problems.find((problem) => problem.level === level)?.message ?? verdict.line;
  return {
    tone: level,
    word: WORDS[level],
    text: verdict.line.replace(/^(\d+ problems?), the gravest:/, '$1, the gravest:'),
    title: `${plural(count, 'problem')}: ${first}`,
  };
}

function quiet(word: string, text: string, title: string): VerdictLine {
  return { tone: 'quiet', word, text, title };
}

function problemCount({ problems, more = 0 }: Verdict): number {
  return problems.filter(({ level }) => level !== 'planned').length + more;
}

/** `9 of 9 nodes, 55 requests/s, 0 % errors, p99 12 ms`. */
function wellText(balancers: Readonly<Record<string, BalancerRow>>, totals: Rates): string {
  const rows = Object.values(balancers);
  const up = rows.reduce((sum, row) => sum + row.up, 0);
  const all = rows.reduce((sum, row) => sum + Math.max(row.wanted ?? 0, row.up + row.missing), 0);
  const latency = totals.p99Ms === undefined ? '' : `, p99 ${latencyText(totals.p99Ms)}`;
  const errors = totals.requestsPerSecond > 0 ? `, ${errorText(totals)} errors` : '';
  return `${up} of ${plural(all, 'node')} up, ${rateText(totals.requestsPerSecond)} requests/s${errors}${latency}`;
}
