/** `rollcall explain --live`: prints routing decisions of the workers as they are made. */
import { type Decision, MAX_DECISIONS, MAX_DECISIONS_MS } from '@rollcall/feed';
import type { DecisionsBody } from '@rollcall/protocol';
import { clientFor, printJson, type ReaderFlags } from './commands/reader-flags.ts';
import { durationFrom } from './duration.ts';
import { clockText } from './format.ts';
import { wholeOf } from './run/node-flags.ts';

export interface LiveFlags extends ReaderFlags {
  readonly picks?: boolean;
  readonly count: string;
  readonly for: string;
}

/** Time limit of the answer beyond the watched time, milliseconds. */
const MARGIN_MS = 5_000;

export async function explainLive(flags: LiveFlags): Promise<void> {
  const count = wholeOf('--count', flags.count, 1, MAX_DECISIONS)!;
  const forMs = durationFrom('--for', flags.for, { minMs: 1, maxMs: MAX_DECISIONS_MS });
  const client = await clientFor(flags);
  if (!flags.json && process.stderr.isTTY) process.stderr.write(`watching for ${flags.for}, or ${count} requests …\n`);
  const body: DecisionsBody = { count, forMs, onlyPicks: flags.picks === true };
  const answer = await client.call('recordDecisions', { body }, forMs + MARGIN_MS);
  if (flags.json) printJson(answer);
  else if (answer.decisions.length === 0) process.stdout.write(`no request came within ${flags.for}\n`);
  else process.stdout.write(`${[...header(answer.decisions), ...answer.decisions.map(decisionText)].join('\n')}\n`);
}

/** Once, if any decision has scores. */
function header(decisions: readonly Decision[]): readonly string[] {
  return decisions.some(({ candidates }) => candidates.length > 0) ? ['the lowest score is chosen'] : [];
}

/** One line with the decision and its reason, and one with the other candidates. */
function decisionText(decision: Decision): string {
  const { atUnixMs, method, host, path, chosen, because, candidates, candidateCount } = decision;
  const time = clockText(atUnixMs);
  const line = `${time}  ${method} ${host}${path}  ${chosen === undefined ? 'no node' : `→ ${chosen}`}: ${because}`;
  if (candidates.length === 0) return line;
  const scores = candidates.map(({ id, score, reason }) =>
    score === undefined ? `${id} (${reason})` : `${id} ${score.toPrecision(3)}${reason === '' ? '' : ` (${reason})`}`,
  );
  const others = candidateCount - candidates.length;
  return `${line}\n              scores: ${scores.join(', ')}${others > 0 ? `, and ${others} more` : ''}`;
}
