/**
 * The sticky self-check: finds misconfigured sessions in the samples of all workers.
 *
 * A problem is found when its share of the last new session ids (or visitors) is above one bound. It is over when the
 * share is at most a lower bound. In between, and without data, it stays as it was, so that it is reported once.
 */
import type { StickySample } from '@rollcall/feed';
import type { BalancerName, NodeId, Route, RouteCookie, StickySettings } from '@rollcall/protocol';

/**
 * `no-route`: new ids name no known route. `other-route`: a node writes another route than it has registered.
 * `same-route`: a node writes another node's route. `cookie-name`: sessions are in a cookie that is not configured.
 * `no-cookies`: visitors do not send the proxy's cookie back. `changing-ids`: answers replace the id of the request's
 * session, so that each counts as a new session. `route-lost`: new sessions begin with a session cookie of the application, so
 * their clients have lost the route.
 */
export type StickyProblem =
  | 'no-route'
  | 'other-route'
  | 'same-route'
  | 'cookie-name'
  | 'no-cookies'
  | 'changing-ids'
  | 'route-lost';

export interface StickyFinding {
  readonly balancer: BalancerName;
  readonly problem: StickyProblem;
  /** Number of observed new ids or visitors. */
  readonly of: number;
  /** Number of them with the problem. */
  readonly bad: number;
  /** The cookie or parameter with the session id; `''` when there was none. */
  readonly name: string;
  /** The cookies that the balancer searches for session ids. */
  readonly cookies: readonly string[];
  /** The cookie of the proxy. */
  readonly routeCookie: RouteCookie;
  /** Nodes that write a route other than their own; filled for `other-route` and `same-route`. */
  readonly writes: readonly WrongRoute[];
}

/** A node and the route it writes into new session ids. */
export interface WrongRoute {
  readonly node: NodeId;
  readonly writes: Route;
  readonly registered: Route;
  /** The present node that has registered the written route. */
  readonly owner: NodeId | undefined;
}

/** Finds the registered route and the owner of the written one; `undefined` for a node that is not present. */
export type LookUpWrite = (write: StickySample['writes'][number]) => WrongRoute | undefined;

/** A problem was found, or is over. */
export interface StickyNews {
  readonly isOn: boolean;
  readonly finding: StickyFinding;
}

/** With fewer new ids or visitors nothing is judged. */
const MIN_SEEN = 10;
/** Fewer of them with a problem may be chance. */
const MIN_BAD = 3;
const PROBLEMS: readonly StickyProblem[] = [
  'no-route',
  'other-route',
  'same-route',
  'cookie-name',
  'no-cookies',
  'changing-ids',
  'route-lost',
];

interface Sums {
  readonly routed: number;
  readonly unrouted: number;
  readonly other: number;
  readonly strange: number;
  readonly opened: number;
  readonly renewed: number;
  readonly foreign: number;
  readonly foreignRouted: number;
  readonly returned: number;
  readonly refused: number;
  readonly fresh: number;
  readonly routeless: number;
  readonly routelessName: string;
  readonly name: string;
  readonly foreignName: string;
  readonly writes: StickySample['writes'];
}

interface SettingsSince {
  readonly text: string;
  readonly settings: StickySettings;
  readonly revision: number;
}

interface Verdict {
  readonly bad: number;
  readonly of: number;
  /** `undefined`: stays as it was. */
  readonly isOn: boolean | undefined;
}

export class StickyFindings {
  /** Newest sample of each worker. */
  readonly #samples = new Map<BalancerName, Map<string, StickySample>>();
  readonly #found = new Map<BalancerName, Map<StickyProblem, StickyFinding>>();
  /** Sticky settings in force and the revision that announced them; samples from before it are ignored. */
  readonly #settings = new Map<BalancerName, SettingsSince>();

