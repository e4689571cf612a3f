/**
 * Settings of a balancer, and where each comes from. Per field the narrower source wins:
 *
 * operator > flag > environment > file > the first node's hint > default
 *
 * and within flag, environment and file, settings of one balancer win over those of all (`*`).
 *
 * mod_cluster lets the last CONFIG of any node win for all; a node that differs is only warned here.
 */
import type { BalancerName, BalancerPatch, Fault, FeedBalancer, NodeId, StickyHint } from '@rollcall/protocol';
import type { BalancerSettingsCommand } from './commands.ts';

export type SettingsSource = BalancerSettingsCommand['source'];

/** Settings by dotted name (`sticky.mode`) as one source gives them. */
type Layer = Readonly<Partial<Settings>>;

interface Settings {
  readonly algorithm: string;
  readonly sessionAlgorithm: string;
  readonly retries: number;
  readonly sessionIdleMs: number;
  readonly assign: boolean;
  readonly 'sticky.mode': FeedBalancer['sticky']['mode'];
  readonly 'sticky.cookies': readonly string[];
  readonly 'sticky.parameters': readonly string[];
  readonly 'sticky.failover': FeedBalancer['sticky']['failover'];
  readonly 'sticky.remove': boolean;
  readonly 'sticky.movable': boolean;
}

/** Cookies looked into for a session id unless a balancer says otherwise: Servlets, PHP, Express, others, Seaside. */
export const DEFAULT_COOKIES: readonly string[] = ['JSESSIONID', 'PHPSESSID', 'connect.sid', 'sessionId', '_s'];
/** Path and query parameters looked into: Servlets, Seaside. */
export const DEFAULT_PARAMETERS: readonly string[] = ['jsessionid', '_s'];

const DEFAULTS: Omit<Settings, 'sessionIdleMs'> = {
  algorithm: 'adaptive',
  sessionAlgorithm: 'session',
  retries: 2,
  assign: false,
  'sticky.mode': 'insert',
  'sticky.cookies': DEFAULT_COOKIES,
  'sticky.parameters': DEFAULT_PARAMETERS,
  'sticky.failover': 'any',
  'sticky.remove': false,
  'sticky.movable': false,
};

const SOURCES: readonly SettingsSource[] = ['operator', 'flag', 'environment', 'file'];

/** The hint in force and the node that gave it. */
export interface Hint {
  readonly from: NodeId;
  readonly sticky: StickyHint;
}

/** What every balancer gets from one source. */
export type SettingsForAll = Map<SettingsSource, Layer>;

export class BalancerSettings {
  readonly name: BalancerName;
  readonly #layers = new Map<SettingsSource, Layer>();
  readonly #forAll: SettingsForAll;
  readonly #sessionIdleMs: number;
  #hint: Hint | undefined;
  /** Token name of its first node; its wrappers keep the copies of the program. `undefined` before the first. */
  owner: string | undefined;

  constructor(name: BalancerName, forAll: SettingsForAll, sessionIdleMs: number) {
    this.name = name;
    this.#forAll = forAll;
    this.#sessionIdleMs = sessionIdleMs;
  }

  get hint(): Hint | undefined {
    return this.#hint;
  }

  set hint(hint: Hint | undefined) {
    this.#hint = hint;
  }

  /** Merges `patch` into what `source` has said before; `null` takes a setting back. */
  patch(source: SettingsSource, patch: BalancerPatch): void {
    this.#layers.set(source, merged(this.#layers.get(source), patch));
  }

