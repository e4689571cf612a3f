/**
 * All node records by id, by balancer and by liveness, with their numbering. Counts are kept up to date on each change, so
 * that no count needs a pass over all records.
 */
import type { BalancerName, Liveness, NodeId } from '@rollcall/protocol';
import { placesOf } from '../../contexts/hosted-context.ts';
import { isMissing, type NodeRecord, type NodeView } from './node-record.ts';
import { SortedNames } from './sorted-names.ts';
import { WeightBounds } from './weight-bounds.ts';

export class NodeIndex {
  readonly #byId = new Map<NodeId, NodeRecord>();
  readonly #inOrder = new SortedNames<NodeId>();
  readonly #byBalancer = new Map<BalancerName, Set<NodeRecord>>();
  readonly #counts: Record<Liveness, number> = { joining: 0, up: 0, suspect: 0, down: 0, gone: 0 };
  readonly #joining = new Set<NodeRecord>();
  readonly #presentIn = new Map<BalancerName, number>();
  /** Nodes that count for the quota of a token, by its name. */
  readonly #quotas = new Map<string, number>();
  /** Contexts, each path on each host, of the nodes that count for a quota, by its key. */
  readonly #places = new Map<string, number>();
  #tokenless = 0;
  readonly weights: WeightBounds = new WeightBounds();
  // Sets keep the order of insertion: the first node has been gone for the longest time.
  readonly #goneByOwner = new Map<string, Set<NodeRecord>>();
  readonly #missing = new Set<NodeRecord>();
  #lastIndex = -1;

  get(id: NodeId): NodeRecord | undefined {
    return this.#byId.get(id);
  }

  /** Number of nodes, gone ones included. */
  get size(): number {
    return this.#byId.size;
  }

  all(): IterableIterator<NodeRecord> {
    return this.#byId.values();
  }

  /** Ids after `after`, in ascending order. */
  idsAfter(after?: string): IterableIterator<NodeId> {
    return this.#inOrder.after(after);
  }

  inBalancer(name: BalancerName): ReadonlySet<NodeRecord> {
    return this.#byBalancer.get(name) ?? NONE;
  }

  count(liveness: Liveness): number {
    return this.#counts[liveness];
  }

  /** Joining nodes, in the order in which they began to join. */
  get joining(): ReadonlySet<NodeRecord> {
    return this.#joining;
  }

  /** Number of nodes that are not gone. */
  get present(): number {
    return this.#byId.size - this.#counts.gone;
  }

  /** Number of nodes of the balancer that are not gone. */
  presentIn(name: BalancerName): number {
    return this.#presentIn.get(name) ?? 0;
  }

  /** Number of nodes of the token `owner` that are not gone and count for its quota. */
  quotaOf(owner: string): number {
    return this.#quotas.get(owner) ?? 0;
  }

  /** `quotaOf` for every token that has such nodes. */
  quotas(): Iterable<readonly [owner: string, count: number]> {
    return this.#quotas;
  }

  /** Number of nodes of peers without a token that are not gone. */
  get tokenless(): number {
    return this.#tokenless;
  }

  /** Contexts, each path on each host, summed over the nodes that are not gone and count for the same quota as a node of `whose`. */
  placesOf(whose: Whose): number {
    const key = quotaKey(whose);
    return key === undefined ? 0 : (this.#places.get(key) ?? 0);
  }

  /** Nodes of `owner` that are gone, the longest gone first. */
  goneOf(owner: string): ReadonlySet<NodeRecord> {
    return this.#goneByOwner.get(owner) ?? NONE;
  }

  /** Missing nodes, the longest missing first. */
  get missing(): ReadonlySet<NodeRecord> {
    return this.#missing;
  }

  nextIndex(): number {
    this.#lastIndex += 1;
    return this.#lastIndex;
  }

  add(record: NodeRecord): void {
    this.#byId.set(record.id, record);
    this.#inOrder.add(record.id);
    this.#enterBalancer(record);
    this.#count(record, 1);
  }

  delete(record: NodeRecord): void {
    this.#byId.delete(record.id);
    this.#inOrder.delete(record.id);
    this.#leaveBalancer(record);
    this.#count(record, -1);
  }

  /** Runs `change`, which may change liveness, owner and balancer of `record`, and keeps all counts right. */
  update(record: NodeRecord, change: () => void): void {
    this.#count(record, -1);
    this.#leaveBalancer(record);
    change();
    this.#enterBalancer(record);
    this.#count(record, 1);
  }

  setLiveness(record: NodeRecord, liveness: Liveness): void {
    this.#count(record, -1);
    record.liveness = liveness;
    this.#count(record, 1);
  }

  #enterBalancer(record: NodeRecord): void {
    const { balancer } = record.registration;
    const nodes = this.#byBalancer.get(balancer);
    if (nodes) nodes.add(record);
    else this.#byBalancer.set(balancer, new Set([record]));
  }

  #leaveBalancer(record: NodeRecord): void {
    const { balancer } = record.registration;
    const nodes = this.#byBalancer.get(balancer)!;
    nodes.delete(record);
    if (nodes.size === 0) this.#byBalancer.delete(balancer);
  }

  #count(record: NodeRecord, by: 1 | -1): void {
    const { owner, liveness, standing, registration } = record;
    this.#counts[liveness] += by;
    if (liveness === 'joining' && by === 1) this.#joining.add(record);
    else this.#joining.delete(record);
    if (liveness !== 'gone') {
      addTo(this.#presentIn, registration.balancer, by);
      if (by === 1) this.weights.add(registration);
      else this.weights.remove(registration);
      if (standing === 'token') addTo(this.#quotas, owner, by);
      else if (standing === 'tokenless') this.#tokenless += by;
      const key = quotaKey(record);
      if (key !== undefined) addTo(this.#places, key, by * placesOf(registration));
      return;
    }
    if (by === 1 && isMissing(record)) this.#missing.add(record);
    else this.#missing.delete(record);
    const gone = this.#goneByOwner.get(owner) ?? new Set();
    if (by === 1) gone.add(record);
    else gone.delete(record);
    if (gone.size === 0) this.#goneByOwner.delete(owner);
    else this.#goneByOwner.set(owner, gone);
  }
}

type Whose = Pick<NodeView, 'owner' | 'standing'>;

/** Peers without a token share one quota. Nodes that operators add count for no quota. */
function quotaKey({ owner, standing }: Whose): string | undefined {
  if (standing === 'operator') return undefined;
  return standing === 'tokenless' ? '' : owner;
}

function addTo<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

const NONE: ReadonlySet<NodeRecord> = new Set();