  /** All problems found and not over, by balancer. */
  all(): readonly StickyFinding[] {
    return [...this.#found.values()].flatMap((problems) => [...problems.values()]);
  }

  /** Sets the settings of a balancer from `revision` on. Returns the problems that are over because of the change. */
  configure(balancer: BalancerName, settings: StickySettings, revision: number): readonly StickyFinding[] {
    const text = JSON.stringify(settings);
    const known = this.#settings.get(balancer);
    if (known?.text === text) return [];
    this.#settings.set(balancer, { text, settings, revision });
    if (known === undefined) return [];
    const over = [...(this.#found.get(balancer)?.values() ?? [])];
    this.#found.delete(balancer);
    this.#samples.delete(balancer);
    return over;
  }

  /**
   * Takes the sample of a worker that has applied `revision`. Returns the problems that were found or are over because of
   * it. A sample from before the settings changed is ignored.
   */
  take(worker: string, revision: number, sample: StickySample, lookUp: LookUpWrite): readonly StickyNews[] {
    const { balancer } = sample;
    const settings = this.#settings.get(balancer);
    if (settings === undefined || revision < settings.revision) return [];
    let samples = this.#samples.get(balancer);
    if (samples === undefined) {
      samples = new Map();
      this.#samples.set(balancer, samples);
    }
    samples.set(worker, sample);
    return this.#judge(balancer, settings.settings, summed(samples.values()), lookUp);
  }

  /** Drops all data of the balancer. */
  forgetBalancer(name: BalancerName): void {
    this.#samples.delete(name);
    this.#found.delete(name);
    this.#settings.delete(name);
  }

  /** Drops the samples of a worker that has ended, without judging again. */
  forget(worker: string): void {
    for (const samples of this.#samples.values()) samples.delete(worker);
  }

  #judge(
    balancer: BalancerName,
    { cookies, routeCookie }: StickySettings,
    sums: Sums,
    lookUp: LookUpWrite,
  ): readonly StickyNews[] {
    let found = this.#found.get(balancer);
    if (found === undefined) {
      found = new Map();
      this.#found.set(balancer, found);
    }
    const writes = sums.writes.map(lookUp).filter((write) => write !== undefined);
    const news: StickyNews[] = [];
    for (const problem of PROBLEMS) {
      const { bad, of, isOn } = judge(problem, sums);
      const known = found.get(problem);
      if (isOn === true || (isOn === undefined && known !== undefined && of >= MIN_SEEN)) {
        const name = nameOf(problem, sums);
        const finding = { balancer, problem, bad, of, name, cookies, routeCookie, writes: writesOf(problem, writes) };
        found.set(problem, finding);
        if (known === undefined) news.push({ isOn: true, finding });
      } else if (isOn === false && known !== undefined) {
        found.delete(problem);
        news.push({ isOn: false, finding: known });
      }
    }
    return news;
  }
}

function nameOf(problem: StickyProblem, { name, foreignName, routelessName }: Sums): string {
  if (problem === 'route-lost') return routelessName;
  return problem === 'cookie-name' ? foreignName : name;
}

function writesOf(problem: StickyProblem, writes: readonly WrongRoute[]): readonly WrongRoute[] {
  if (problem === 'same-route') return writes.filter(({ owner }) => owner !== undefined);
  return problem === 'other-route' ? writes.filter(({ owner }) => owner === undefined) : [];
}

function judge(problem: StickyProblem, sums: Sums): Verdict {
  const { routed, unrouted, other, strange, opened, renewed, foreign, foreignRouted, returned, refused } = sums;
  const { fresh, routeless } = sums;
  const seen = routed + unrouted + other + strange;
  switch (problem) {
    case 'no-route':
      return byShare(unrouted, seen, { on: 0.5, off: 0.25 });
    // One wrong node of many is enough.
    case 'other-route':
      return byShare(other, seen, { on: 0.05, off: 0.02 });
    case 'same-route':
      return byShare(strange, seen, { on: 0.05, off: 0.02 });
    case 'cookie-name': {
      if (seen === 0) return byShare(foreign + foreignRouted, foreign + foreignRouted, { on: 0.5, off: 0.25 });
      return byShare(foreignRouted, foreignRouted + seen, { on: 0.5, off: 0.25 });
    }
    case 'no-cookies':
      return byShare(refused, refused + returned, { on: 0.5, off: 0.25 });
    // A login replaces the id once: half of all ids at most.
    case 'changing-ids':
      return byShare(renewed, renewed + opened, { on: 0.75, off: 0.5 });
    // A cookie of the application may outlive the browser session, also where all is well.
    case 'route-lost':
      return byShare(routeless, routeless + fresh, { on: 0.2, off: 0.1 });
    default:
      return problem satisfies never;
  }
}

function byShare(bad: number, of: number, { on, off }: { readonly on: number; readonly off: number }): Verdict {
  if (of < MIN_SEEN) return { bad, of, isOn: undefined };
  return { bad, of, isOn: bad > on * of && bad >= MIN_BAD ? true : bad <= off * of ? false : undefined };
}

function summed(samples: Iterable<StickySample>): Sums {
  const sums = {
    routed: 0,
    unrouted: 0,
    other: 0,
    strange: 0,
    opened: 0,
    renewed: 0,
    foreign: 0,
    foreignRouted: 0,
    returned: 0,
    refused: 0,
    fresh: 0,
    routeless: 0,
  };
  let [name, foreignName, routelessName] = ['', '', ''];
  const writes = new Map<NodeId, StickySample['writes'][number]>();
  for (const sample of samples) {
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += sample[key];
    name = sample.name ?? name;
    foreignName = sample.foreignName ?? foreignName;
    routelessName = sample.routelessName ?? routelessName;
    for (const write of sample.writes) writes.set(write.node, write);
  }
  return { ...sums, name, foreignName, routelessName, writes: [...writes.values()] };
}
