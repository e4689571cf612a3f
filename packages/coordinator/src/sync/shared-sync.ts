/**
 * Carries shared records between this coordinator, its own file and the store of all coordinators.
 *
 * ```
 *   commands ──▶ SharedRegistry ◀──── exchange each 200 ms: what has changed, who else runs ────▶ store
 *                  │      └──────────── write of own changes, whole comparison each 5 s ────────▶   │
 *                  └─▶ own file                                                                 other coordinators
 * ```
 *
 * While the store does not answer, the cluster continues with what this coordinator holds. New requests are in the own file until then,
 * and goes to the store when it answers again.
 */
import {
  type Announcement,
  type Exchanged,
  type Instants,
  LAYOUT,
  type MergeResult,
  Peers,
  type Point,
  type Remaining,
  recordKey,
  SharedKinds,
  type SharedPart,
  type SharedRecord,
  SharedRegistry,
  type SharedStore,
  type Store,
  type StoredVersions,
  type Version,
} from '@rollcall/core';
import { type AppliedResource, type CoordinatorResource, printable, type SharingResource } from '@rollcall/protocol';
import type { Logger } from 'pino';
import type { Cluster } from '../cluster.ts';
import { randomClusterId } from '../cluster-id.ts';
import { SharedFile } from './shared-file.ts';

export interface SharedSyncOptions {
  readonly store: SharedStore;
  /** Keeps the records over a restart. Closed with the sync. */
  readonly file: Store;
  readonly cluster: Cluster;
  /** Random id of this coordinator. */
  readonly coordinator: string;
  /** For people. */
  readonly name: string;
  readonly release: string;
  /** Address at which agents reach this coordinator, as `parseAnnouncedUrl` accepts it. */
  readonly url?: string | undefined;
  /** Called with all coordinators after each exchange, and when one was forgotten. */
  readonly onCoordinators?: (coordinators: readonly CoordinatorResource[]) => void;
  readonly logger: Logger;
  /** The cluster id in the state directory; absent: the store decides. */
  readonly clusterId?: string | undefined;
  /** Called when the store has answered with the cluster id. */
  readonly onClusterId: (id: string) => Promise<void>;
  /**
   * A store of another cluster, and a name in use, end the start. Default false: nothing is shared, and the coordinator serves. A restart
   * must not end a service that runs. A later layout of the own cluster never ends the start: the coordinator serves what its file has.
   */
  readonly refusesStart?: boolean;
}

/** Interval of exchanges, milliseconds: the longest time until another coordinator learns of a request. */
const EXCHANGE_MS = 200;
/** Minimum interval between two exchanges, milliseconds. */
const MIN_EXCHANGE_MS = 20;
/** Interval while an operator waits for the other coordinators, milliseconds. */
const WAITED_EXCHANGE_MS = 50;
/** Interval of whole comparisons, milliseconds. */
const WHOLE_MS = 5_000;
/** Interval in which remaining times are written again, milliseconds. */
const REFRESH_MS = 60_000;
/** Interval in which expired records are forgotten, milliseconds. */
const EXPIRY_MS = 1_000;
/** Time that a start waits for the store, milliseconds. */
const START_MS = 2_000;
/** A coordinator of the same name must show a second count within this time, milliseconds. */
const NAME_CHECK_MS = 1_000;
/** Time in which others are expected to announce themselves to a store that was emptied, milliseconds: longer than a peer takes to be down. */
const EXPECTED_MS = 10_000;
/** A coordinator that has not compared for longer may hold what others have deleted, milliseconds. */
const MAX_AWAY_MS = 86_400_000;
/** Records in one write or read. */
const BATCH = 1_000;

