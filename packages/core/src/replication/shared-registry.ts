/**
 * A registry and its replica: what operators request here goes to the replica, and what another coordinator has written comes into force here.
 * Pure: the caller carries records between the replica and a store.
 *
 * Records of nodes that are unknown here stay in the replica, and come into force when the node registers.
 */
import type { Command } from '../registry/commands.ts';
import type { Event, Rejection } from '../registry/events.ts';
import type { Registry } from '../registry/registry.ts';
import { recordKey } from '../store/record-key.ts';
import { type Instants, type MergeResult, Replica } from './replica.ts';
import type { SharedRecord } from './shared-record.ts';

/** Time after its last change for which a request is shared, milliseconds. A coordinator that still has it then shares it again. */
const KEEP_REQUEST_MS = 30 * 86_400_000;

export class SharedRegistry {
  readonly registry: Registry;
  readonly replica: Replica;
  /** Keys that the registry has restored from before it was shared: records of other coordinators win over them. */
  readonly #unshared = new Set<string>();

  /** `registry`: with the option `isShared`. `coordinator`: random id, the same over restarts. */
  constructor(registry: Registry, coordinator: string) {
    this.registry = registry;
    this.replica = new Replica(coordinator);
  }

  /** Takes the records of the own file, after the registry was restored. */
  start(records: readonly SharedRecord[], now: Instants): void {
    this.replica.merge(records, now);
    for (const { key } of this.registry.allShared())
      if (this.replica.get(key, now.nowMs) === undefined) this.#unshared.add(key);
    this.#putInForce(
      records.map(({ key }) => key),
      now,
    );
  }

  apply(command: Command, now: Instants): readonly Event[] | Rejection {
    const outcome = this.registry.apply(command, now.nowMs);
    if ('type' in outcome) return outcome;
    const joined = outcome.flatMap((event) => (event.type === 'registered' && event.isNew ? [event.id] : []));
    this.#putInForce(joined.map(recordKey.override), now);
    this.#share(now);
    return outcome;
  }

  /** Takes records of the store. `isWhole`: all that it has; then what only this registry has is shared, too. */
  merge(records: readonly SharedRecord[], now: Instants, isWhole = false): MergeResult {
    this.#share(now);
    const result = this.replica.merge(records, now);
    this.#putInForce(result.changed, now);
    if (isWhole) this.#shareRest(now);
    return result;
  }

  /** Forgets expired records; requests that are still in force are shared again. */
  expire(now: Instants): void {
    for (const key of this.replica.expire(now.nowMs)) this.#unshared.add(key);
    this.#shareRest(now);
  }

  #shareRest(now: Instants): void {
    if (this.#unshared.size === 0) return;
    for (const change of this.registry.allShared())
      if (this.#unshared.has(change.key) && this.replica.get(change.key, now.nowMs) === undefined)
        this.#put(change.key, change.value, change.remaining, now);
    this.#unshared.clear();
  }

  #share(now: Instants): void {
    for (const { key, value, remaining } of this.registry.takeShared())
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
    if (records.length > 0) this.registry.apply({ type: 'merge', records }, now.nowMs);
    this.#share(now);
  }
}
