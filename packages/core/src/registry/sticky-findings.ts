/**
 * The sticky self-check: what people get wrong when they set up sessions, judged by what all workers see together.
 *
 * A problem is found when the last new session ids (or visitors) speak for it, and is over only when as many speak
 * against it; in between, and while there is nothing to judge by, it stays as it was. So it is told once.
 */
import type { BalancerName, NodeId, Route, StickySample, StickySettings } from '@rollcall/protocol';

/**
 * `no-route`: new ids name no known route. `other-route`: a node writes another route than it has registered.
 * `same-route`: a node writes another node's route. `cookie-name`: sessions are in a cookie that is not looked into.
 * `no-cookies`: visitors do not send our cookie back. `changing-ids`: answers replace the id of the session that
 * asked, so that each counts as a new session.
 */
export type StickyProblem = 'no-route' | 'other-route' | 'same-route' | 'cookie-name' | 'no-cookies' | 'changing-ids';

export interface StickyFinding {
  readonly balancer: BalancerName;
  readonly problem: StickyProblem;
  /** Of so many new ids or visitors … */
  readonly of: number;
  /** … so many speak for it. */
  readonly bad: number;
  /** The cookie or parameter with the session id; `''` when there was none. */
  readonly name: string;
  /** The cookies that the balancer looks into. */
  readonly cookies: readonly string[];
  /** Nodes that write a route which is not theirs; told with `other-route` and `same-route`. */
  readonly writes: readonly WrongRoute[];
}

/** A node and the route it writes into new session ids. */
export interface WrongRoute {
  readonly node: NodeId;
  readonly writes: Route;
  readonly registered: Route;
  /** The node that is there and has registered what this one writes. */
  readonly owner: NodeId | undefined;
}

/** Who has registered what; `undefined` for a node that is not there. */
export type LookUpWrite = (write: StickySample['writes'][number]) => WrongRoute | undefined;

/** A problem has come, or is over. */
export interface StickyNews {
  readonly isOn: boolean;
  readonly finding: StickyFinding;
}

/** Fewer new ids, or visitors, prove nothing. */
const MIN_SEEN = 10;
/** Fewer of them that speak for a problem may be chance. */
const MIN_BAD = 3;
const PROBLEMS: readonly StickyProblem[] = [
  'no-route',
  'other-route',
  'same-route',
  'cookie-name',
  'no-cookies',
  'changing-ids',
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
  readonly name: string;
  readonly foreignName: string;
  readonly writes: StickySample['writes'];
}

interface SettingsSince {
  readonly text: string;
  readonly cookies: readonly string[];
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
  /** Sticky settings in force and the revision that told them; what was seen before says nothing. */
  readonly #settings = new Map<BalancerName, SettingsSince>();

  /** All problems found and not over, by balancer. */
  all(): readonly StickyFinding[] {
    return [...this.#found.values()].flatMap((problems) => [...problems.values()]);
  }

  /** The balancer has these settings from `revision` on. Returns problems that are over by that. */
  configure(balancer: BalancerName, settings: StickySettings, revision: number): readonly StickyFinding[] {
    const text = JSON.stringify(settings);
    const known = this.#settings.get(balancer);
    if (known?.text === text) return [];
    this.#settings.set(balancer, { text, cookies: settings.cookies, revision });
    if (known === undefined) return [];
    const over = [...(this.#found.get(balancer)?.values() ?? [])];
    this.#found.delete(balancer);
    this.#samples.delete(balancer);
    return over;
  }

  /**
   * What a worker sees while it acts upon `revision`. Returns the problems that have come and gone by it; a sample from
   * before the settings changed is passed over.
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
    return this.#judge(balancer, settings.cookies, summed(samples.values()), lookUp);
  }

  /** Nothing is known of the balancer any more. */
  forgetBalancer(name: BalancerName): void {
    this.#samples.delete(name);
    this.#found.delete(name);
    this.#settings.delete(name);
  }

  /** The worker is gone for good: what it saw no longer counts, and nothing is judged by that. */
  forget(worker: string): void {
    for (const samples of this.#samples.values()) samples.delete(worker);
  }

  #judge(balancer: BalancerName, cookies: readonly string[], sums: Sums, lookUp: LookUpWrite): readonly StickyNews[] {
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
        const name = problem === 'cookie-name' ? sums.foreignName : sums.name;
        const finding = { balancer, problem, bad, of, name, cookies, writes: writesOf(problem, writes) };
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

function writesOf(problem: StickyProblem, writes: readonly WrongRoute[]): readonly WrongRoute[] {
  if (problem === 'same-route') return writes.filter(({ owner }) => owner !== undefined);
  return problem === 'other-route' ? writes.filter(({ owner }) => owner === undefined) : [];
}

function judge(problem: StickyProblem, sums: Sums): Verdict {
  const { routed, unrouted, other, strange, opened, renewed, foreign, foreignRouted, returned, refused } = sums;
  const told = routed + unrouted + other + strange;
  switch (problem) {
    case 'no-route':
      return byShare(unrouted, told, { on: 0.5, off: 0.25 });
    // One wrong node of many is enough.
    case 'other-route':
      return byShare(other, told, { on: 0.05, off: 0.02 });
    case 'same-route':
      return byShare(strange, told, { on: 0.05, off: 0.02 });
    case 'cookie-name': {
      if (told === 0) return byShare(foreign + foreignRouted, foreign + foreignRouted, { on: 0.5, off: 0.25 });
      return byShare(foreignRouted, foreignRouted + told, { on: 0.5, off: 0.25 });
    }
    case 'no-cookies':
      return byShare(refused, refused + returned, { on: 0.5, off: 0.25 });
    // A login replaces the id once: half of all ids at most.
    case 'changing-ids':
      return byShare(renewed, renewed + opened, { on: 0.75, off: 0.5 });
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
  };
  let [name, foreignName] = ['', ''];
  const writes = new Map<NodeId, StickySample['writes'][number]>();
  for (const sample of samples) {
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += sample[key];
    name = sample.name ?? name;
    foreignName = sample.foreignName ?? foreignName;
    for (const write of sample.writes) writes.set(write.node, write);
  }
  return { ...sums, name, foreignName, writes: [...writes.values()] };
}