/** The shared records of one kind, for the part that it belongs to. Changes are in force here at once, elsewhere with the next exchange. */
export interface Sharing {
  /** Key of the record of this name, for `applied`. */
  key(name: string): string;
  /** The record as it stands, also a deletion. */
  get(name: string): SharedRecord | undefined;
  /** Returns whether the value is short enough to be shared. */
  put(name: string, value: unknown, remaining?: Remaining): boolean;
  /** `isPermanent`: the deletion does not expire. */
  delete(name: string, isPermanent?: boolean): void;
}

interface Waiter {
  readonly keys: readonly string[];
  /** Place in the store from which on the records are there; `undefined` before the write. */
  at: Point | undefined;
  readonly resolve: () => void;
}

export class SharedSync {
  readonly #options: SharedSyncOptions;
  readonly #shared: SharedRegistry;
  readonly #kinds: SharedKinds;
  readonly #file: SharedFile;
  readonly #peers = new Peers();
  /** Keys of records that the store may not have. */
  readonly #toWrite = new Set<string>();
  readonly #toFile = new Set<string>();
  readonly #waiters = new Set<Waiter>();
  #announced: readonly Announcement[] = [];
  /** Coordinators that an emptied store had, until they announce themselves again. */
  #expected: readonly Announcement[] = [];
  #expectedUntilMs = 0;
  #clusterId: string | undefined;
  /** Proposed to a store without a cluster id. */
  readonly #ownClusterId: string;
  #counter = 0;
  #seen: Point = { epoch: '', change: 0 };
  /** Place of the last write. */
  #written: Point = { epoch: '', change: 0 };
  /** Clock of the store at the last exchange. */
  #storeUnixMs: number | undefined;
  #isStoreNew = false;
  #nextWholeMs = 0;
  #nextRefreshMs = 0;
  #nextExpiryMs = 0;
  #unreadable = new Set<string>();
  #leftOut = new Set<string>();
  readonly #skipped: SkippedLog;
  #problem: string | undefined;
  #refusal: string | undefined;
  #fileProblem: string | undefined;
  #saving: Promise<void> = Promise.resolve();
  #sinceUnixMs: number;
  readonly #outages: OutageLog;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #lastPassMs = Number.NEGATIVE_INFINITY;
  #pass: Promise<void> | undefined;
  #isStarted = false;
  #isClosing = false;
  #stopListening: () => void = () => {};

