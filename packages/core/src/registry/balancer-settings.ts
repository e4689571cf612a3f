/**
 * Settings of a balancer, and where each comes from. Per field the narrower source wins:
 *
 * operator > flag > environment > file > the first node's hint > default
 *
 * Within flag, environment and file, settings of one balancer win over settings of all (`*`).
 *
 * In mod_cluster the last CONFIG of any node applies to all; here a node that differs only gets a warning.
 */
import type { FeedBalancer } from '@rollcall/feed';
import type {
  BalancerName,
  BalancerPatch,
  Fault,
  NodeId,
  RouteCookie,
  RouteCookiePatch,
  RouteCookieSettings,
} from '@rollcall/protocol';
import { defaultRouteCookie } from '../sticky/route-cookie.ts';
import {
  asSettingKey,
  type RouteCookieMistake,
  routeCookieMistake,
  type SettingWriter,
} from '../sticky/route-cookie-rules.ts';
import type { BalancerSettingsCommand } from './commands.ts';
import {
  isLimitName,
  type LimitSettings,
  limitPathOf,
  limitPathsIn,
  limitsOf,
  patchedLimits,
} from './limit-settings.ts';
import type { NamedSettings } from './settings-changes.ts';
import type { SettingsHint } from './settings-hint.ts';

export type SettingsSource = BalancerSettingsCommand['source'];

/** Settings by dotted name (`sticky.mode`) as one source gives them. */
type Layer = Readonly<Partial<Settings>>;

interface Settings extends LimitSettings {
  readonly algorithm: string;
  readonly sessionAlgorithm: string;
  readonly retries: number;
  readonly sessionIdleMs: number;
  readonly minEligible: number;
  readonly assign: boolean;
  readonly 'sticky.mode': FeedBalancer['sticky']['mode'];
  readonly 'sticky.cookies': readonly string[];
  readonly 'sticky.parameters': readonly string[];
  readonly 'sticky.failover': FeedBalancer['sticky']['failover'];
  readonly 'sticky.remove': boolean;
  readonly 'sticky.movable': boolean;
  readonly 'sticky.routeCookie.name': string;
  readonly 'sticky.routeCookie.sameSite': RouteCookie['sameSite'];
  readonly 'sticky.routeCookie.secure': RouteCookie['secure'];
  readonly 'sticky.routeCookie.partitioned': boolean;
  readonly 'sticky.routeCookie.domain': string;
  readonly 'sticky.routeCookie.path': string;
  readonly 'sticky.routeCookie.lifetime': RouteCookie['lifetime'];
}

/** Smallest number of eligible nodes that a change of an operator leaves without being forced, unless a balancer has its own. */
const MIN_ELIGIBLE = 1;

/** Cookies searched for a session id, unless a balancer has its own: Servlets, PHP, Express, others, Seaside. */
export const DEFAULT_COOKIES: readonly string[] = ['JSESSIONID', 'PHPSESSID', 'connect.sid', 'sessionId', '_s'];
/** Path and query parameters searched for a session id: Servlets, Seaside. */
export const DEFAULT_PARAMETERS: readonly string[] = ['jsessionid', '_s'];

const DEFAULTS: Omit<Settings, 'sessionIdleMs' | RouteCookieKey> = {
  algorithm: 'adaptive',
  sessionAlgorithm: 'session',
  retries: 2,
  minEligible: MIN_ELIGIBLE,
  assign: false,
  'sticky.mode': 'insert',
  'sticky.cookies': DEFAULT_COOKIES,
  'sticky.parameters': DEFAULT_PARAMETERS,
  'sticky.failover': 'any',
  'sticky.remove': false,
  'sticky.movable': false,
};

type RouteCookieKey = `sticky.routeCookie.${keyof RouteCookieSettings}`;

const ROUTE_COOKIE_FIELDS = [
  'name',
  'sameSite',
  'secure',
  'partitioned',
  'domain',
  'path',
  'lifetime',
] as const satisfies readonly (keyof RouteCookieSettings)[];

const SOURCES: readonly SettingsSource[] = ['operator', 'flag', 'environment', 'file'];

/** The hint in force and the node that gave it. */
export interface Hint extends SettingsHint {
  readonly from: NodeId;
}

/** Settings of one source for every balancer. */
export type SettingsForAll = Map<SettingsSource, Layer>;

/** What the settings of all balancers of a registry depend on. */
export interface SharedSettings {
  readonly forAll: SettingsForAll;
  readonly sessionIdleMs: number;
  /** Random name of the cluster; `undefined` while it is not known. */
  clusterId: string | undefined;
}

