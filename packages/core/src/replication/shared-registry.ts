/**
 * A registry and its replica: what operators request here goes to the replica, and what another coordinator has written comes into force here.
 * Pure: the caller carries records between the replica and a store.
 *
 * Records of nodes that are unknown here stay in the replica, and come into force when the node registers.
 */
import type { MergeCommand } from '../registry/commands.ts';
import type { Event } from '../registry/events.ts';
import type { SharedChange } from '../registry/records/shared-records.ts';
import type { Registry } from '../registry/registry.ts';
import { recordKey } from '../store/record-key.ts';
import { type Instants, type MergeResult, Replica } from './replica.ts';
import type { SharedRecord } from './shared-record.ts';
import { NO_VERSION, type Version } from './version.ts';

/** Time after its last change for which a request is shared, milliseconds. A coordinator that still has it then shares it again. */
const KEEP_REQUEST_MS = 30 * 86_400_000;

export interface SharedRegistryOptions {
  /** With the option `isShared`. */
  readonly registry: Pick<Registry, 'takeShared' | 'allShared'>;
  /** Random id of this coordinator, the same over restarts. */
  readonly coordinator: string;
  /** Applies a command to the registry. */
  readonly apply: (command: MergeCommand, nowMs: number) => unknown;
}

export class SharedRegistry {
  readonly replica: Replica;
  readonly #options: SharedRegistryOptions;
  /** Keys that the registry has restored from before it was shared: records of other coordinators win over them. */
  readonly #unshared = new Set<string>();
  #isOutdated = false;

  constructor(options: SharedRegistryOptions) {
    this.#options = options;
    this.replica = new Replica(options.coordinator);
  }

  /** Takes the records of the own file, after the registry was restored. */
  start(records: readonly SharedRecord[], now: Instants): void {
    this.replica.merge(records, now);
    for (const { key } of this.#options.registry.allShared())
      if (this.replica.get(key, now.nowMs) === undefined) this.#unshared.add(key);
    this.#putInForce(
      records.map(({ key }) => key),
      now,
    );
  }

  /** The same without a file, for a coordinator that was away for long: what others do not have was ended by them, and ends here. */
  startOutdated(): void {
    this.#isOutdated = true;
    for (const { key } of this.#options.registry.allShared()) this.#unshared.add(key);
  }

  /** Shares what a command to the registry has changed. `events`: its outcome. */
  follow(events: readonly Event[], now: Instants): void {
    const joined = events.flatMap((event) => (event.type === 'registered' && event.isNew ? [event.id] : []));
    if (joined.length > 0) this.#putInForce(joined.map(recordKey.override), now);
    this.#share(now);
  }

  /** Takes records of the store. `isWhole`: all that it has; then what only this registry has is shared, too. */
  merge(records: readonly SharedRecord[], now: Instants, isWhole = false): MergeResult {
    this.#share(now);
    const result = this.replica.merge(records, now);
    this.#putInForce(result.changed, now);
    if (isWhole) this.#shareRest(now);
    return result;
  }

  /** Forgets expired records, and returns their keys and versions. Requests that are still in force are shared again. */
  expire(now: Instants): ReadonlyMap<string, Version> {
    const expired = this.replica.expire(now.nowMs);
    if (expired.size === 0) return expired;
    for (const change of this.#options.registry.allShared())
      if (expired.has(change.key)) this.#put(change.key, change.value, change.remaining, now);
    return expired;
  }

  #shareRest(now: Instants): void {
    if (this.#unshared.size === 0) return;
    const rest = this.#options.registry
      .allShared()
      .filter(({ key }) => this.#unshared.has(key) && this.replica.get(key, now.nowMs) === undefined);
    this.#unshared.clear();
    if (this.#isOutdated) this.#endRequests(rest, now);
    else for (const { key, value, remaining } of rest) this.#put(key, value, remaining, now);
  }

  #endRequests(rest: readonly SharedChange[], { nowMs }: Instants): void {
    this.#isOutdated = false;
    const records = rest.map(({ key }) => ({ key, version: NO_VERSION, value: null, remaining: {} }));
    if (records.length > 0) this.#options.apply({ type: 'merge', records }, nowMs);
  }

  #share(now: Instants): void {
    for (const { key, value, remaining } of this.#options.registry.takeShared())
      if (value === undefined) this.replica.delete(key, now);
      else this.#put(key, value, remaining, now);
  }

  #put(key: string, value: unknown, remaining: SharedRecord['remaining'], now: Instants): void {
    // An unchanged record keeps its end: a new one would be a new version.
    const before = this.replica.get(key, now.nowMs);
    const expires = before?.value === null ? undefined : before?.remaining.expires;
    const isSame = before !== undefined && JSON.stringify(before.value) === JSON.stringify(value);
    this.replica.put(
      key,
      value,
      { ...remaining, expires: isSame && expires !== undefined ? expires : KEEP_REQUEST_MS },
      now,
    );
  }

  #putInForce(keys: readonly string[], now: Instants): void {
    const records = keys.flatMap((key) => this.replica.get(key, now.nowMs) ?? []);
    if (records.length > 0) this.#options.apply({ type: 'merge', records }, now.nowMs);
    this.#share(now);
  }
}
