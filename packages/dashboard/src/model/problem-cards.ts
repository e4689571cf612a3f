/** Problems as cards: cause, effect, since when, the commands that help, and one button. */
import type { ClusterProblem, ProblemLevel, Verdict } from '@rollcall/protocol';
import { type Act, actOf, commandsIn } from './commands.ts';

export interface ProblemCard {
  /** The same for the same problem in the next verdict, so that focus stays. */
  readonly key: string;
  readonly level: ProblemLevel;
  readonly cause: string;
  readonly effect: string;
  readonly remedy: string;
  readonly sinceMs?: number;
  readonly commands: readonly string[];
  /** Act of the first command that the page has. */
  readonly act?: Act;
  readonly nodes: readonly string[];
}

/** Cards of problems, gravest first, and the work in progress of operators. */
export function problemCards({ problems }: Verdict): {
  readonly cards: readonly ProblemCard[];
  readonly planned: readonly ProblemCard[];
} {
  const all = problems.map(cardOf);
  return {
    cards: all.filter(({ level }) => level !== 'planned'),
    planned: all.filter(({ level }) => level === 'planned'),
  };
}

function cardOf(problem: ClusterProblem): ProblemCard {
  const { kind, level, balancer = '', nodes = [], message, effect = '', remedy = '', sinceUnixMs } = problem;
  const commands = commandsIn(remedy === '' ? message : remedy);
  const act = commands.map(actOf).find((one) => one !== undefined);
  return {
    key: `${kind} ${balancer} ${nodes.join(' ')} ${nodes.length === 0 ? message : ''}`,
    level,
    cause: sentence(message),
    effect: sentence(effect),
    remedy: sentence(remedy),
    ...(sinceUnixMs !== undefined && { sinceMs: sinceUnixMs }),
    commands,
    ...(act !== undefined && { act }),
    nodes,
  };
}

/** With a capital letter, as on a card. A name at the beginning, such as a path, stays as it is. */
function sentence(text: string): string {
  return text.replace(/^[a-z]/, (letter) => letter.toUpperCase());
}
