/**
 * What the feed has yet to be told, and the revision that counts it. Only names are kept: however often something
 * changes between two deliveries, it is told once, as it is by then.
 */
import type { BalancerName, GoneCause, NodeId, Route } from '@rollcall/protocol';
import type { ContextChoice } from './remembered-contexts.ts';
import { routeKey } from './route-ownership.ts';

/** Choices of forgotten contexts between two deliveries. */
const MAX_CHOICES = 100;

/** A route of a balancer that is, or was, somebody's. */
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
  readonly isSettledChanged: boolean;
}

export class FeedJournal {
  #revision = 0;
  #isTouched = false;
  #nodes = new Set<NodeId>();
  #losses = new Map<NodeId, Loss>();
  #routes = new Map<string, RouteName>();
  #balancers = new Set<BalancerName>();
  #forgottenContexts: ContextChoice[] = [];
  #isSettledChanged = false;

  get revision(): number {
    return this.#revision;
  }

  /** A command begins: its first change opens a new revision. */
  begin(): void {
    this.#isTouched = false;
  }

  /** A node that is in the feed has changed. */
  node(id: NodeId): void {
    this.#nodes.add(id);
    this.#touch();
  }

  /** A node has left the feed. */
  lost(loss: Loss): void {
    this.#losses.set(loss.id, loss);
    this.route(loss);
  }

  /** A known route is remembered otherwise than before, or unknown from now on. */
  route({ balancer, route }: RouteName): void {
    this.#routes.set(routeKey(balancer, route), { balancer, route });
    this.#touch();
  }

  balancer(name: BalancerName): void {
    this.#balancers.add(name);
    this.#touch();
  }

  /** Contexts without nodes are forgotten. Many choices count as all. */
  forgetContexts({ path, host }: ContextChoice): void {
    const choice = { ...(path !== undefined && { path }), ...(host !== undefined && { host }) };
    this.#forgottenContexts =
      this.#forgottenContexts.length < MAX_CHOICES ? [...this.#forgottenContexts, choice] : [{}];
    this.#touch();
  }

  settled(): void {
    this.#isSettledChanged = true;
    this.#touch();
  }

  /** Hands all of it out and starts anew. */
  take(): FeedDirt {
    const dirt = {
      losses: [...this.#losses.values()],
      routes: [...this.#routes.values()],
      balancers: [...this.#balancers],
      nodes: [...this.#nodes],
      forgottenContexts: this.#forgottenContexts,
      isSettledChanged: this.#isSettledChanged,
    };
    this.#forgottenContexts = [];
    this.#losses = new Map();
    this.#routes = new Map();
    this.#balancers = new Set();
    this.#nodes = new Set();
    this.#isSettledChanged = false;
    return dirt;
  }

  #touch(): void {
    if (this.#isTouched) return;
    this.#isTouched = true;
    this.#revision += 1;
  }
}
