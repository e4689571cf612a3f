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

/** `sdk`: agent inside, proves its instance. `wrap`: agent beside, which goes on while the program is frozen. `static`: no agent. */
export type SimKind = 'sdk' | 'wrap' | 'static';

/** What a connection ends at: a process of the node, or a foreign program at its address. */
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

/** One node, its program and the links to it, as they are. */
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
  /** Who has the address while the program is dead: it refuses, or drops everything, or is another program. */
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
  /** What waits for the program to go on, or for the link of a worker to heal. */
  readonly held: { readonly worker: number; readonly run: () => void }[] = [];
  /** By worker: since when a question would be answered; `undefined` while it would not be. */
  readonly ableSinceMs: (number | undefined)[];
  /** By worker: when it was last able. */
  readonly lastAbleMs: number[];
  /** Workers that saw connections of the last process end: only these can know that it ended. */
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

  /** Carries out a change of what is, and keeps the books of who could answer when. */
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

  /** Runs what was held and is held no longer. */
  #release(): void {
    for (const entry of this.held.splice(0)) {
      if ((this.isAlive && this.isFrozen) || this.isCut[entry.worker]) this.held.push(entry);
      else this.#timeline.in(50, entry.run);
    }
  }

  /** The program ends. Its connections end with it; over a cut link or a silent address that is not seen. */
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
