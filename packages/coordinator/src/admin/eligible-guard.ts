/** Refuses writes that leave a context without an eligible node, unless they are forced. */
import type { ContextFacts, Registry } from '@rollcall/core';
import type { ContextPath, NodeId, WriteResult } from '@rollcall/protocol';
import { Refusal } from './refusal.ts';

/** Contexts that one sentence names. */
const MAX_NAMED = 3;

export interface GuardedBody {
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** The part of the answer that names the contexts without an eligible node; `text` is appended to its message, or `''`. */
export interface Eligibility {
  readonly text: string;
  readonly shown: Pick<WriteResult, 'nobodyEligible'>;
}

/**
 * The contexts that a write leaves without an eligible node, if the nodes `lost` are not eligible after it. Ends with 409
 * `nobody-eligible` if there are some and the write is neither forced nor a dry run. Call it before the write is applied.
 *
 * `certainty`: whether exactly these nodes are lost, or at worst these. `paths`: only these contexts of theirs are lost.
 */
export function guardEligible(
  registry: Registry,
  lost: ReadonlySet<NodeId>,
  { dryRun = false, force = false }: GuardedBody,
  certainty: 'would' | 'may' = 'would',
  paths?: ReadonlySet<ContextPath>,
): Eligibility {
  const contexts = registry.contextsWithout(lost).filter(({ path }) => paths?.has(path) ?? true);
  if (contexts.length === 0) return { text: '', shown: {} };
  const places = placesText(contexts);
  const outlook =
    certainty === 'may'
      ? `possibly no node will be eligible for ${places}, and new visitors get 503`
      : `no node would be eligible for ${places}: new visitors would get 503`;
  if (!dryRun && !force)
    throw new Refusal({ code: 'nobody-eligible', message: `${outlook}; add "force": true to apply it` });
  const nobodyEligible =
    dryRun || certainty === 'may' ? outlook : `no node is eligible for ${places}: new visitors get 503`;
  return { text: `; ${nobodyEligible}`, shown: { nobodyEligible } };
}

/** `/ of balancer shop`, `/a and /b on www.example of balancer shop and 2 more contexts`. */
function placesText(contexts: readonly ContextFacts[]): string {
  const named = contexts
    .slice(0, MAX_NAMED)
    .map(({ balancer, host, path }) => `${path}${host === '*' ? '' : ` on ${host}`} of balancer ${balancer}`);
  const more = contexts.length - MAX_NAMED;
  if (more > 0) named.push(`${more} more`);
  const last = named.pop()!;
  return named.length === 0 ? last : `${named.join(', ')} and ${last}`;
}
