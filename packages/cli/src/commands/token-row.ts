/** A token as a row of `rollcall token list`. Pure. */
import type { TokenBindings, TokenResource } from '@rollcall/protocol';
import { compactDuration } from '@rollcall/protocol';

/** Name of a flag and of its binding. */
export const BINDINGS: Readonly<Record<string, keyof TokenBindings>> = {
  balancer: 'balancers',
  host: 'hosts',
  context: 'contexts',
  node: 'nodeIds',
  address: 'addresses',
  nodes: 'nodes',
  'max-weight': 'maxWeight',
};

export const HEADINGS: readonly string[] = ['TOKEN', 'ROLE', 'SECRETS', 'NODES', 'EXPIRES', 'CERTIFICATE', 'BOUND TO'];

/** Tokens that expire within this time are shown with their remaining time, milliseconds. */
const SOON_MS = 7 * 86_400_000;

export function row(
  { name, role, source, secrets, nodes, expiresAtUnixMs, certificate, bindings = {} }: TokenResource,
  nowUnixMs: number,
): (string | number)[] {
  const bound = Object.entries(BINDINGS).flatMap(([flag, key]) => {
    const value = bindings[key];
    return value === undefined ? [] : [`${flag} ${Array.isArray(value) ? value.join(',') : String(value)}`];
  });
  return [
    source === 'given' ? `${name} (given)` : name,
    role,
    secrets,
    nodes,
    expiresAtUnixMs === undefined ? '-' : expiryText(expiresAtUnixMs, nowUnixMs),
    certificate ?? '-',
    bound.length === 0 ? '-' : bound.join('; '),
  ];
}

/** `2027-03-01T12:00Z`, in UTC; `2026-12-03T12:00Z (in 1d5h)` within 7 days; `expired 3h05m ago`. */
function expiryText(atUnixMs: number, nowUnixMs: number): string {
  const restMs = atUnixMs - nowUnixMs;
  if (restMs <= 0) return `expired ${compactDuration(-restMs)} ago`;
  const at = `${new Date(atUnixMs).toISOString().slice(0, 16)}Z`;
  return restMs <= SOON_MS ? `${at} (in ${compactDuration(restMs)})` : at;
}
