/** Writes that ask before they end sessions or leave too few eligible nodes: on a terminal; without one they need `--yes`. */
import { createInterface } from 'node:readline/promises';
import { sessionsText, type WriteResult } from '@rollcall/protocol';
import { CliFailure, EXIT } from '../exit.ts';

/** Largest number of nodes that a question names. */
const MAX_NAMED = 10;

export const YES_HELP = 'apply the change without a question';

export interface Write<Result extends WriteResult> {
  /** Sends the request with these fields added to its body. */
  readonly send: (more: { readonly dryRun?: true; readonly force?: true }) => Promise<Result>;
  /** Last word of the question, like `Stop`. */
  readonly verb: string;
  /** The write ends the sessions of its nodes. */
  readonly endsSessions: boolean;
}

/** Sends the write. Asks first if it has effects to confirm; with `yes` it is forced, with `dryRun` it only reports. */
export async function sendConfirmed<Result extends WriteResult>(
  { send, verb, endsSessions }: Write<Result>,
  { yes, dryRun }: { readonly yes?: boolean; readonly dryRun?: boolean },
): Promise<Result> {
  if (dryRun) return send({ dryRun: true });
  if (yes) return send({ force: true });
  const what = effectsOf(await send({ dryRun: true }), endsSessions);
  if (what === '') return send({});
  await confirm(what, verb);
  return send({ force: true });
}

/** The effects to confirm, as one sentence; `''` without any. */
export function effectsOf(
  {
    nodes,
    more,
    nobodyEligible,
    belowBudget,
    preview,
  }: Pick<WriteResult, 'nodes' | 'more' | 'nobodyEligible' | 'belowBudget' | 'preview'>,
  endsSessions: boolean,
): string {
  const effects: string[] = [];
  const sessions = nodes.reduce((sum, node) => sum + node.sessions, 0);
  const once = nodes.reduce((sum, node) => sum + node.sessionsSeenOnce, 0);
  if (endsSessions && (sessions + once > 0 || more !== undefined)) {
    const unnamed = Math.max(0, nodes.length - MAX_NAMED) + (more ?? 0);
    const named = nodes.slice(0, MAX_NAMED).map((node) => node.id);
    const where = `${named.join(', ')}${unnamed > 0 ? ` and ${unnamed} more` : ''}`;
    const count = `${more === undefined ? '' : 'at least '}${sessionsText(sessions, once)}`;
    effects.push(`${count} on ${where} will ${nobodyEligible === undefined ? 'fail over or be lost' : 'be lost'}`);
  }
  for (const effect of [nobodyEligible, belowBudget]) if (effect !== undefined) effects.push(effect);
  // A load alone asks nothing: a script would stop at a busy hour.
  if (effects.length > 0 && preview?.isSaturated) effects.push(preview.sentence);
  return effects.join('; ');
}

async function confirm(what: string, verb: string): Promise<void> {
  if (!process.stdin.isTTY) throw new CliFailure(`${what}: add --yes to confirm`, EXIT.usage);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(`${what}. ${verb}? [y/N] `);
  prompt.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliFailure('nothing was changed', EXIT.failed);
}
