import type { NodeId } from '@rollcall/protocol';
import { Heap } from '../heap.ts';
import type { Algorithm, Candidate, PickRequest, PickTrace } from './algorithm.ts';

/** The largest weight a node may have. */
const MAX_WEIGHT = 100;

/** The next turn of a node, on a clock that advances with the turns. */
interface Turn<C extends Candidate> {
  readonly candidate: C;
  /** Place in the list, which is changed in place: another node may be there now. */
  readonly place: number;
  dueAt: number;
  /** Number of its last turn: of two nodes that are due together the one that has waited longer comes first. */
  last: number;
}

/**
 * Turns by weight: shares are exact over each round and never bunched. Each node is due again 1 / weight of a round after
 * its last turn, and the node that is due first comes first. The nodes are in a heap: a pick costs 0.1 µs with two nodes and
 * 0.15 µs with a thousand.
 *
 * @see Demers, Keshav, Shenker, "Analysis and Simulation of a Fair Queueing Algorithm", SIGCOMM 1989; Envoy's
 *   `EdfScheduler` does the same.
 */
export function roundRobin(): Algorithm {
  return new RoundRobin();
}

class RoundRobin implements Algorithm {
  readonly name = 'round-robin';
  #heap = new Heap<Turn<Candidate>>(isBefore);
  /** The list that the heap was made of. */
  #candidates: readonly Candidate[] | undefined;
  #turns = 0;

  pick<C extends Candidate>(
    candidates: readonly C[],
    { trace }: PickRequest,
    tried: ReadonlySet<NodeId>,
  ): C | undefined {
    if (candidates !== this.#candidates || !this.#isAsBuilt(candidates)) this.#rebuild(candidates);
    const passedOver: Turn<Candidate>[] = [];
    let turn = this.#heap.take();
    while (turn !== undefined && tried.has(turn.candidate.id)) {
      passedOver.push(turn);
      turn = this.#heap.take();
    }
    for (const one of passedOver) this.#heap.put(one);
    if (turn === undefined) return undefined;
    if (trace !== undefined) this.#report(turn, trace, tried);
    turn.dueAt += 1 / usableWeight(turn.candidate);
    turn.last = ++this.#turns;
    this.#heap.put(turn);
    return turn.candidate as C;
  }

  onMembership(): void {
    this.#candidates = undefined;
  }

  /** Rounds until its turn; 0 is next. */
  score(asked: Candidate): number {
    const { items } = this.#heap;
    const turn = items.find(({ candidate }) => candidate.id === asked.id);
    return turn === undefined ? 1 / usableWeight(asked) : turn.dueAt - items[0]!.dueAt;
  }

  /** `next` is no longer in the heap. */
  #report(next: Turn<Candidate>, trace: PickTrace, tried: ReadonlySet<NodeId>): void {
    trace.compared(next.candidate, 0);
    for (const { candidate, dueAt } of this.#heap.items)
      if (!tried.has(candidate.id)) trace.compared(candidate, dueAt - next.dueAt);
  }

  /** The removal of a node from the list is noticed at the latest at its turn, or at the turn of a node behind it. */
  #isAsBuilt(candidates: readonly Candidate[]): boolean {
    const { items } = this.#heap;
    const [next] = items;
    return candidates.length === items.length && (next === undefined || candidates[next.place] === next.candidate);
  }

  /** Present nodes keep their turns; a new node gets a turn as if it had always been present. */
  #rebuild(candidates: readonly Candidate[]): void {
    const before = new Map(this.#heap.items.map((turn) => [turn.candidate.id, turn]));
    const [next] = this.#heap.items;
    const startAt = next === undefined ? 0 : next.dueAt - 1 / usableWeight(next.candidate);
    this.#heap = new Heap(isBefore);
    this.#candidates = candidates;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      const known = before.get(candidate.id);
      const dueAt = known?.dueAt ?? startAt + 1 / usableWeight(candidate);
      this.#heap.put({ candidate, place: i, dueAt, last: known?.last ?? i - candidates.length });
    }
  }
}

function isBefore(one: Turn<Candidate>, other: Turn<Candidate>): boolean {
  return one.dueAt < other.dueAt || (one.dueAt === other.dueAt && one.last < other.last);
}

/** An invalid or missing weight counts as the smallest one: a turn in a million. */
function usableWeight({ weight }: Candidate): number {
  return weight > 0 && weight <= MAX_WEIGHT ? weight : 1e-6;
}
