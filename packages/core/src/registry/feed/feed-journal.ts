/**
 * The changes that the feed has not delivered yet, and the revision that counts them. Only names are kept: an object that
 * changes several times between two deliveries is delivered once, in its latest state.
 */
import type { BalancerName, GoneCause, NodeId, Route } from '@rollcall/protocol';
import { routeKey } from '../ownership/route-ownership.ts';
import type { ContextChoice } from '../views/remembered-contexts.ts';

/** Largest number of choices of forgotten contexts between two deliveries. */
const MAX_CHOICES = 100;

/** A route of a balancer that has, or had, a node. */
export interface RouteName {
  readonly balancer: BalancerName;
  readonly route: Route;
}

/** A node that was in the feed and left it, with the route it had there. */
export interface Loss extends RouteName {
  readonly id: NodeId;
  readonly cause: GoneCause;
}

/** Everything that has changed since the last delivery. */
export interface FeedDirt {
  readonly losses: readonly Loss[];
  /** Routes whose holder or memory has changed. */
  readonly routes: readonly RouteName[];
  readonly balancers: readonly BalancerName[];
  readonly nodes: readonly NodeId[];
  readonly forgottenContexts: readonly ContextChoice[];
  /** Contexts without nodes have come from the store. */
  readonly hasRestoredContexts: boolean;
  readonly isSettledChanged: boolean;
  /** A node has begun or ended to join, or joins for another reason. */
  readonly isJoiningChanged: boolean;
}

export class FeedJournal {
  #revision = 0;
  #isTouched = false;
  #nodes = new Set<NodeId>();
  #losses = new Map<NodeId, Loss>();
  #routes = new Map<string, RouteName>();
  #balancers = new Set<BalancerName>();
  #forgottenContexts: ContextChoice[] = [];
  #hasRestoredContexts = false;
  #isSettledChanged = false;
  #isJoiningChanged = false;

  get revision(): number {
    return this.#revision;
  }

  /** A command begins: its first change opens a new revision. */
  begin(): void {
    this.#isTouched = false;
  }

  /** Records a change of a node that is in the feed. */
  node(id: NodeId): void {
    this.#nodes.add(id);
    this.#touch();
  }

  /** Records that a node has left the feed. */
  lost(loss: Loss): void {
    this.#losses.set(loss.id, loss);
    this.route(loss);
  }

  /** Records a change of a known route: it is remembered differently, or unknown from now on. */
  route({ balancer, route }: RouteName): void {
    this.#routes.set(routeKey(balancer, route), { balancer, route });
    this.#touch();
  }

  balancer(name: BalancerName): void {
    this.#balancers.add(name);
    this.#touch();
  }

  /** Records forgotten contexts without nodes. More than `MAX_CHOICES` choices count as all. */
  forgetContexts({ path, host }: ContextChoice): void {
    const choice = { ...(path !== undefined && { path }), ...(host !== undefined && { host }) };
    this.#forgottenContexts =
      this.#forgottenContexts.length < MAX_CHOICES ? [...this.#forgottenContexts, choice] : [{}];
    this.#touch();
  }

  /** Contexts without nodes have come from the store. All others are known to the workers, which remember them themselves. */
  contextsRemembered(): void {
    this.#hasRestoredContexts = true;
    this.#touch();
  }

  settled(): void {
    this.#isSettledChanged = true;
    this.#touch();
  }

  /** Records a change of the joining nodes. */
  joining(): void {
    this.#isJoiningChanged = true;
    this.#touch();
  }

  /** Returns all changes and starts empty. */
  take(): FeedDirt {
    const dirt = {
      losses: [...this.#losses.values()],
      routes: [...this.#routes.values()],
      balancers: [...this.#balancers],
      nodes: [...this.#nodes],
      forgottenContexts: this.#forgottenContexts,
      hasRestoredContexts: this.#hasRestoredContexts,
      isSettledChanged: this.#isSettledChanged,
      isJoiningChanged: this.#isJoiningChanged,
    };
    this.#hasRestoredContexts = false;
    this.#forgottenContexts = [];
    this.#losses = new Map();
    this.#routes = new Map();
    this.#balancers = new Set();
    this.#nodes = new Set();
    this.#isSettledChanged = false;
    this.#isJoiningChanged = false;
    return dirt;
  }

  #touch(): void {
    if (this.#isTouched) return;
    this.#isTouched = true;
    this.#revision += 1;
  }
}
