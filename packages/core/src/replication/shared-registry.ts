/**
 * A registry and its replica: what operators request here, and what nodes do here, goes to the replica. What another coordinator has written
 * comes into force here. Pure: the caller carries records between the replica and a store.
 *
 * Requests on nodes that are unknown here stay in the replica, and come into force when the node registers.
 */
import type { NodeId } from '@rollcall/protocol';
import { MAX_EMPTY_CONTEXTS } from '../contexts/context-table.ts';
import type { MergeCommand } from '../registry/commands.ts';
import type { Event, Rejection } from '../registry/events.ts';
import type { SharedChange } from '../registry/records/shared-change.ts';
import type { Registry } from '../registry/registry.ts';
import { recordKey } from '../store/record-key.ts';
import { HeardReports } from './heard-reports.ts';
import { ConflictReports, claimOf, conflictText, type LostConflict, lostKind } from './lost-conflicts.ts';
import { type EndedInstance, endedInstances, endedOf } from './node-merge.ts';
import { type Instants, type MergeResult, Replica } from './replica.ts';
import { isDeletion, type SharedRecord } from './shared-record.ts';
import { compareVersions, NO_VERSION, type Version } from './version.ts';

/** Time after its last change for which a request is shared, milliseconds. A coordinator that still has it then shares it again. */
const KEEP_REQUEST_MS = 30 * 86_400_000;
/** The same for nodes and reports: those of the past must not fill the store. */
const KEEP_NODE_MS = 86_400_000;
/** Time after a start in which nodes connect again, milliseconds. Then reports from before that are not confirmed are withdrawn. */
const CONFIRM_MS = 20_000;
/** Contexts without nodes that are held, with deletions. Above it, further ones of this coordinator are not shared: nodes choose their names. */
const MAX_CONTEXTS = 4 * MAX_EMPTY_CONTEXTS;

export interface SharedRegistryOptions {
  /** With the option `isShared`. */
  readonly registry: Pick<Registry, 'takeShared' | 'allShared' | 'sharedNode'>;
  /** Random id of this coordinator, the same over restarts. */
  readonly coordinator: string;
  /** For people. Default: the id. */
  readonly name?: string;
  /** Applies a command to the registry. */
  readonly apply: (command: MergeCommand, nowMs: number) => readonly Event[] | Rejection;
}

export class SharedRegistry {
  readonly replica: Replica;
  readonly #options: SharedRegistryOptions;
  readonly #reports: HeardReports;
  readonly #conflicts = new ConflictReports();
  /** Keys that the registry has restored from before it was shared: records of other coordinators win over them. */
  readonly #unshared = new Set<string>();
  /** Keys of own reports from before the start. */
  readonly #unconfirmed = new Set<string>();
  /** Nodes whose record names a process without heartbeats anywhere. */
  readonly #contested = new Set<NodeId>();
  /** Keys of held records of contexts. */
  readonly #contexts = new Set<string>();
  #confirmsAtMs = Number.POSITIVE_INFINITY;
  #isOutdated = false;

  constructor(options: SharedRegistryOptions) {
    this.#options = options;
    this.replica = new Replica(options.coordinator);
    for (const kind of ['node', 'report', 'override', 'balancer', 'context']) this.replica.know(kind);
    this.#reports = new HeardReports(options.coordinator);
  }

