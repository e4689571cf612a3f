/**
 * The last changes of operators, with what each has replaced, so that it can be undone. They are kept in memory: after a restart the audit
 * file has them, and they cannot be undone any more.
 */
import type { Command, NodeRequests, Registry, UndoCommand } from '@rollcall/core';
import type { BalancerName, BalancerPatch, NodeId } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';

/** Number of changes that are kept, and for how long, milliseconds. */
const MAX_CHANGES = 100;
const KEPT_MS = 86_400_000;

export interface Change {
  readonly id: string;
  readonly by: string;
  readonly atMs: number;
  readonly nodes: Map<NodeId, { readonly before: NodeRequests; readonly after: NodeRequests }>;
  readonly balancers: ReadonlyMap<
    BalancerName,
    { readonly before: BalancerPatch | undefined; readonly after: BalancerPatch | undefined }
  >;
  /** Why it cannot be undone; absent: it can. */
  readonly final?: string;
}

/** State before a command. */
export interface Before {
  readonly nodes: readonly { readonly id: NodeId; readonly requests: NodeRequests }[];
  readonly balancer: { readonly name: BalancerName; readonly patch: BalancerPatch | undefined } | undefined;
}

/** Commands that end something for good, with the reason. */
const FINAL: Readonly<Partial<Record<Command['type'], string>>> = {
  remove: 'a removed node has to register again',
  scale: 'set the number of copies again',
  register: 'remove the node',
  'forget-contexts': 'a forgotten context returns with its next node',
};

export class Changes {
  readonly #registry: Registry;
  readonly #clocks: Clocks;
  /** Oldest first. */
  readonly #changes = new Map<string, Change>();
  readonly #undone = new Set<string>();

  constructor(registry: Registry, clocks: Clocks) {
    this.#registry = registry;
    this.#clocks = clocks;
  }

  /** What `command` may replace. Records are replaced and never changed, so references are enough. */
  before(command: Command): Before {
    const ids = 'target' in command ? this.#idsOf(command.target) : 'id' in command ? [command.id] : [];
    const undone = command.type === 'undo' ? command : undefined;
    const nodes = [...ids, ...(undone?.nodes.map(({ id }) => id) ?? [])].flatMap((id) => {
      const requests = this.#requests(id);
      return requests === undefined ? [] : [{ id, requests }];
    });
    const name = command.type === 'balancer-settings' ? command.name : undone?.balancers[0]?.name;
    return {
      nodes,
      balancer: name === undefined || name === '*' ? undefined : { name, patch: this.#registry.operatorSettings(name) },
    };
  }

  /** Records what `command` has replaced, as a part of the change `id`. */
  record(id: string, command: Command, { nodes, balancer }: Before): void {
    const earlier = this.#changes.get(id);
    const changed = new Map(earlier?.nodes);
    for (const { id: node, requests } of nodes) {
      const after = this.#requests(node);
      const before = changed.get(node)?.before ?? requests;
      if (after !== undefined && !isSame(before, after)) changed.set(node, { before, after });
    }
    const balancers = new Map(earlier?.balancers);
    if (balancer !== undefined) {
      const { name, patch } = balancer;
      const after = this.#registry.operatorSettings(name);
      if (JSON.stringify(after) !== JSON.stringify(patch)) balancers.set(name, { before: patch, after });
    }
    const final = FINAL[command.type] ?? earlier?.final;
    if (changed.size === 0 && balancers.size === 0 && final === undefined) return;
    const by = 'by' in command ? command.by : (earlier?.by ?? '');
    this.#add({ id, by, nodes: changed, balancers, ...(final !== undefined && { final }) });
  }

  /** A change that is no command and cannot be undone. */
  recordFinal(id: string, by: string, final: string): void {
    this.#add({ id, by, nodes: new Map(), balancers: new Map(), final });
  }

  get(id: string): Change | undefined {
    const change = this.#changes.get(id);
    return change !== undefined && this.#clocks.nowMs() - change.atMs < KEPT_MS ? change : undefined;
  }

  /** The newest change of a token name that was not undone and is no undo. */
  lastOf(by: string): Change | undefined {
    const ids = [...this.#changes.keys()].reverse();
    return ids.map((id) => this.get(id)).find((change) => change?.by === by && !this.#undone.has(change.id));
  }

  canUndo(id: string): boolean {
    const change = this.get(id);
    return change !== undefined && change.final === undefined && !this.#undone.has(id);
  }

  /** The command that puts back what a change has replaced. */
  undoOf({ nodes, balancers }: Change, by: string, reason: string | undefined): UndoCommand {
    return {
      type: 'undo',
      nodes: Array.from(nodes, ([id, requests]) => ({ id, ...requests })),
      balancers: Array.from(balancers, ([name, patches]) => ({ name, ...patches })),
      by,
      ...(reason !== undefined && { reason }),
    };
  }

  /** The change `id` was undone by the change `undo`, which `lastOf` passes over as well. What is put back is what earlier changes have left. */
  undone(id: string, undo: string): void {
    this.#undone.add(id).add(undo);
    for (const [node, { before }] of this.#changes.get(id)?.nodes ?? []) {
      const now = this.#requests(node);
      if (now !== undefined) for (const change of this.#changes.values()) putBack(change, node, before, now);
    }
  }

  #add(change: Omit<Change, 'atMs'>): void {
    this.#changes.delete(change.id);
    this.#changes.set(change.id, { ...change, atMs: this.#clocks.nowMs() });
    const [oldest] = this.#changes.keys();
    if (this.#changes.size <= MAX_CHANGES || oldest === undefined) return;
    this.#changes.delete(oldest);
    this.#undone.delete(oldest);
  }

  #idsOf(target: Extract<Command, { readonly target: unknown }>['target']): NodeId[] {
    switch (target.type) {
      case 'node':
        return [target.id];
      case 'nodes':
        return [...target.ids];
      case 'balancer':
        return Array.from(this.#registry.nodesIn(target.name), ({ id }) => id);
      case 'group':
        return [...this.#registry.nodes()].flatMap(({ id, registration }) =>
          registration.group === target.name ? [id] : [],
        );
      default:
        return target satisfies never;
    }
  }

  #requests(id: NodeId): NodeRequests | undefined {
    const node = this.#registry.node(id);
    if (node === undefined) return undefined;
    const { operatorStatus, overrides, operatorContexts, acknowledged } = node;
    return { operatorStatus, overrides, operatorContexts, acknowledged };
  }
}

/** Requests that were put back are equal to the earlier ones, and other objects: the change that has made them refers to the new ones. */
function putBack({ nodes }: Change, node: NodeId, earlier: NodeRequests, now: NodeRequests): void {
  const requests = nodes.get(node);
  if (requests === undefined) return;
  const { before, after } = requests;
  nodes.set(node, {
    before,
    after: {
      operatorStatus: after.operatorStatus === earlier.operatorStatus ? now.operatorStatus : after.operatorStatus,
      overrides: after.overrides === earlier.overrides ? now.overrides : after.overrides,
      operatorContexts:
        after.operatorContexts === earlier.operatorContexts ? now.operatorContexts : after.operatorContexts,
      acknowledged: after.acknowledged === earlier.acknowledged ? now.acknowledged : after.acknowledged,
    },
  });
}

function isSame(one: NodeRequests, other: NodeRequests): boolean {
  return (
    one.operatorStatus === other.operatorStatus &&
    one.overrides === other.overrides &&
    one.operatorContexts === other.operatorContexts &&
    one.acknowledged === other.acknowledged
  );
}
