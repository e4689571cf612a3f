/**
 * What must hold for two and three coordinators with a store between them, in any order. Writes are lost or late, the store is wiped,
 * coordinators restart, and wall clocks are wrong. A seed that fails is printed: `REPLICA_SEED=N` runs it alone, `REPLICA_SEEDS=N` sets their
 * number.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rng } from '../rng.ts';
import { seededRng } from '../seeded-rng.ts';
import { type EndedInstance, endedOf } from './node-merge.ts';
import { Replica } from './replica.ts';
import { isDeletion, type SharedRecord } from './shared-record.ts';
import { compareVersions, NO_VERSION, type Version } from './version.ts';

const SEEDS = Number(process.env['REPLICA_SEEDS'] ?? 200);
const STEPS = 200;
const HOUR_MS = 3_600_000;
const KEYS = ['override/a', 'override/b', 'balancer/shop', 'node/a', 'node/b', 'token/t1', 'token/t2'];

interface NodeValue extends EndedInstance {
  readonly claim: Version;
  readonly ended: readonly EndedInstance[];
}

/** The shared store: a compare-and-set of versions, whose remaining times do not fall by themselves. */
class TestStore {
  readonly records = new Map<string, SharedRecord>();

  write(records: readonly SharedRecord[]): void {
    for (const record of records) {
      const stored = this.records.get(record.key);
      if (stored === undefined || compareVersions(record.version, stored.version) > 0)
        this.records.set(record.key, record);
      else if (compareVersions(record.version, stored.version) === 0)
        this.records.set(record.key, { ...stored, remaining: shorter(stored.remaining, record.remaining) });
    }
  }

  versions(): Map<string, Version> {
    return new Map([...this.records].map(([key, { version }]) => [key, version]));
  }
}

function shorter(one: SharedRecord['remaining'], other: SharedRecord['remaining']): SharedRecord['remaining'] {
  const times = { ...one };
  for (const [timer, ms] of Object.entries(other)) {
    const name = timer as keyof typeof times;
    times[name] = Math.min(times[name] ?? ms, ms);
  }
  return times;
}

class Coordinator {
  readonly id: string;
  replica: Replica;
  /** Difference of its wall clock to the true time. */
  clockErrorMs: number;
  /** What its own file has. */
  readonly file = new TestStore();
  isConnected = true;
  /** Tokens that it knows as revoked. */
  readonly revoked = new Set<string>();
  /** Instances of nodes that it knows to have left. */
  readonly over = new Set<string>();

  constructor(number: number, clockErrorMs: number) {
    this.id = `c${number}`;
    this.replica = new Replica(this.id);
    this.clockErrorMs = clockErrorMs;
  }
}

class Run {
  readonly coordinators: Coordinator[];
  readonly store = new TestStore();
  /** Reads of the store that arrive later, perhaps twice. */
  readonly delayed: { readonly to: number; readonly records: readonly SharedRecord[] }[] = [];
  readonly counts = { wipes: 0, conflicts: 0, restarts: 0, lostWrites: 0, revocations: 0 };
  nowMs = 1_000_000;
  #instances = 0;
  readonly #random: Rng;