  /** Takes the records of the own file, after the registry was restored. */
  start(records: readonly SharedRecord[], now: Instants): MergeResult {
    const result = this.replica.merge(records, now);
    for (const { key } of this.#options.registry.allShared()) this.#unshared.add(key);
    this.#confirmsAtMs = now.nowMs + CONFIRM_MS;
    for (const { key } of records) if (this.#isOwnReport(key)) this.#unconfirmed.add(key);
    this.#putInForce(
      records.map(({ key }) => key),
      now,
    );
    return result;
  }

  /** The same without a file, for a coordinator without contact for long: what others do not have was ended by them, and ends here. */
  startOutdated(): void {
    this.#isOutdated = true;
    for (const { key } of this.#options.registry.allShared()) this.#unshared.add(key);
  }

  /** Shares what a command to the registry has changed. `events`: its outcome. */
  follow(events: readonly Event[], now: Instants): void {
    const joined = events.flatMap((event) => (event.type === 'registered' && event.isNew ? [event.id] : []));
    this.#share(now);
    if (joined.length > 0)
      this.#putInForce(
        joined.flatMap((id) => [recordKey.override(id), recordKey.node(id)]),
        now,
      );
  }

  /** Takes records of the store. `isWhole`: all that it has; then what only this registry has is shared, too. */
  merge(records: readonly SharedRecord[], now: Instants, isWhole = false): MergeResult {
    this.#share(now);
    const before = new Map(
      records.flatMap(({ key }) => this.replica.get(key, now.nowMs) ?? []).map((one) => [one.key, one]),
    );
    const result = this.replica.merge(records, now);
    this.#reportLost(
      result.changed.flatMap((key) => this.#lostOf(before.get(key), now)),
      now,
    );
    this.#putInForce(result.changed, now);
    if (isWhole) {
      this.#shareRest(now);
      this.#settle(now);
    }
    return result;
  }

  /** Sets the other coordinators that run, by id, with their names. Only their reports on nodes count. */
  setRunning(running: ReadonlyMap<string, string>, now: Instants): void {
    this.#putInForce(this.#reports.setRunning(running).map(recordKey.node), now);
  }

  /** Forgets expired records, and returns their keys and versions. What is still in force is shared again. */
  expire(now: Instants): ReadonlyMap<string, Version> {
    if (now.nowMs >= this.#confirmsAtMs) {
      for (const key of this.#unconfirmed) this.replica.delete(key, now);
      this.#unconfirmed.clear();
    }
    this.#reportLost([], now);
    const expired = this.replica.expire(now.nowMs);
    if (expired.size === 0) return expired;
    this.#apply({ type: 'merge', records: [...expired.keys()].filter(isNode).map(deletionOf) }, now);
    for (const key of expired.keys()) this.#contexts.delete(key);
    // Contexts end in the registry at the same time.
    for (const change of this.#options.registry.allShared())
      if (expired.has(this.#keyOf(change.key)) && !isContext(change.key)) this.#put(change, now);
    return expired;
  }

  /** A process with heartbeats here has the id, if the process that the record names has none anywhere: that one has ended unseen. */
  #settle(now: Instants): void {
    for (const id of this.#contested) {
      const change = this.#options.registry.sharedNode(id);
      const record = this.replica.get(recordKey.node(id), now.nowMs);
      const [report] = record === undefined ? [] : this.#reportOn(record);
      const { instance } = (change?.value ?? {}) as { readonly instance?: string };
      if (change !== undefined && report?.by.length === 0 && report.instance !== instance) this.#put(change, now);
    }
    this.#contested.clear();
  }

  #shareRest(now: Instants): void {
    if (this.#unshared.size === 0) return;
    const rest = this.#options.registry
      .allShared()
      .filter(({ key }) => this.#unshared.has(key) && this.replica.get(this.#keyOf(key), now.nowMs) === undefined);
    this.#unshared.clear();
    const [requests, facts] = [rest.filter(isRequest), rest.filter((change) => !isRequest(change))];
    for (const change of this.#isOutdated ? facts : rest) this.#put(change, now);
    if (this.#isOutdated) this.#endRequests(requests, now);
  }

  #endRequests(requests: readonly SharedChange[], { nowMs }: Instants): void {
    this.#isOutdated = false;
    const records = requests.map(({ key }) => deletionOf(key));
    if (records.length > 0) this.#options.apply({ type: 'merge', records }, nowMs);
  }

  #share(now: Instants): void {
    const unknown: string[] = [];
    for (const change of this.#options.registry.takeShared()) {
      this.#unconfirmed.delete(this.#keyOf(change.key));
      if (change.isUnknown) unknown.push(change.key);
      else if (change.value === undefined) this.replica.delete(this.#keyOf(change.key), now);
      else this.#put(change, now);
    }
    if (unknown.length > 0) this.#putInForce(unknown, now);
  }

  #put(change: SharedChange, now: Instants): void {
    const key = this.#keyOf(change.key);
    // An unchanged record keeps its end: a new one would be a new version.
    const before = this.replica.get(key, now.nowMs);
    if (isContext(key) && before === undefined && this.#contexts.size >= MAX_CONTEXTS) return;
    const value = isNode(key) ? this.#nodeValue(change, before) : change.value;
    const expires = before?.value === null ? undefined : before?.remaining.expires;
    const isSame = before !== undefined && JSON.stringify(before.value) === JSON.stringify(value);
    const keepMs = isRequest(change) ? KEEP_REQUEST_MS : KEEP_NODE_MS;
    const remaining = { expires: isSame && expires !== undefined ? expires : keepMs, ...change.remaining };
    this.replica.put(key, value, remaining, now);
    if (isContext(key)) this.#contexts.add(key);
  }

  #nodeValue(change: SharedChange, before: SharedRecord | undefined): unknown {
    const earlier = before?.value as (EndedInstance & { readonly kind?: unknown }) | null | undefined;
    const removed = change.value as EndedInstance;
    if (!change.isForgotten || before === undefined || !earlier || earlier.instance === removed.instance)
      return nodeValue(change, before);
    // The record names another process. It is removed as well, unless it has heartbeats at another coordinator.
    const isOver = earlier.kind === 'agent' && this.#reportOn(before).every(({ by }) => by.length === 0);
    const ended = [removed, ...(isOver ? [earlier] : [])].map((one) => endedBy(one, 'removed'));
    return { ...earlier, ended: endedOf([...endedInstances(earlier), ...ended]) };
  }

  /** Reports of each coordinator have their own records. */
  #keyOf(key: string): string {
    return key.startsWith('report/') ? `${key}/${this.#options.coordinator}` : key;
  }

  #isOwnReport(key: string): boolean {
    return key.startsWith('report/') && key.endsWith(`/${this.#options.coordinator}`);
  }

  #putInForce(keys: readonly string[], now: Instants): void {
    const inForce = new Set<string>();
    for (const key of keys) {
      const record = this.replica.get(key, now.nowMs);
      if (record === undefined) continue;
      if (isContext(key)) this.#contexts.add(key);
      const node = this.#reports.take(record);
      if (node !== undefined) inForce.add(recordKey.node(node));
      else inForce.add(key);
    }
    const records = [...inForce].flatMap((key) => this.replica.get(key, now.nowMs) ?? []);
    const reports = records.flatMap((record) => this.#reportOn(record));
    if (records.length > 0) this.#apply({ type: 'merge', records, reports }, now);
    for (const { id, by } of reports) if (by.length === 0) this.#contested.add(id);
    this.#share(now);
  }

  #lostOf(mine: SharedRecord | undefined, now: Instants): LostConflict[] {
    const theirs = mine && this.replica.get(mine.key, now.nowMs);
    const what = theirs && lostKind(mine, theirs, this.#options.coordinator);
    return what === undefined ? [] : [this.#lost(what, mine!, theirs!)];
  }

  #lost(what: LostConflict['what'], mine: SharedRecord, theirs: SharedRecord): LostConflict {
    const { coordinator, name = coordinator } = this.#options;
    const [, author] = mine.key.startsWith('node/') ? claimOf(theirs) : theirs.version;
    const other = { coordinator: this.#reports.nameOf(author) ?? author, value: conflictText(theirs) };
    return { key: mine.key, what, own: { coordinator: name, value: conflictText(mine) }, other };
  }

  #reportLost(conflicts: readonly LostConflict[], now: Instants): void {
    const lost = this.#conflicts.take(conflicts, now.nowMs);
    if (lost.length > 0) this.#options.apply({ type: 'merge', records: [], lost }, now.nowMs);
  }

  #apply(command: MergeCommand, now: Instants): void {
    const outcome = this.#options.apply(command, now.nowMs);
    if ('type' in outcome) return;
    for (const event of outcome) if (event.type === 'claim-conflict') this.#settleClaims(event, now);
  }

  /** Of nodes with one route or context, those with the earlier claim stay. Each coordinator decides alone, with the same result. */
  #settleClaims({ id, holders, code }: Extract<Event, { readonly type: 'claim-conflict' }>, now: Instants): void {
    const record = this.replica.get(recordKey.node(id), now.nowMs);
    if (record === undefined) return;
    const claim = claimOf(record);
    const isEarlier = (other: NodeId): boolean => {
      const its = this.replica.get(recordKey.node(other), now.nowMs);
      return its === undefined || compareVersions(claim, claimOf(its)) < 0;
    };
    if (!holders.every(isEarlier)) return;
    const displaced = { ids: holders, code, by: id };
    const own = holders.flatMap((other) => this.replica.get(recordKey.node(other), now.nowMs) ?? []);
    const what = code === 'route-taken' ? 'route' : 'context';
    this.#reportLost(
      own
        .filter((other) => claimOf(other)[1] === this.#options.coordinator)
        .map((other) => this.#lost(what, other, record)),
      now,
    );
    this.#options.apply({ type: 'merge', records: [record], reports: this.#reportOn(record), displaced }, now.nowMs);
  }

  #reportOn({ key, value }: SharedRecord): ReturnType<HeardReports['of']>[] {
    if (!isNode(key) || isDeletion({ value })) return [];
    const { instance } = value as { readonly instance?: unknown };
    return typeof instance === 'string' ? [this.#reports.of(key.slice('node/'.length), instance)] : [];
  }
}

/** A request of an operator; other records contain what a coordinator has observed. */
function isRequest({ key }: Pick<SharedChange, 'key'>): boolean {
  return key.startsWith('override/') || key.startsWith('balancer/');
}

function isNode(key: string): boolean {
  return key.startsWith('node/');
}

function isContext(key: string): boolean {
  return key.startsWith('context/');
}

/** For the registry: there is no record. */
function deletionOf(key: string): SharedRecord {
  return { key, version: NO_VERSION, value: null, remaining: {} };
}

/** The node's value with what is known of earlier processes: who ended, and who first claimed the id. */
function nodeValue({ value, end }: SharedChange, before: SharedRecord | undefined): unknown {
  const next = value as EndedInstance;
  const { instance, incarnation } = next;
  if (before === undefined || isDeletion(before))
    return end === undefined ? next : { ...next, ended: [endedBy(next, end)] };
  const earlier = before.value as EndedInstance & { readonly claim?: Version };
  const isSameStart = earlier.instance === instance;
  const ended = endedOf([
    ...endedInstances(earlier),
    ...(isSameStart || typeof earlier.instance !== 'string'
      ? []
      : [{ instance: earlier.instance, incarnation: earlier.incarnation }]),
    ...(end === undefined ? [] : [endedBy(next, end)]),
  ]).filter((one) => end !== undefined || one.instance !== instance);
  return {
    ...next,
    incarnation: isSameStart ? Math.min(incarnation, earlier.incarnation) : incarnation,
    ...(isSameStart && { claim: earlier.claim ?? before.version }),
    ...(ended.length > 0 && { ended }),
  };
}

function endedBy({ instance, incarnation }: EndedInstance, end: 'left' | 'removed'): EndedInstance {
  return { instance, incarnation, end };
}
