/** Commands in the texts of problems, and the acts that do the same from the page. */
import type { NodePatch } from '@rollcall/protocol';

/** `change`: weight, standby or redirect. */
export type Verb = 'drain' | 'enable' | 'stop' | 'acknowledge' | 'remove' | 'change';

/** What an act is for. */
export type ActTarget = { readonly nodes: readonly string[] } | { readonly balancer: string };

export interface Act {
  readonly verb: Verb;
  readonly target: ActTarget;
  readonly deadlineMs?: number;
  /** Of the verb `change`: the fields, and the words for them. */
  readonly change?: NodePatch;
  readonly words?: string;
}

const COMMAND = /`(rollcall [^`]+)`|\b(rollcall [a-z]+(?: [^\s,;`()]+)*)/g;

/** Commands of the command line in a text, in their order, without backticks. */
export function commandsIn(text: string): readonly string[] {
  return [...text.matchAll(COMMAND)].map(([, quoted, plain]) => (quoted ?? plain)!.replace(/[.:]$/, ''));
}

const MINUTE_MS = 60_000;

/** The act that does what a command does; `undefined` for a command that the page does not have. */
export function actOf(command: string): Act | undefined {
  const found =
    /^rollcall (drain|enable|stop|acknowledge)(?: --balancer)? ([A-Za-z0-9_-]+)(?: --deadline (\d+)m)?$/.exec(command);
  if (!found) return undefined;
  const [, verb, name, minutes] = found as unknown as [string, Verb, string, string | undefined];
  const target = command.includes(' --balancer ') ? { balancer: name } : { nodes: [name] };
  return { verb, target, ...(minutes !== undefined && { deadlineMs: Number(minutes) * MINUTE_MS }) };
}
