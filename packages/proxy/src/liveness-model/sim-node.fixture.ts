import {
  type NodeRegistration,
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import type { Timeline } from './timeline.fixture.ts';

/**
 * `sdk`: the agent is inside, and proves its instance. `wrap`: the agent is beside, and continues while the program is frozen.
 * `static`: no agent.
 */
export type SimKind = 'sdk' | 'wrap' | 'static';

/** The end of a connection: a process of the node, or a foreign program at its address. */
export interface SimConnection {
  readonly worker: number;
  readonly openedAtMs: number;
  /** `undefined` for a foreign program. */
  readonly instance: string | undefined;
  isOpen: boolean;
  idleSinceMs: number;
  /** Called when the process ends, unless the link is cut. */
  onClosed: () => void;
  served: number;
}

/** One node, its program and the links to it. */
export class SimNode {
  readonly id;
  readonly kind: SimKind;
  readonly index: number;
  instance = '';
  incarnation = 0;
  isAlive = true;
  isFrozen = false;
  /** The listener is closed. */
  isRefusing = false;
  /** State of the address while the program is dead: it refuses, drops everything, or belongs to another program. */
  tenant: 'refuses' | 'silent' | 'foreign' = 'refuses';
  /** The agent's link to the coordinator. */
  link: 'ok' | 'frozen' | 'refused' = 'ok';
  readonly isCut: boolean[];
  /** Number of the agent's connection; `undefined` while it has none. */
  connection: number | undefined;
  seq = 0;
  heardCoordinatorAtMs = 0;
  /** Sessions that this instance knows. */
  sessions = new Set<string>();
  connections = new Set<SimConnection>();
  /** Callbacks that wait until the program resumes, or the link of a worker is restored. */
  readonly held: { readonly worker: number; readonly run: () => void }[] = [];
  /** By worker: instant since which a request would be answered; `undefined` while it would not. */
  readonly ableSinceMs: (number | undefined)[];
  /** By worker: last instant at which a request would have been answered. */
  readonly lastAbleMs: number[];
  /** Workers that observed the end of the connections of the last process: only these workers can know that it ended. */
  seenBy = new Set<number>();
  readonly #timeline: Timeline;

  constructor(index: number, kind: SimKind, workers: number, timeline: Timeline) {
    this.index = index;
    this.kind = kind;
    this.id = parseNodeId(`n${index}`)!;
    this.#timeline = timeline;
    this.isCut = Array.from({ length: workers }, () => false);
    this.ableSinceMs = this.isCut.map(() => timeline.nowMs);
    this.lastAbleMs = this.isCut.map(() => timeline.nowMs);
    this.#begin();
  }

  #begin(): void {
    this.incarnation++;
    this.instance = `${this.index}${this.incarnation}`.padStart(32, '0');
    this.sessions = new Set();
  }

  get registration(): NodeRegistration & { readonly incarnation: number; readonly instance: string } {
    return {
      id: this.id,
      balancer: parseBalancerName('shop')!,
      url: parseNodeUrl(`http://10.0.0.${this.index + 1}:80`)!,
      route: parseRoute(this.id)!,
      contexts: [{ path: parseContextPath('/')! }],
      hosts: [parseHostPattern('*')!],
      weight: 1,
      incarnation: this.incarnation,
      instance: this.instance,
      loadHeader: false,
      meta: {},
    };
  }

  isAble(worker: number): boolean {
    return this.isAlive && !this.isFrozen && !this.isRefusing && !this.isCut[worker];
  }

  /** Applies a change, and records for each worker whether the node can answer. */
  change(run: () => void): void {
    run();
    for (const worker of this.isCut.keys()) {
      const isAble = this.isAble(worker);
      const was = this.ableSinceMs[worker] !== undefined;
      if (was) this.lastAbleMs[worker] = this.#timeline.nowMs;
      if (isAble && !was) this.ableSinceMs[worker] = this.#timeline.nowMs;
      if (!isAble) this.ableSinceMs[worker] = undefined;
    }
    this.#release();
  }

  /** Runs the callbacks that need not wait any longer. */
  #release(): void {
    for (const entry of this.held.splice(0)) {
      if ((this.isAlive && this.isFrozen) || this.isCut[entry.worker]) this.held.push(entry);
      else this.#timeline.in(50, entry.run);
    }
  }

  /** The program ends, and its connections with it. Over a cut link or a silent address this cannot be observed. */
  kill(tenant: 'refuses' | 'silent', isSeen: boolean): void {
    const ended = [...this.connections];
    this.connections.clear();
    this.seenBy = new Set(
      ended.filter(({ worker, isOpen }) => isOpen && isSeen && !this.isCut[worker]).map(({ worker }) => worker),
    );
    this.change(() => {
      this.isAlive = false;
      this.isFrozen = false;
      this.tenant = tenant;
    });
    for (const connection of ended) {
      connection.isOpen = false;
      if (isSeen && !this.isCut[connection.worker]) connection.onClosed();
    }
  }

  restart(): void {
    this.#begin();
    this.change(() => {
      this.isAlive = true;
      this.isRefusing = false;
      this.tenant = 'refuses';
    });
  }
}
