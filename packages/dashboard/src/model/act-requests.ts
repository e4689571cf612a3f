/** The requests of an act, and what its preview shows. */
import type { WriteResult } from '@rollcall/protocol';
import type { Act } from './commands.ts';
import { plural } from './figures.ts';

export interface ActRequest {
  readonly method: 'POST' | 'DELETE' | 'PATCH';
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Choices of the dialog. */
export interface ActChoices {
  readonly reason?: string;
  /** The status ends by itself after this time. */
  readonly forMs?: number;
  /** End of a drain. */
  readonly deadlineMs?: number;
  readonly isDryRun?: boolean;
  readonly isForced?: boolean;
}

/** One request for each target. */
export function requestsOf({ verb, target, change }: Act, choices: ActChoices): readonly ActRequest[] {
  const { reason = '', forMs, deadlineMs, isDryRun, isForced } = choices;
  const body = {
    ...change,
    ...(reason !== '' && { reason }),
    ...(isDryRun && { dryRun: true }),
    ...(forMs !== undefined && (verb === 'drain' || verb === 'stop' || verb === 'change') && { forMs }),
    ...(deadlineMs !== undefined && verb === 'drain' && { deadlineMs }),
    ...(isForced && verb !== 'acknowledge' && verb !== 'enable' && { force: true }),
  };
  const places =
    'balancer' in target
      ? [`/v1/balancers/${encodeURIComponent(target.balancer)}`]
      : target.nodes.map((id) => `/v1/nodes/${encodeURIComponent(id)}`);
  return places.map((path): ActRequest => {
    if (verb === 'remove') return { method: 'DELETE', path, body };
    if (verb === 'change') return { method: 'PATCH', path, body };
    return { method: 'POST', path: `${path}/${verb}`, body };
  });
}

/** What the dialog shows before an act. */
export interface ActPreview {
  readonly sentences: readonly string[];
  /** The act has to be forced. */
  readonly warning?: string;
  /** Visitors would get 503: the user has to type this name of a balancer. */
  readonly balancer?: string;
}

/** Sentences of a preview; more become a count. */
const MAX_SENTENCES = 3;

/** Sentences of the dry runs, each once. A capacity estimate comes first. */
export function previewOf(
  results: readonly (WriteResult & { readonly preview?: { readonly sentence: string } })[],
): ActPreview {
  const sentences = [
    ...new Set(
      results.flatMap((result) => [...(result.preview ? [result.preview.sentence] : []), plainMessage(result)]),
    ),
  ];
  const dark = results.find(({ nobodyEligible }) => nobodyEligible !== undefined);
  const warning = dark?.nobodyEligible ?? results.find(({ belowBudget }) => belowBudget !== undefined)?.belowBudget;
  const balancer = dark?.nodes[0]?.balancer;
  const more = sentences.length - MAX_SENTENCES;
  return {
    sentences: more > 0 ? [...sentences.slice(0, MAX_SENTENCES), `and ${plural(more, 'more node')}`] : sentences,
    ...(warning !== undefined && { warning }),
    ...(balancer !== undefined && { balancer }),
  };
}

/** The message without the warnings that it contains. */
function plainMessage({ message, nobodyEligible, belowBudget }: WriteResult): string {
  let text = message;
  for (const warning of [nobodyEligible, belowBudget])
    if (warning !== undefined) text = text.replace(`; ${warning}`, '');
  return text;
}

/** Nodes that are named in a title; more are counted. */
const MAX_NAMED = 3;

/** `shop-b1`, `shop-b1 and shop-b2`, `12 nodes`, `balancer shop`. */
export function targetText({ target }: Pick<Act, 'target'>): string {
  if ('balancer' in target) return `balancer ${target.balancer}`;
  const { nodes } = target;
  if (nodes.length > MAX_NAMED) return plural(nodes.length, 'node');
  return nodes.length < 2 ? (nodes[0] ?? '') : `${nodes.slice(0, -1).join(', ')} and ${nodes.at(-1)}`;
}