  constructor(options: SharedSyncOptions) {
    this.#options = options;
    const { cluster, coordinator, name, file, clusterId, logger } = options;
    this.#clusterId = clusterId;
    this.#ownClusterId = clusterId ?? randomClusterId();
    this.#outages = new OutageLog(logger);
    this.#skipped = new SkippedLog(logger);
    this.#file = new SharedFile(file);
    this.#shared = new SharedRegistry({
      registry: cluster.registry,
      coordinator,
      name,
      apply: (command) => cluster.apply(command),
    });
    this.#kinds = new SharedKinds(this.#shared.replica);
    this.#sinceUnixMs = this.#now().nowUnixMs;
  }

  /** Shares the records of one kind for another part than the registry. Call it before `start`. */
  share(kind: string, part: SharedPart): Sharing {
    const records = this.#kinds.add(kind, part);
    const changed = (): void => {
      // The start runs the first pass.
      if (this.#collect() && this.#isStarted) this.#passSoon(MIN_EXCHANGE_MS);
    };
    return {
      key: (name) => records.key(name),
      get: (name) => records.get(name, this.#now().nowMs),
      put: (name, value, remaining = {}) => {
        const isShort = records.put(name, value, remaining, this.#now());
        changed();
        return isShort;
      },
      delete: (name, isPermanent) => {
        records.delete(name, this.#now(), isPermanent);
        changed();
      },
    };
  }

  get status(): SharingResource {
    return {
      kind: this.#options.store.kind,
      ...(this.#options.store.cluster !== undefined && { cluster: this.#options.store.cluster }),
      isReachable: this.#problem === undefined,
      sinceUnixMs: Math.floor(this.#sinceUnixMs),
      ...(this.#problem !== undefined && { lastError: this.#problem }),
      ...(this.#refusal !== undefined && { refusal: this.#refusal }),
      waiting: this.#toWrite.size,
      unreadable: this.#unreadable.size,
      leftOut: this.#leftOut.size,
      coordinators: this.#coordinators(),
    };
  }

  /** Whether the other coordinators get what is requested here. */
  get isSharing(): boolean {
    return this.#problem === undefined && this.#refusal === undefined;
  }

  /** Cluster id of the store; `undefined` while it is not known. */
  get clusterId(): string | undefined {
    return this.#clusterId;
  }

  /**
   * Asks the store which cluster it belongs to, before the registry is restored. Waits at most two seconds. Rejects with a store of another
   * cluster and with a name in use, if the start may be refused.
   */
  async introduce(): Promise<void> {
    const { refusesStart = false } = this.#options;
    const untilMs = performance.now() + START_MS;
    let first: Exchanged | undefined;
    do first = await this.#exchange().catch((error: unknown) => this.#failed(error));
    while (first === undefined && performance.now() < untilMs && (await pause(MIN_EXCHANGE_MS)));
    if (!refusesStart) return;
    if (first?.type === 'exchanged') await this.#checkName(first);
    // Only the layout differs: a later release has written it, and a machine that restarts has sessions to serve.
    const isOwnCluster = first?.type === 'refused' && first.clusterId === this.#clusterId;
    if (this.#refusal !== undefined && !isOwnCluster) throw new Error(this.#refusal);
  }

  /** Puts in force what the own file and the store have, and begins to share. Call it after the registry is restored. */
  async start(): Promise<void> {
    const { cluster, logger } = this.#options;
    const { records, lastSyncUnixMs } = await this.#file.load(this.#now()).catch((error: unknown) => {
      logger.error(`the file of shared records cannot be read: ${textOf(error)}; the store fills it again`);
      return { records: [], lastSyncUnixMs: undefined };
    });
    await this.#importEarlier();
    const storeUnixMs = this.#storeUnixMs;
    const isOutdated =
      lastSyncUnixMs !== undefined && storeUnixMs !== undefined && storeUnixMs - lastSyncUnixMs > MAX_AWAY_MS;
    if (isOutdated && !this.#isStoreNew) {
      logger.warn(
        'this coordinator had no contact with the store for more than a day: requests of operators are taken from the store',
      );
      const [kept, dropped] = [true, false].map((isKept) =>
        records.filter((record) => this.#kinds.isKept(record) === isKept),
      ) as [SharedRecord[], SharedRecord[]];
      await this.#file.remove(dropped.map(({ key }) => key)).catch(() => undefined);
      this.#shared.startOutdated();
      this.#skip(this.#shared.merge(kept, this.#now()));
    } else this.#skip(this.#shared.start(records, this.#now()));
    this.#kinds.take(
      records.map(({ key }) => key),
      this.#now(),
    );
    this.#collect();
    this.#stopListening = cluster.onCommand((events) => {
      this.#shared.follow(events, this.#now());
      if (this.#collect()) this.#passSoon(MIN_EXCHANGE_MS);
    });
    await this.#run();
    this.#isStarted = true;
    this.#passSoon(EXCHANGE_MS);
  }

  /** Takes what release 0.1.0 has left in the store, once for all coordinators. */
  async #importEarlier(): Promise<void> {
    const { store, cluster, logger } = this.#options;
    if (!this.isSharing || this.#clusterId === undefined) return;
    try {
      const records = await store.readEarlier?.();
      if (records === undefined) return;
      const own = records.filter(({ key }) => key !== recordKey.cluster);
      const { nowUnixMs } = this.#now();
      const restored = cluster.apply({ type: 'restore', records: own, nowUnixMs });
      if ('type' in restored) throw new Error(restored.message);
      if (own.length > 0) logger.info({ records: own.length }, 'took the records of release 0.1.0 from the store');
      await store.markImported?.(this.#clusterId);
    } catch (error) {
      logger.error(`the records of release 0.1.0 were not taken from the store: ${textOf(error)}`);
    }
  }

  /**
   * Where the records of these keys are in force. Resolves when all running coordinators have them, or after `withinMs`, or while nothing can
   * be shared when the own file has them.
   */
  async applied(keys: readonly string[], withinMs: number): Promise<AppliedResource> {
    await this.#saveFile();
    if (this.#problem !== undefined || this.#refusal !== undefined) return this.#result(undefined);
    let timer: NodeJS.Timeout | undefined;
    let waiter: Waiter | undefined;
    await new Promise<void>((resolve) => {
      waiter = { keys, at: undefined, resolve };
      this.#waiters.add(waiter);
      timer = setTimeout(resolve, withinMs);
      this.#passSoon(MIN_EXCHANGE_MS);
    });
    clearTimeout(timer);
    this.#waiters.delete(waiter!);
    return this.#result(waiter!.at);
  }

  /** The same for all changes until now. */
  allApplied(withinMs: number): Promise<AppliedResource> {
    return this.applied([...this.#toWrite], withinMs);
  }

  /** Forgets another coordinator, which is down: nothing waits for it any more. Rejects while the store does not answer. */
  async forget(id: string): Promise<void> {
    await this.#options.store.withdraw(id, this.#clusterId ?? this.#ownClusterId);
    this.#expected = this.#expected.filter(({ coordinator }) => coordinator !== id);
    this.#announced = this.#announced.filter(({ coordinator }) => coordinator !== id);
    this.#options.onCoordinators?.(this.#coordinators());
    this.#judgeDrains();
  }

  /**
   * Withdraws the announcement of this coordinator, unless it is lost, writes what remains with one attempt, and closes store and file.
   */
  async close({ isLost = false }: { readonly isLost?: boolean } = {}): Promise<void> {
    this.#isClosing = true;
    this.#stopListening();
    clearTimeout(this.#timer);
    await this.#pass;
    for (const waiter of this.#waiters) waiter.resolve();
    const { store, coordinator } = this.#options;
    if (this.#problem === undefined && this.#refusal === undefined && this.#clusterId !== undefined) {
      await this.#writeChanged().catch(() => undefined);
      if (!isLost) await store.withdraw(coordinator, this.#clusterId).catch(() => undefined);
    }
    await this.#saveFile();
    await store.close();
    await this.#file.close().catch(() => undefined);
  }

  /** Runs a pass `waitMs` after the last one, or earlier if one is due earlier. */
  #passSoon(waitMs: number): void {
    const dueMs = this.#lastPassMs + waitMs;
    if (this.#isClosing || dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    if (this.#pass === undefined) this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#pass = this.#run().then(() => {
          this.#pass = undefined;
          if (this.#isClosing) return;
          this.#dueMs = Math.min(this.#dueMs, this.#lastPassMs + this.#intervalMs());
          this.#schedule();
        });
      },
      Math.max(0, this.#dueMs - performance.now()),
    );
  }

  #intervalMs(): number {
    if (!this.isSharing) return EXCHANGE_MS;
    if (this.#toWrite.size > 0) return MIN_EXCHANGE_MS;
    return this.#waiters.size > 0 ? WAITED_EXCHANGE_MS : EXCHANGE_MS;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#lastPassMs = performance.now();
    this.#dueMs = Number.POSITIVE_INFINITY;
    const expired = this.#expire();
    this.#kinds.take(expired.keys(), this.#now());
    this.#collect();
    await this.#saveFile();
    try {
      const answer = await this.#exchange();
      if (answer.type === 'exchanged') {
        await this.#take(answer);
        await this.#writeChanged();
        if (expired.size > 0) await this.#options.store.forget(expired, answer.clusterId);
      }
      this.#succeeded();
      if (answer.type === 'exchanged') this.#options.onCoordinators?.(this.#coordinators());
    } catch (error) {
      this.#failed(error);
    }
    await this.#file.remove([...expired.keys()]).catch(() => undefined);
    this.#resolveWaiters();
    this.#judgeDrains();
  }

  /** Until another coordinator has what was requested here, and while it is down, its use of nodes is unknown. */
  #judgeDrains(): void {
    const { cluster } = this.#options;
    if (!cluster.registry.isDraining) return;
    const running = this.#running();
    const isCurrent = (one: Announcement): boolean =>
      this.isSharing && this.#toWrite.size === 0 && running.includes(one) && hasSeen(one, this.#latest());
    cluster.apply({
      type: 'use-elsewhere',
      coordinators: this.#announced.map((one) => ({ name: one.name, use: isCurrent(one) ? one.use : undefined })),
    });
  }

  /** The later one of the last own write and of the last change that is in force here. */
  #latest(): Point {
    const isWriteLater = this.#written.epoch === this.#seen.epoch && this.#written.change > this.#seen.change;
    return isWriteLater ? this.#written : this.#seen;
  }

  #expire(): ReadonlyMap<string, Version> {
    const now = this.#now();
    if (now.nowMs < this.#nextExpiryMs) return new Map();
    this.#nextExpiryMs = now.nowMs + EXPIRY_MS;
    return this.#shared.expire(now);
  }

  async #exchange(): Promise<Exchanged> {
    const { store, coordinator, name, release, url } = this.#options;
    this.#counter += 1;
    const answer = await store.exchange(
      {
        coordinator,
        name,
        release,
        ...(url !== undefined && { url }),
        layout: LAYOUT,
        counter: this.#counter,
        seen: this.#seen,
        use: this.#options.cluster.registry.drainUse(),
      },
      this.#clusterId ?? this.#ownClusterId,
    );
    if (answer.type === 'refused' && answer.layout === LAYOUT && this.#clusterId === undefined) {
      await this.#learnClusterId(answer.clusterId);
      return this.#exchange();
    }
    if (answer.type === 'refused') this.#refuse(this.#refusalText(answer));
    else {
      if (this.#clusterId === undefined) await this.#learnClusterId(answer.clusterId);
      this.#storeUnixMs = answer.nowUnixMs;
      this.#isStoreNew = answer.isNew;
      this.#refuse(undefined);
    }
    return answer;
  }

  async #learnClusterId(id: string): Promise<void> {
    const { cluster, onClusterId } = this.#options;
    this.#clusterId = id;
    cluster.apply({ type: 'restore', records: [], nowUnixMs: this.#now().nowUnixMs, clusterId: id });
    await onClusterId(id);
  }

  async #take(answer: Extract<Exchanged, { type: 'exchanged' }>): Promise<void> {
    const { coordinator } = this.#options;
    const { nowMs } = this.#now();
    if (answer.at.epoch !== this.#seen.epoch) {
      this.#expected = this.#announced;
      this.#expectedUntilMs = nowMs + EXPECTED_MS;
    }
    const present = answer.coordinators.filter((one) => one.coordinator !== coordinator);
    const ids = new Set(present.map((one) => one.coordinator));
    this.#expected = nowMs >= this.#expectedUntilMs ? [] : this.#expected.filter((one) => !ids.has(one.coordinator));
    // An emptied store names no other coordinator yet. What is requested now is pending there.
    const others = [...present, ...this.#expected];
    this.#announced = others;
    const { down, back } = this.#peers.read(new Map(others.map((one) => [one.coordinator, one.counter])), nowMs);
    this.#tellPeers(down, 'is down: it no longer writes to the shared memory. Drains wait for its workers');
    this.#tellPeers(back, 'runs again');
    this.#shared.setRunning(new Map(this.#running().map((one) => [one.coordinator, one.name])), this.#now());
    this.#collect();
    if (answer.changed === undefined || nowMs >= this.#nextWholeMs) await this.#compareAll(answer);
    else if (answer.changed.length > 0) await this.#read(answer.changed);
    if (!isSamePoint(this.#seen, answer.at)) {
      this.#seen = answer.at;
      // The others wait for it.
      this.#passSoon(MIN_EXCHANGE_MS);
    }
    if (nowMs >= this.#nextRefreshMs) await this.#refresh(answer.nowUnixMs);
  }

  /** Takes what the store has in a higher version, and writes what it lacks. */
  async #compareAll(answer: { readonly nowUnixMs: number }): Promise<void> {
    const { store } = this.#options;
    const versions = await store.versions();
    const { keys, leftOut } = this.#shared.replica.lower(versions, this.#now().nowMs);
    this.#unreadable = new Set();
    this.#leftOut = new Set();
    this.#skip({ leftOut });
    await this.#read(keys, versions);
    for (const { key } of this.#shared.replica.missing(versions, this.#now())) this.#toWrite.add(key);
    if (this.#nextWholeMs === 0) await this.#file.writeLastSync(answer.nowUnixMs).catch(() => undefined);
    this.#nextWholeMs = this.#now().nowMs + WHOLE_MS;
  }

  /** `versions`: of all records of the store, if `keys` are the result of a whole comparison. */
  async #read(keys: readonly string[], versions?: StoredVersions): Promise<void> {
    for (const some of batches(keys)) {
      const { records, unreadable } = await this.#options.store.read(some);
      for (const { key } of records) this.#toFile.add(key);
      const merged = this.#shared.merge(records, this.#now());
      this.#kinds.take(merged.changed, this.#now());
      this.#skip({ unreadable: [...unreadable, ...merged.unreadable], leftOut: merged.leftOut }, versions);
      this.#collect();
    }
    if (versions) {
      this.#shared.merge([], this.#now(), true);
      this.#kinds.complete();
      this.#collect();
    }
  }

  /**
   * Counts and names records that were not taken. One that cannot be read is replaced if this coordinator holds the key, under a version that
   * is higher than the one in `stored`.
   */
  #skip(
    { unreadable = [], leftOut = [] }: Partial<Pick<MergeResult, 'unreadable' | 'leftOut'>>,
    stored?: StoredVersions,
  ): void {
    const lost = unreadable.filter((key) => !this.#shared.replica.renew(key, this.#now(), stored?.get(key)));
    for (const key of lost) this.#unreadable.add(key);
    for (const key of leftOut) this.#leftOut.add(key);
    this.#skipped.name('cannot be read and are skipped', lost);
    this.#skipped.name('are left out, because this coordinator holds as many as it may', leftOut);
  }

  async #refresh(storeUnixMs: number): Promise<void> {
    const now = this.#now();
    this.#nextRefreshMs = now.nowMs + REFRESH_MS;
    const timed = this.#shared.replica.timed(now.nowMs);
    for (const some of batches(timed)) await this.#options.store.write(some, this.#clusterId!, true);
    await this.#file.writeLastSync(storeUnixMs).catch(() => undefined);
    await this.#file.write(timed, now).catch(() => undefined);
  }

  async #writeChanged(): Promise<void> {
    const { nowMs } = this.#now();
    for (const keys of batches([...this.#toWrite])) {
      const records = keys.flatMap((key) => this.#shared.replica.get(key, nowMs) ?? []);
      for (const key of keys) this.#toWrite.delete(key);
      try {
        if (records.length > 0) this.#written = (await this.#options.store.write(records, this.#clusterId!)).at;
      } catch (error) {
        for (const key of keys) this.#toWrite.add(key);
        throw error;
      }
    }
    const at = this.#latest();
    for (const waiter of this.#waiters) if (waiter.keys.every((key) => !this.#toWrite.has(key))) waiter.at ??= at;
  }

  /** Moves the changes of the replica to the two lists. Returns whether there are any. */
  #collect(): boolean {
    const changed = this.#shared.replica.takeChanged(this.#now().nowMs);
    for (const { key } of changed) {
      this.#toWrite.add(key);
      this.#toFile.add(key);
    }
    return changed.length > 0;
  }

  /** Resolves when the file has what was changed before the call, or cannot be written. */
  #saveFile(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#saveChanged());
    return this.#saving;
  }

  async #saveChanged(): Promise<void> {
    if (this.#toFile.size === 0) return;
    const now = this.#now();
    const keys = [...this.#toFile];
    this.#toFile.clear();
    try {
      await this.#file.write(
        keys.flatMap((key) => this.#shared.replica.get(key, now.nowMs) ?? []),
        now,
      );
      this.#fileProblem = undefined;
    } catch (error) {
      for (const key of keys) this.#toFile.add(key);
      const problem = textOf(error);
      if (problem !== this.#fileProblem)
        this.#options.logger.error(`the file of shared records cannot be written: ${problem}`);
      this.#fileProblem = problem;
    }
  }

  #resolveWaiters(): void {
    for (const waiter of this.#waiters) {
      const { at } = waiter;
      const isEnded = !this.isSharing || (at !== undefined && this.#running().every((one) => hasSeen(one, at)));
      if (isEnded) waiter.resolve();
    }
  }

  #running(): Announcement[] {
    return this.#announced.filter(({ coordinator }) => this.#peers.downAtMs(coordinator) === undefined);
  }

  #result(at: Point | undefined): AppliedResource {
    const { name } = this.#options;
    const running = this.#running();
    const names = (some: readonly Announcement[]): string[] => some.map((one) => one.name);
    const isApplied = (one: Announcement): boolean => this.isSharing && at !== undefined && hasSeen(one, at);
    return {
      applied: [name, ...names(running.filter(isApplied))],
      pending: names(running.filter((one) => !isApplied(one))),
      absent: names(this.#announced.filter((one) => !running.includes(one))),
    };
  }

  #coordinators(): CoordinatorResource[] {
    const { coordinator, name, release, url } = this.#options;
    const judged = (id: string): CoordinatorResource['liveness'] => {
      if (!this.isSharing) return 'unknown';
      return this.#peers.downAtMs(id) === undefined ? 'running' : 'down';
    };
    const addressOf = (address: string | undefined): { url?: string } =>
      address === undefined ? {} : { url: address };
    const own = { id: coordinator, name, release, ...addressOf(url), isOwn: true, liveness: 'running' } as const;
    const others = this.#announced.map((one) => ({
      id: one.coordinator,
      name: one.name,
      release: one.release,
      ...addressOf(one.url),
      isOwn: false,
      liveness: judged(one.coordinator),
    }));
    return [own, ...others.sort((one, other) => (one.name < other.name ? -1 : 1))];
  }

  #tellPeers(ids: readonly string[], what: string): void {
    for (const id of ids) {
      const { name } = this.#announced.find((one) => one.coordinator === id) ?? { name: id };
      this.#options.logger.warn({ coordinator: id }, `coordinator ${name} ${what}`);
    }
  }

  /** Two running coordinators of one name could not be distinguished by people. */
  async #checkName(first: Extract<Exchanged, { type: 'exchanged' }>): Promise<void> {
    const { name, coordinator, store } = this.#options;
    const rivals = first.coordinators.filter((one) => one.name === name && one.coordinator !== coordinator);
    const untilMs = performance.now() + (rivals.length > 0 ? NAME_CHECK_MS : 0);
    while (performance.now() < untilMs && (await pause(EXCHANGE_MS / 2))) {
      const next = await this.#exchange().catch(() => undefined);
      if (next?.type !== 'exchanged') return;
      const counts = new Map(next.coordinators.map((one) => [one.coordinator, one.counter]));
      if (!rivals.some((one) => (counts.get(one.coordinator) ?? one.counter) !== one.counter)) continue;
      await store.withdraw(coordinator, this.#clusterId!).catch(() => undefined);
      throw new Error(`another coordinator of this cluster runs under the name ${name}: give this one another --name`);
    }
  }

  #refusalText({ clusterId, layout }: Extract<Exchanged, { type: 'refused' }>): string {
    if (layout === undefined)
      return `the store has the cluster id ${printable(clusterId, 64)} and no layout, which no coordinator has written: give another --cluster name, or delete the keys of this one so that the coordinators fill the store again`;
    if (layout !== LAYOUT)
      return `the store has records of layout ${layout}, and this release writes layout ${LAYOUT}: use one release for all coordinators, or another --cluster name`;
    return `the store belongs to cluster ${clusterId}, and the state directory of this coordinator to cluster ${this.#clusterId}: give the right --store, another --cluster name, or remove the file cluster-id from the state directory to join`;
  }

  #refuse(refusal: string | undefined): void {
    if (refusal === this.#refusal) return;
    this.#refusal = refusal;
    if (refusal === undefined) this.#options.logger.info('the store is shared again');
    else this.#options.logger.error(`nothing is shared: ${refusal}`);
  }

  #succeeded(): void {
    this.#outages.answered(performance.now());
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#sinceUnixMs = this.#now().nowUnixMs;
  }

  #failed(error: unknown): undefined {
    const message = textOf(error);
    // What was written before the outage may be lost.
    this.#nextWholeMs = 0;
    if (this.#problem === undefined) this.#sinceUnixMs = this.#now().nowUnixMs;
    this.#problem = message;
    this.#outages.failed(message, performance.now());
    return undefined;
  }

  #now(): Instants {
    const { clocks } = this.#options.cluster;
    return { nowMs: clocks.nowMs(), nowUnixMs: clocks.nowUnixMs() };
  }
}

/** Greatest number of keys that one line of the log names. */
const MAX_NAMED = 5;
/** Greatest number of keys that are remembered as named. */
const MAX_REMEMBERED = 10_000;

/** Logs the keys of records that were not taken, each once. */
class SkippedLog {
  readonly #logger: Logger;
  readonly #named = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  name(what: string, keys: readonly string[]): void {
    const fresh = keys.filter((key) => !this.#named.has(key));
    if (fresh.length === 0 || this.#named.size >= MAX_REMEMBERED) return;
    for (const key of fresh) this.#named.add(key);
    const names = fresh.slice(0, MAX_NAMED).map((key) => printable(key, 128));
    const more = fresh.length > MAX_NAMED ? `, and ${fresh.length - MAX_NAMED} more` : '';
    this.#logger.warn(`${fresh.length} shared records ${what}: ${names.join(', ')}${more}`);
  }
}

/** Time in which the store must answer before the end of an outage is logged, milliseconds. */
const STABLE_MS = 2_000;

/** Logs an outage once, also if the store answers from time to time. */
class OutageLog {
  readonly #logger: Logger;
  #isLogged = false;
  #failedAtMs = Number.NEGATIVE_INFINITY;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  failed(message: string, nowMs: number): void {
    this.#failedAtMs = nowMs;
    if (this.#isLogged) return;
    this.#isLogged = true;
    this.#logger.error(
      `the store of all coordinators does not answer: ${message}; this coordinator continues with what it holds`,
    );
  }

  answered(nowMs: number): void {
    if (!this.#isLogged || nowMs - this.#failedAtMs < STABLE_MS) return;
    this.#isLogged = false;
    this.#logger.info('the store of all coordinators answers again');
  }
}

function hasSeen({ seen }: Announcement, at: Point): boolean {
  return seen.epoch === at.epoch && seen.change >= at.change;
}

function isSamePoint(one: Point, other: Point): boolean {
  return one.epoch === other.epoch && one.change === other.change;
}

function* batches<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += BATCH) yield items.slice(start, start + BATCH);
}

function pause(ms: number): Promise<true> {
  return new Promise((resolve) => setTimeout(resolve, ms, true));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