export class BalancerSettings {
  readonly name: BalancerName;
  readonly #layers = new Map<SettingsSource, Layer>();
  readonly #shared: SharedSettings;
  #hint: Hint | undefined;
  /** Token name of its first node; its wrappers keep the copies of the program. `undefined` before the first. */
  owner: string | undefined;

  constructor(name: BalancerName, shared: SharedSettings) {
    this.name = name;
    this.#shared = shared;
  }

  get hint(): Hint | undefined {
    return this.#hint;
  }

  set hint(hint: Hint | undefined) {
    this.#hint = hint;
  }

  /** Merges `patch` into the earlier settings of `source`; `null` removes a setting. */
  patch(source: SettingsSource, patch: BalancerPatch): void {
    this.#layers.set(source, merged(this.#layers.get(source), patch));
  }

  /** Replaces all settings of a source. */
  replace(source: SettingsSource, patch: BalancerPatch): void {
    this.#layers.set(source, merged(undefined, patch));
  }

  /** Number of paths that have limits from any source, if `patch` were merged into the settings of `source`. */
  limitPathsWith(source: SettingsSource, patch: BalancerPatch): number {
    return limitPathCount(patchedSettings(this.#layers, source, patch), this.#shared.forAll);
  }

  /** The same with other settings of all balancers. */
  limitPathsUnder(forAll: SettingsForAll): number {
    return limitPathCount(this.#layers, forAll);
  }

  /** True with settings of its own from any source; hints of its nodes do not count. */
  get hasSettings(): boolean {
    for (const layer of this.#layers.values()) if (Object.keys(layer).length > 0) return true;
    return false;
  }

  /** The operator's settings as a patch; `undefined` when there are none. */
  get operatorPatch(): BalancerPatch | undefined {
    const layer = this.#layers.get('operator');
    return layer && Object.keys(layer).length > 0 ? asPatch(layer) : undefined;
  }

  /** The rule that the route cookie would break if `source` set `patch` as well, in a sentence; `undefined` for none. */
  mistakeWith(source: SettingsSource, patch: BalancerPatch): string | undefined {
    const { mistake } = this.#resolve(new Map([...this.#layers, [source, merged(this.#layers.get(source), patch)]]));
    return mistake?.text(asSettingKey);
  }

  /** The rule that the route cookie breaks, and the origin of the setting that is refused; `undefined` for none. */
  brokenRule(): { readonly rule: RouteCookieMistake; readonly origin: string } | undefined {
    const { mistake, refusedFrom } = this.#resolve();
    return mistake && { rule: mistake, origin: refusedFrom };
  }

  /** All settings in force. */
  inForce(): FeedBalancer {
    const { settings } = this.#resolve();
    const limits = limitsOf(settings as unknown as Readonly<Record<string, unknown>>);
    return {
      name: this.name,
      algorithm: settings.algorithm,
      sessionAlgorithm: settings.sessionAlgorithm,
      sticky: {
        mode: settings['sticky.mode'],
        cookies: settings['sticky.cookies'],
        parameters: settings['sticky.parameters'],
        failover: settings['sticky.failover'],
        remove: settings['sticky.remove'],
        movable: settings['sticky.movable'],
        routeCookie: this.#routeCookie(settings),
      },
      retries: settings.retries,
      sessionIdleMs: settings.sessionIdleMs,
      assign: settings.assign,
      ...(limits && { limits }),
    };
  }

  /** All settings in force by dotted name, limits only where they are set. */
  named(): NamedSettings {
    return this.#resolve().settings as unknown as NamedSettings;
  }

  /** A part of `inForce`, for callers that need it for each node. */
  get sessionIdleMs(): number {
    return this.#given('sessionIdleMs') ?? this.#shared.sessionIdleMs;
  }

  /** The disruption budget: eligible nodes that a change leaves in each context. Workers do not need it. */
  get minEligible(): number {
    return this.#given('minEligible') ?? MIN_ELIGIBLE;
  }

  /** A budget is set, not the default. */
  get hasBudget(): boolean {
    return this.#given('minEligible') !== undefined;
  }

  #given<Key extends 'sessionIdleMs' | 'minEligible'>(key: Key): Settings[Key] | undefined {
    for (const source of SOURCES) {
      const value = this.#layers.get(source)?.[key] ?? this.#shared.forAll.get(source)?.[key];
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Where each setting comes from: `operator`, `flag`, `environment`, `file`, `node ID`, `default`. */
  origins(): Readonly<Record<string, string>> {
    return this.#resolve().origins;
  }

  /** The default name is still read when another one is set. */
  #routeCookie(settings: Settings): RouteCookie {
    const { name, earlierNames } = defaultRouteCookie(this.#shared.clusterId);
    const own = routeCookieOf(settings);
    return { ...own, earlierNames: [name, ...earlierNames].filter((earlier) => earlier !== own.name) };
  }

  /**
   * Stored settings of a route cookie may break a rule after the settings of another source changed. Then the defaults are in
   * force, and their origin states the rule.
   */
  #resolve(own: ReadonlyMap<SettingsSource, Layer> = this.#layers): Resolved {
    const layers: (readonly [origin: string, layer: Layer | undefined])[] = [];
    for (const source of SOURCES) {
      layers.push([source, own.get(source)]);
      layers.push([source, this.#shared.forAll.get(source)]);
    }
    if (this.#hint) layers.push([`node ${this.#hint.from}`, hintLayer(this.#hint)]);
    const cookieDefaults = routeCookieLayer(defaultRouteCookie(this.#shared.clusterId));
    const settings: Record<string, unknown> = {
      ...DEFAULTS,
      ...cookieDefaults,
      sessionIdleMs: this.#shared.sessionIdleMs,
    };
    const origins: Record<string, string> = {};
    const paths = limitPathsIn(layers.map(([, layer]) => layer ?? {}));
    for (const key of Object.keys(settings)) origins[key] = 'default';
    for (const [origin, layer] of layers.toReversed())
      for (const [key, value] of Object.entries(layer ?? {})) {
        const path = isLimitName(key) ? limitPathOf(key) : undefined;
        if (path !== undefined && !paths.has(path)) continue;
        settings[key] = value;
        origins[key] = origin;
      }
    // Every key of Settings is in the defaults, and layers hold nothing but Settings.
    const resolved = settings as unknown as Settings;
    const mistake = routeCookieMistake(routeCookieOf(resolved), resolved['sticky.cookies']);
    if (mistake === undefined) return { settings: resolved, origins, mistake, refusedFrom: '' };
    const refusedFrom = origins[routeCookieKey(mistake.setting)] ?? '';
    for (const key of Object.keys(cookieDefaults)) origins[key] = `default, because ${mistake.text(asSettingKey)}`;
    return { settings: { ...resolved, ...cookieDefaults }, origins, mistake, refusedFrom };
  }
}

interface Resolved {
  readonly settings: Settings;
  readonly origins: Record<string, string>;
  /** The rule that the route cookie breaks. */
  readonly mistake: RouteCookieMistake | undefined;
  /** Origin of the setting that the rule refuses; `''` without a mistake. */
  readonly refusedFrom: string;
}

/** Settings of balancers, or of all (`*`), as they are given at a start. */
export interface StartSettings {
  readonly name: BalancerName | '*';
  readonly source: SettingsSource;
  readonly patch: BalancerPatch;
}

/**
 * The first balancer whose route cookie would break a rule with these settings, and the rule; `undefined` for none. `writer` returns
 * the words of the source that has the refused setting.
 */
export function startSettingsMistake(
  settings: readonly StartSettings[],
  writer: (name: BalancerName | '*', origin: string) => SettingWriter = () => asSettingKey,
): { readonly name: BalancerName | '*'; readonly mistake: string } | undefined {
  const shared: SharedSettings = { forAll: new Map(), sessionIdleMs: 0, clusterId: undefined };
  for (const { name, source, patch } of settings) if (name === '*') patchForAll(shared.forAll, source, patch);
  for (const name of new Set(['*' as const, ...settings.map((each) => each.name)])) {
    // Of `*` only the settings for all count.
    const balancer = new BalancerSettings(name as BalancerName, shared);
    for (const each of settings) if (each.name === name && name !== '*') balancer.patch(each.source, each.patch);
    const broken = balancer.brokenRule();
    if (broken !== undefined) return { name, mistake: broken.rule.text(writer(name, broken.origin)) };
  }
  return undefined;
}

/** Number of paths that have limits in any of these settings. */
export function limitPathCount(...settings: readonly SettingsForAll[]): number {
  const layers = settings.flatMap((one) => [...one.values()]);
  return limitPathsIn(layers, Number.POSITIVE_INFINITY).size;
}

/** A copy of settings by source, with `patch` merged into those of `source`. */
export function patchedSettings(
  settings: SettingsForAll,
  source: SettingsSource,
  patch: BalancerPatch,
): Map<SettingsSource, Layer> {
  return new Map(settings).set(source, merged(settings.get(source), patch));
}

/** Sets and removes settings of every balancer. */
export function patchForAll(forAll: SettingsForAll, source: SettingsSource, patch: BalancerPatch): void {
  forAll.set(source, merged(forAll.get(source), patch));
}

/** The warning for a node whose hint differs from the settings in force; `undefined` if it does not. */
export function hintWarning(hint: SettingsHint | undefined, inForce: FeedBalancer): Fault | undefined {
  if (hint === undefined) return undefined;
  const differing: string[] = [];
  const current: Readonly<Record<string, unknown>> = hintLayer(inForce);
  for (const [key, value] of Object.entries(hintLayer(hint)))
    if (JSON.stringify(value) !== JSON.stringify(current[key]))
      differing.push(`${key} is ${JSON.stringify(current[key]) ?? 'not set'}, not ${JSON.stringify(value)}`);
  if (differing.length === 0) return undefined;
  return { code: 'balancer-settings-differ', message: `for balancer ${inForce.name} ${differing.join('; ')}` };
}

export function isSameHint(one: SettingsHint, other: SettingsHint): boolean {
  return JSON.stringify(hintLayer(one)) === JSON.stringify(hintLayer(other));
}

function hintLayer({ sticky, retries, limits }: SettingsHint): Layer {
  return merged(undefined, {
    ...(sticky && { sticky }),
    ...(retries !== undefined && { retries }),
    ...(limits && { limits }),
  });
}

/** Fixed order of the keys, so that equal layers have equal texts. */
function merged(layer: Layer | undefined, patch: BalancerPatch): Layer {
  const { sticky } = patch;
  const next: Record<string, unknown> = {};
  const fields: readonly (readonly [keyof Settings, unknown])[] = [
    ['algorithm', patch.algorithm],
    ['sessionAlgorithm', patch.sessionAlgorithm],
    ['retries', patch.retries],
    ['sessionIdleMs', patch.sessionIdleMs],
    ['minEligible', patch.minEligible],
    ['assign', patch.assign],
    ['sticky.mode', sticky?.mode],
    ['sticky.cookies', sticky?.cookies],
    ['sticky.parameters', sticky?.parameters],
    ['sticky.failover', sticky?.failover],
    ['sticky.remove', sticky?.remove],
    ['sticky.movable', sticky?.movable],
    ...ROUTE_COOKIE_FIELDS.map((field) => [routeCookieKey(field), sticky?.routeCookie?.[field]] as const),
  ];
  for (const [key, value] of fields) {
    const kept = value === undefined ? layer?.[key] : value;
    if (kept !== undefined && kept !== null) next[key] = kept;
  }
  return { ...next, ...patchedLimits(layer ?? {}, patch.limits) } as Layer;
}

function routeCookieKey<Field extends keyof RouteCookieSettings>(field: Field): `sticky.routeCookie.${Field}` {
  return `sticky.routeCookie.${field}`;
}

function routeCookieOf(settings: Settings): RouteCookieSettings {
  return {
    name: settings['sticky.routeCookie.name'],
    sameSite: settings['sticky.routeCookie.sameSite'],
    secure: settings['sticky.routeCookie.secure'],
    partitioned: settings['sticky.routeCookie.partitioned'],
    domain: settings['sticky.routeCookie.domain'],
    path: settings['sticky.routeCookie.path'],
    lifetime: settings['sticky.routeCookie.lifetime'],
  };
}

function routeCookieLayer(cookie: RouteCookieSettings): Layer {
  return Object.fromEntries(ROUTE_COOKIE_FIELDS.map((field) => [routeCookieKey(field), cookie[field]])) as Layer;
}

const STICKY = 'sticky.';
const ROUTE_COOKIE = 'sticky.routeCookie.';

function asPatch(layer: Layer): BalancerPatch {
  const routeCookie: Record<string, unknown> = {};
  const sticky: Record<string, unknown> = {};
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(layer))
    if (key.startsWith(ROUTE_COOKIE)) routeCookie[key.slice(ROUTE_COOKIE.length)] = value;
    else if (key.startsWith(STICKY)) sticky[key.slice(STICKY.length)] = value;
    else if (!isLimitName(key)) patch[key] = value;
  if (Object.keys(routeCookie).length > 0) sticky['routeCookie'] = routeCookie satisfies RouteCookiePatch;
  const limits = limitsOf(layer);
  return { ...patch, ...(Object.keys(sticky).length > 0 && { sticky }), ...(limits && { limits }) };
}
