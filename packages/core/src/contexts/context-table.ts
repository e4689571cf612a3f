import type { FeedContext } from '@rollcall/feed';
import type { BalancerName, ContextPath, HostPattern, NodeId } from '@rollcall/protocol';
import { contextKey, type HostedContext, hostedContexts, type RememberedContext } from './hosted-context.ts';
import type { MemberNode } from './member-node.ts';
import { hasOtherReadings, isBoundary, otherReadings } from './path-match.ts';
import { ServedContext } from './served-context.ts';

/** How long a context whose last node is gone is still known, so that it answers 503 and not 404, milliseconds. */
export const EMPTY_CONTEXT_MS = 600_000;
/** Contexts without a node that are kept at once. Above it, the oldest of the balancer with the most of them is dropped first. */
export const MAX_EMPTY_CONTEXTS = 1_000;
/** Longest host that is looked up by suffix, in characters; no valid name is longer (RFC 1035 §2.3.4). */
const MAX_HOST_LENGTH = 253;

/** How a table is built. */
export interface ContextTableOptions<N extends MemberNode, A> {
  /** The table before this one; contexts in which nothing changed are taken over as they are. */
  readonly previous: ContextTable<N, A> | undefined;
  /** Nodes that differ from what `previous` was built with. */
  readonly changed: ReadonlySet<NodeId>;
  /** Returns the attachment of a balancer and context; the same for the same pair, so that its state survives. */
  readonly attach: (balancer: BalancerName, path: ContextPath) => A;
  readonly nowMs: number;
  /** Contexts without a node that `previous` may lack. Default: none. */
  readonly remembered?: readonly RememberedContext[];
  /** True for contexts without a node that an operator has removed. Default: always false. */
  readonly isForgotten?: (context: HostedContext) => boolean;
}

/**
 * Immutable lookup from host and path to the context that serves them, built whole and swapped whole.
 *
 * An exact host comes before the longest `*.suffix`, and that before `*`. If the better host has no context for the
 * path, the next one is tried. Of a host's contexts the longest prefix wins that ends at `/`, `;`, `?` or the end.
 * The cost of a lookup does not depend on the number of nodes or contexts.
 */
export class ContextTable<N extends MemberNode, A> {
  readonly #hosts = new Map<string, HostContexts<N, A>>();
  readonly #all: readonly ServedContext<N, A>[];
  readonly #ofNode = new Map<NodeId, ServedContext<N, A>[]>();
  #hasSuffixes = false;
  /** True when no path can choose another context than any other path. */
  #isFlat = true;

  constructor(contexts: readonly ServedContext<N, A>[]) {
    this.#all = contexts;
    for (const context of contexts) {
      const ofHost = this.#hosts.get(context.host) ?? new HostContexts<N, A>();
      this.#hosts.set(context.host, ofHost);
      ofHost.add(context);
      if (context.host.startsWith('*.')) this.#hasSuffixes = true;
      if (context.path !== '/') this.#isFlat = false;
      for (const node of context.members) {
        const ofNode = this.#ofNode.get(node.id);
        if (ofNode) ofNode.push(context);
        else this.#ofNode.set(node.id, [context]);
      }
    }
  }

  /** All contexts, in no order. */
  get contexts(): readonly ServedContext<N, A>[] {
    return this.#all;
  }

