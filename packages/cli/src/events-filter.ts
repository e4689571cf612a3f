/** Which events `rollcall events` prints. */
import { type EventResource, isName, parseDuration } from '@rollcall/protocol';
import { CliFailure, EXIT } from './exit.ts';

export interface EventFlags {
  readonly since?: string;
  readonly node?: string;
  readonly balancer?: string;
  readonly type?: string;
}

/** A predicate for these flags. Fails with exit 2 for a flag that is not valid. */
export function eventFilter(
  { since, node, balancer, type }: EventFlags,
  nowUnixMs: number,
): (event: EventResource) => boolean {
  for (const [flag, name] of [
    ['--node', node],
    ['--balancer', balancer],
  ] as const)
    if (name !== undefined && !isName(name))
      throw new CliFailure(`${flag} ${JSON.stringify(name)} is not a name`, EXIT.usage);
  const fromUnixMs = since === undefined ? Number.NEGATIVE_INFINITY : instantOf(since, nowUnixMs);
  const types = type === undefined ? undefined : new Set(type.split(','));
  return (event) =>
    event.atUnixMs >= fromUnixMs &&
    (node === undefined || event.node === node) &&
    (balancer === undefined || event.balancer === balancer) &&
    (types === undefined || types.has(event.type));
}

/** Unix milliseconds of `5m` (ago), `15:04` and `15:04:05` (today, local), or a date with a time; without a zone it is local. */
export function instantOf(text: string, nowUnixMs: number): number {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return nowUnixMs - agoMs;
  const clock = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/.exec(text);
  if (clock !== null) return new Date(nowUnixMs).setHours(Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0), 0);
  const at = /^\d{4}-\d\d-\d\d(?:[T ]|$)/.test(text) ? Date.parse(withTime(text)) : Number.NaN;
  if (Number.isNaN(at))
    throw new CliFailure(
      `--since ${JSON.stringify(text)} is no time: write a duration like 5m, a time like 15:04, or 2026-01-02T15:04`,
      EXIT.usage,
    );
  return at;
}

/** `Date.parse` takes a date without a time as UTC. */
function withTime(text: string): string {
  return text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T');
}
