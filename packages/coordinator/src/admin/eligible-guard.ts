/**
 * Refuses writes that leave a context fewer eligible nodes than the budget of its balancer (`minEligible`), unless they are forced. A node
 * that is not eligible before the write breaks no budget.
 */
import type { BrokenBudget, Disruption, Registry } from '@rollcall/core';
import type { ContextPath, WriteResult } from '@rollcall/protocol';
import { Refusal } from './refusal.ts';

/** Contexts that one sentence names. */
const MAX_NAMED = 3;

export interface GuardedBody {
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** The part of the answer that names the contexts with too few eligible nodes; `text` is appended to its message, or `''`. */
export interface Eligibility {
  readonly text: string;
  readonly shown: Pick<WriteResult, 'nobodyEligible' | 'belowBudget'>;
}

/**
 * The contexts whose budget a write breaks, if `change` is its effect. Ends with 409 `nobody-eligible` or `budget` if there are some and
 * the write is neither forced nor a dry run. Call it before the write is applied.
 *
 * `certainty`: whether exactly these nodes are lost, or at worst these. `paths`: only these contexts of theirs are lost.
 */
export function guardEligible(
  registry: Registry,
  change: Disruption,
  { dryRun = false, force = false }: GuardedBody,
  certainty: 'would' | 'may' = 'would',
  paths?: ReadonlySet<ContextPath>,
): Eligibility {
  const contexts = registry.brokenBudgets(change).filter(({ path }) => paths?.has(path) ?? true);
  if (contexts.length === 0) return { text: '', shown: {} };
  const dark = contexts.filter(({ after }) => after === 0);
  const short = contexts.filter(({ after }) => after > 0);
  const outlooks = [...sentences(dark, darkOutlook(certainty)), ...sentences(short, shortOutlook(certainty))];
  if (!dryRun && !force)
    throw new Refusal({
      code: dark.length > 0 ? 'nobody-eligible' : 'budget',
      message: `${outlooks.join('; ')}; add "force": true to apply it`,
    });
  const isForeseen = dryRun || certainty === 'may';
  const [nobodyEligible] = sentences(dark, isForeseen ? darkOutlook(certainty) : isDark);
  const [belowBudget] = sentences(short, isForeseen ? shortOutlook(certainty) : isShort);
  return {
    text: [nobodyEligible, belowBudget].map((one) => (one === undefined ? '' : `; ${one}`)).join(''),
    shown: { ...(nobodyEligible && { nobodyEligible }), ...(belowBudget && { belowBudget }) },
  };
}

function sentences(contexts: readonly BrokenBudget[], make: (places: string) => string): string[] {
  return contexts.length === 0 ? [] : [make(placesText(contexts))];
}

function darkOutlook(certainty: 'would' | 'may'): (places: string) => string {
  return certainty === 'may'
    ? (places) => `possibly no node will be eligible for ${places}, and new visitors get 503`
    : (places) => `no node would be eligible for ${places}: new visitors would get 503`;
}

function shortOutlook(certainty: 'would' | 'may'): (places: string) => string {
  return certainty === 'may'
    ? (places) => `possibly fewer nodes will be eligible than min-eligible for ${places}`
    : (places) => `fewer nodes would be eligible than min-eligible for ${places}`;
}

function isDark(places: string): string {
  return `no node is eligible for ${places}: new visitors get 503`;
}

function isShort(places: string): string {
  return `fewer nodes are eligible than min-eligible for ${places}`;
}

/** `/ of balancer shop`, `/a and /b on www.example of balancer shop (1 after, 3 now, min-eligible 2) and 2 more contexts`. */
function placesText(contexts: readonly BrokenBudget[]): string {
  const named = contexts.slice(0, MAX_NAMED).map(({ balancer, host, path, now, after, minEligible }) => {
    const numbers = minEligible > 1 ? ` (min-eligible ${minEligible}: ${now} eligible before, ${after} after)` : '';
    return `${path}${host === '*' ? '' : ` on ${host}`} of balancer ${balancer}${numbers}`;
  });
  const more = contexts.length - MAX_NAMED;
  if (more > 0) named.push(`${more} more`);
  const last = named.pop()!;
  return named.length === 0 ? last : `${named.join(', ')} and ${last}`;
}