  /** Instant at which the first context without a node is to be dropped; `Infinity` without any. */
  get emptyUntilMs(): number {
    let untilMs = Number.POSITIVE_INFINITY;
    for (const { emptySinceMs } of this.#all)
      if (emptySinceMs !== undefined) untilMs = Math.min(untilMs, emptySinceMs + EMPTY_CONTEXT_MS);
    return untilMs;
  }

  /** The contexts a node serves; empty when it is not in the table. */
  contextsOf(id: NodeId): readonly ServedContext<N, A>[] {
    return this.#ofNode.get(id) ?? [];
  }

  /**
   * The context that serves `target` on `host`; `undefined` when no context does. `ambiguous`: a node that decodes the
   * path, drops its parameters or removes its dot segments could take it for another context.
   *
   * `host` is lower case and without port; `target` is in origin form, or `*`, which counts as `/`.
   */
  find(host: string, target: string): ServedContext<N, A> | 'ambiguous' | undefined {
    const found = this.#select(host, target);
    if (this.#isFlat || !hasOtherReadings(target)) return found;
    for (const reading of otherReadings(target)) if (this.#select(host, reading) !== found) return 'ambiguous';
    return found;
  }

  #select(host: string, target: string): ServedContext<N, A> | undefined {
    const path = target === '*' ? '/' : target;
    let found = this.#hosts.get(host)?.find(path);
    if (found === undefined && this.#hasSuffixes && host.length <= MAX_HOST_LENGTH) {
      for (let dot = host.indexOf('.'); dot >= 0 && found === undefined; dot = host.indexOf('.', dot + 1))
        found = this.#hosts.get(`*${host.slice(dot)}`)?.find(path);
    }
    return found ?? this.#hosts.get('*')?.find(path);
  }
}

/** The contexts of one host pattern by path. */
class HostContexts<N extends MemberNode, A> {
  readonly #byPath = new Map<string, ServedContext<N, A>>();
  #root: ServedContext<N, A> | undefined;
  #longest = 0;

  add(context: ServedContext<N, A>): void {
    if (context.path === '/') this.#root = context;
    else {
      this.#byPath.set(context.path, context);
      this.#longest = Math.max(this.#longest, context.path.length);
    }
  }

  find(path: string): ServedContext<N, A> | undefined {
    // A context path has at most 256 characters, which bounds this loop for any request.
    for (let end = Math.min(this.#longest, path.length); end > 1; end--) {
      if (end < path.length && !isBoundary(path.charCodeAt(end))) continue;
      const found = this.#byPath.get(path.slice(0, end));
      if (found) return found;
    }
    return path.startsWith('/') ? this.#root : undefined;
  }
}

/**
 * Builds the table of `nodes`, reusing the contexts of `previous` that `changed` does not touch.
 *
 * Two balancers never share a host and context. If nodes of two balancers announce the same, the balancer of the first
 * node in order keeps it. A context whose last node is gone stays, empty, for `EMPTY_CONTEXT_MS`.
 */
export function buildContextTable<N extends MemberNode, A>(
  nodes: Iterable<N>,
  { previous, changed, attach, nowMs, remembered = [], isForgotten = () => false }: ContextTableOptions<N, A>,
): ContextTable<N, A> {
  const places = new Map<string, Place<N>>();
  for (const node of nodes) {
    for (const { host, path, entry } of hostedContexts(node)) {
      const key = contextKey({ host, path });
      const place = places.get(key);
      if (!place) places.set(key, { host, path, balancer: node.balancer, members: [node], entries: [entry] });
      // A node may name a context twice. Its names come one after the other, so only the last member can be the same node.
      else if (place.balancer === node.balancer && place.members.at(-1) !== node) {
        place.members.push(node);
        place.entries.push(entry);
      }
    }
  }
  const contexts: ServedContext<N, A>[] = [];
  const empty: ServedContext<N, A>[] = [];
  for (const before of previous?.contexts ?? []) {
    const key = contextKey(before);
    const place = places.get(key);
    if (!place) {
      if (isForgotten(before)) continue;
      if (before.emptySinceMs === undefined) empty.push(emptied(before, before.attached, nowMs));
      else if (nowMs - before.emptySinceMs < EMPTY_CONTEXT_MS) empty.push(before);
    } else if (isSame(before, place, changed)) {
      contexts.push(before);
      places.delete(key);
    }
  }
  const known = new Set(remembered.length === 0 ? [] : [...contexts, ...empty].map(contextKey));
  for (const context of remembered) {
    const { balancer, path, sinceMs } = context;
    const key = contextKey(context);
    if (places.has(key) || known.has(key) || isForgotten(context) || nowMs - sinceMs >= EMPTY_CONTEXT_MS) continue;
    known.add(key);
    empty.push(emptied(context, attach(balancer, path), sinceMs));
  }
  for (const place of places.values())
    contexts.push(new ServedContext(place, attach(place.balancer, place.path), undefined));
  return new ContextTable([...contexts, ...bounded(empty)]);
}

function emptied<N extends MemberNode, A>(
  { host, path, balancer }: HostedContext & { readonly balancer: BalancerName },
  attached: A,
  sinceMs: number,
): ServedContext<N, A> {
  return new ServedContext<N, A>({ host, path, balancer, members: [], entries: [] }, attached, sinceMs);
}

/** Drops the oldest contexts of the balancer with the most, so that one balancer cannot displace the contexts of others. */
function bounded<N extends MemberNode, A>(empty: ServedContext<N, A>[]): readonly ServedContext<N, A>[] {
  let surplus = empty.length - MAX_EMPTY_CONTEXTS;
  if (surplus <= 0) return empty;
  const byBalancer = new Map<BalancerName, ServedContext<N, A>[]>();
  for (const context of empty) {
    const others = byBalancer.get(context.balancer);
    if (others) others.push(context);
    else byBalancer.set(context.balancer, [context]);
  }
  const lists = [...byBalancer.values()];
  for (const list of lists) list.sort((one, other) => other.emptySinceMs! - one.emptySinceMs!);
  for (; surplus > 0; surplus--) lists.reduce((most, list) => (list.length > most.length ? list : most)).pop();
  return lists.flat();
}

interface Place<N> {
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly balancer: BalancerName;
  readonly members: N[];
  /** The context of each member. */
  readonly entries: FeedContext[];
}

function isSame<N extends MemberNode, A>(
  before: ServedContext<N, A>,
  place: Place<N>,
  changed: ReadonlySet<NodeId>,
): boolean {
  if (before.balancer !== place.balancer || before.members.length !== place.members.length) return false;
  return place.members.every((node, i) => before.members[i] === node && !changed.has(node.id));
}