  constructor(seed: number) {
    this.#random = seededRng(seed);
    const errors = [0, HOUR_MS, -HOUR_MS];
    this.coordinators = Array.from(
      { length: 2 + this.#below(2) },
      (_, i) => new Coordinator(i, errors[this.#below(3)] ?? 0),
    );
  }

  step(): void {
    const at = this.#one(this.coordinators);
    switch (this.#below(12)) {
      case 0:
      case 1:
      case 2:
        this.#write(at);
        break;
      case 3:
        this.#delete(at);
        break;
      case 4:
      case 5:
      case 6:
        this.sync(at);
        break;
      case 7:
        this.nowMs += this.#below(120_000);
        break;
      case 8:
        at.isConnected = !at.isConnected;
        break;
      case 9:
        if (this.#below(4) === 0) {
          this.store.records.clear();
          this.counts.wipes += 1;
        }
        break;
      case 10:
        this.#restart(at);
        break;
      case 11:
        this.#deliver();
        break;
    }
    this.#check(at);
  }

  #write(at: Coordinator): void {
    const key = this.#one(KEYS);
    const held = at.replica.get(key, this.nowMs);
    if (key.startsWith('token/')) {
      // An id is made once, by one coordinator: rotation makes a new id.
      const isMine = held === undefined ? !this.#isTokenMade(key) : !isDeletion(held);
      if (isMine) at.replica.put(key, { digests: this.#below(5), ...this.#replaced(held) }, {}, this.#instants(at));
      return;
    }
    const remaining = this.#below(2) === 0 ? {} : { deadline: this.#below(300_000), until: this.#below(600_000) };
    if (!key.startsWith('node/')) {
      at.replica.put(key, { number: this.#below(5) }, remaining, this.#instants(at));
      return;
    }
    const before = held === undefined || isDeletion(held) ? undefined : (held.value as NodeValue);
    if (before !== undefined && this.#below(3) > 0) {
      const { instance, incarnation } = before;
      const isLeaving = this.#below(4) === 0;
      const ended = isLeaving ? endedOf([...before.ended, { instance, incarnation }]) : before.ended;
      at.replica.put(key, { ...before, ended, note: this.#below(5) }, {}, this.#instants(at));
      return;
    }
    // A silent process may be replaced by one with a lower incarnation, whose clock was set back. Otherwise it is a conflict.
    const isReplaced = before !== undefined && this.#below(2) === 0;
    const ended = isReplaced ? endedOf([...before.ended, before]) : (before?.ended ?? []);
    const start = { instance: `i${this.#instances++}`, incarnation: 1 + this.#below(3), claim: NO_VERSION, ended };
    const claim = at.replica.put(key, start, {}, this.#instants(at));
    at.replica.put(key, { ...start, claim }, {}, this.#instants(at));
  }

  /** A replaced token is not changed any more. */
  #replaced(held: SharedRecord | undefined): object {
    const isReplaced = (held?.value as { replacedBy?: string } | undefined)?.replacedBy !== undefined;
    return isReplaced || this.#below(6) === 0 ? { replacedBy: 'x' } : {};
  }

  #isTokenMade(key: string): boolean {
    return this.coordinators.some(
      ({ replica, file, revoked }) =>
        revoked.has(key) || replica.get(key, this.nowMs) !== undefined || file.records.has(key),
    );
  }

  #delete(at: Coordinator): void {
    // A node is never deleted: it has left, and its record expires.
    const key = this.#one(KEYS.filter((each) => !each.startsWith('node/')));
    const isToken = key.startsWith('token/');
    if (isToken && at.replica.get(key, this.nowMs) === undefined) return;
    at.replica.delete(key, this.#instants(at), isToken);
    if (isToken) {
      at.revoked.add(key);
      this.counts.revocations += 1;
    }
  }

  /** A full sync in both directions. A write may be lost, and what is read may arrive late, or twice. */
  sync(at: Coordinator, isReliable = false): void {
    if (!at.isConnected) return;
    const read = [...this.store.records.values()];
    if (!isReliable && this.#below(4) === 0) this.delayed.push({ to: this.coordinators.indexOf(at), records: read });
    else this.#merge(at, read);
    const write = at.replica.missing(this.store.versions(), this.#instants(at));
    if (!isReliable && this.#below(5) === 0) this.counts.lostWrites += 1;
    else this.store.write([...write, ...at.replica.timed(this.nowMs)]);
  }

  #deliver(): void {
    const { delayed } = this;
    if (delayed.length === 0) return;
    const place = this.#below(delayed.length);
    const { to, records } = delayed[place]!;
    if (this.#below(3) > 0) delayed.splice(place, 1);
    this.#merge(this.coordinators[to]!, records);
  }

  #merge(at: Coordinator, records: readonly SharedRecord[]): void {
    const before = new Map(at.replica.all(this.nowMs).map((record) => [record.key, record]));
    const { lost } = at.replica.merge(records, this.#instants(at));
    this.counts.conflicts += lost.length;
    for (const { key, value } of records) if (key.startsWith('token/') && value === null) at.revoked.add(key);
    for (const after of at.replica.all(this.nowMs)) {
      const earlier = before.get(after.key);
      if (earlier === undefined || compareVersions(earlier.version, after.version) !== 0) continue;
      for (const [timer, ms] of Object.entries(after.remaining))
        assert.ok(ms <= earlier.remaining[timer as 'until']!, `${after.key}: time that remains only falls`);
    }
  }

  #restart(at: Coordinator): void {
    at.file.write(at.replica.all(this.nowMs));
    const records = [...at.file.records.values()];
    at.replica = new Replica(at.id);
    at.replica.merge(records, this.#instants(at));
    this.counts.restarts += 1;
  }

  #check(at: Coordinator): void {
    for (const { key, value } of at.replica.all(this.nowMs)) {
      if (!key.startsWith('node/') || value === null) continue;
      const { instance, ended } = value as NodeValue;
      for (const start of ended) at.over.add(start.instance);
      const isOver = ended.some((start) => start.instance === instance);
      assert.ok(isOver || !at.over.has(instance), `${instance} of ${key} has left and is back at ${at.id}`);
    }
    for (const key of at.revoked) {
      const record = at.replica.get(key, this.nowMs);
      assert.ok(record === undefined || isDeletion(record), `${key} is revoked and works at ${at.id}`);
    }
  }

  /** All coordinators reach the store, and nothing is lost or late any more. */
  heal(): void {
    for (const at of this.coordinators) at.isConnected = true;
    this.delayed.length = 0;
    // A sync reads before it writes: what the last one writes is read in the second round.
    for (let round = 0; round < 2; round++) for (const at of this.coordinators) this.sync(at, true);
  }

  /** One line for each record: what a reader at this coordinator would see. */
  view(at: Coordinator): string {
    const lines = at.replica.all(this.nowMs).map((record) => JSON.stringify(record));
    return lines.sort().join('\n');
  }

  #instants({ clockErrorMs }: Coordinator): { nowMs: number; nowUnixMs: number } {
    return { nowMs: this.nowMs, nowUnixMs: 1_790_000_000_000 + this.nowMs + clockErrorMs };
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #one<Value>(values: readonly Value[]): Value {
    return values[this.#below(values.length)]!;
  }
}

void test('coordinators that meet have equal records, and no revoked token works where the revocation is known', () => {
  const total = { wipes: 0, conflicts: 0, restarts: 0, lostWrites: 0, revocations: 0 };
  const only = process.env['REPLICA_SEED'];
  const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, seed) => seed) : [Number(only)];
  for (const seed of seeds) {
    const run = new Run(seed);
    try {
      for (let step = 0; step < STEPS; step++) run.step();
      run.heal();
      const [first, ...others] = run.coordinators;
      for (const other of others) assert.equal(run.view(other), run.view(first!));
    } catch (error) {
      throw new Error(`REPLICA_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
    for (const [name, count] of Object.entries(run.counts)) total[name as keyof typeof total] += count;
  }
  if (only === undefined)
    for (const [name, count] of Object.entries(total)) assert.ok(count >= 100, `${count} ${name}: too few for a proof`);
});