  /** Settings of its own from any source; what its nodes hint at does not count. */
  get hasSettings(): boolean {
    for (const layer of this.#layers.values()) if (Object.keys(layer).length > 0) return true;
    return false;
  }

  /** What the operator has set, as a patch that sets it again; `undefined` when nothing. */
  get operatorPatch(): BalancerPatch | undefined {
    const layer = this.#layers.get('operator');
    return layer && Object.keys(layer).length > 0 ? asPatch(layer) : undefined;
  }

  /** All settings in force. */
  inForce(): FeedBalancer {
    const { settings } = this.#resolve();
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
      },
      retries: settings.retries,
      sessionIdleMs: settings.sessionIdleMs,
      assign: settings.assign,
    };
  }

  /** Of `inForce`, for those who ask for each node. */
  get sessionIdleMs(): number {
    for (const source of SOURCES) {
      const idleMs = this.#layers.get(source)?.sessionIdleMs ?? this.#forAll.get(source)?.sessionIdleMs;
      if (idleMs !== undefined) return idleMs;
    }
    return this.#sessionIdleMs;
  }

  /** Where each setting comes from: `operator`, `flag`, `environment`, `file`, `node ID`, `default`. */
  origins(): Readonly<Record<string, string>> {
    return this.#resolve().origins;
  }

  #resolve(): { settings: Settings; origins: Record<string, string> } {
    const layers: (readonly [origin: string, layer: Layer | undefined])[] = [];
    for (const source of SOURCES) {
      layers.push([source, this.#layers.get(source)]);
      layers.push([source, this.#forAll.get(source)]);
    }
    if (this.#hint) layers.push([`node ${this.#hint.from}`, hintLayer(this.#hint.sticky)]);
    const settings: Record<string, unknown> = { ...DEFAULTS, sessionIdleMs: this.#sessionIdleMs };
    const origins: Record<string, string> = {};
    for (const key of Object.keys(settings)) origins[key] = 'default';
    for (const [origin, layer] of layers.toReversed())
      for (const [key, value] of Object.entries(layer ?? {})) {
        settings[key] = value;
        origins[key] = origin;
      }
    // Every key of Settings is in DEFAULTS or set above, and layers hold nothing but Settings.
    return { settings: settings as unknown as Settings, origins };
  }
}

/** Sets and takes back for every balancer. */
export function patchForAll(forAll: SettingsForAll, source: SettingsSource, patch: BalancerPatch): void {
  forAll.set(source, merged(forAll.get(source), patch));
}

/** The warning for a node whose hint says other than what is in force, or nothing. */
export function hintWarning(hint: StickyHint | undefined, inForce: FeedBalancer): Fault | undefined {
  if (hint === undefined) return undefined;
  const differing: string[] = [];
  for (const [key, value] of Object.entries(hintLayer(hint))) {
    const current = inForce.sticky[key.slice('sticky.'.length) as keyof FeedBalancer['sticky']];
    if (JSON.stringify(value) !== JSON.stringify(current))
      differing.push(`${key} is ${JSON.stringify(current)}, not ${JSON.stringify(value)}`);
  }
  if (differing.length === 0) return undefined;
  return { code: 'balancer-settings-differ', message: `for balancer ${inForce.name} ${differing.join('; ')}` };
}

export function isSameHint(one: StickyHint | undefined, other: StickyHint): boolean {
  return one !== undefined && JSON.stringify(hintLayer(one)) === JSON.stringify(hintLayer(other));
}

function hintLayer(hint: StickyHint): Layer {
  return merged(undefined, { sticky: hint });
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
    ['assign', patch.assign],
    ['sticky.mode', sticky?.mode],
    ['sticky.cookies', sticky?.cookies],
    ['sticky.parameters', sticky?.parameters],
    ['sticky.failover', sticky?.failover],
    ['sticky.remove', sticky?.remove],
    ['sticky.movable', sticky?.movable],
  ];
  for (const [key, value] of fields) {
    const kept = value === undefined ? layer?.[key] : value;
    if (kept !== undefined && kept !== null) next[key] = kept;
  }
  return next as Layer;
}

function asPatch(layer: Layer): BalancerPatch {
  const sticky: Record<string, unknown> = {};
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(layer))
    if (key.startsWith('sticky.')) sticky[key.slice('sticky.'.length)] = value;
    else patch[key] = value;
  return Object.keys(sticky).length > 0 ? { ...patch, sticky } : patch;
}
