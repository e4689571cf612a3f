/**
 * Two and three registries with a store between them: what operators request is in force everywhere, whatever is lost, late or wiped.
 * `SHARED_SEED=N` runs one seed, `SHARED_SEEDS=N` sets their number.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBalancerName, parseNodeId } from '@rollcall/protocol';
import type { Command } from '../registry/commands.ts';
import { registerCommand } from '../registry/registration.fixture.ts';
import { Registry } from '../registry/registry.ts';
import type { Rng } from '../rng.ts';
import { seededRng } from '../seeded-rng.ts';
import type { StoredRecord } from '../store/store.ts';
import type { SharedRecord } from './shared-record.ts';
import { FollowedRegistry } from './shared-registry.fixture.ts';
import { compareVersions, type Version } from './version.ts';

const SEEDS = Number(process.env['SHARED_SEEDS'] ?? 100);
const STEPS = 150;
const HOUR_MS = 3_600_000;
const NODES = ['n1', 'n2', 'n3'];
const SHOP = parseBalancerName('shop')!;

class Place {
  readonly id: string;
  readonly clockErrorMs: number;
  shared: FollowedRegistry;
  readonly file = new Map<string, SharedRecord>();
  readonly ownFile = new Map<string, StoredRecord>();
  isConnected = true;

  constructor(number: number, clockErrorMs: number) {
    this.id = `c${number}`;
    this.clockErrorMs = clockErrorMs;
    this.shared = new FollowedRegistry(this.id);
  }
}

const isRequest = ({ key }: { readonly key: string }): boolean => /^(?:override|balancer)\//.test(key);
const requestsOf = (registry: Registry) => registry.allShared().filter(isRequest);

class Run {
  readonly places: Place[];
  readonly store = new Map<string, SharedRecord>();
  readonly late: { readonly to: Place; readonly records: readonly SharedRecord[] }[] = [];
  readonly counts = { requests: 0, wipes: 0, restarts: 0, late: 0, joins: 0 };
  nowMs = 1_000_000;
  #connections = 0;
  readonly #random: Rng;

  constructor(seed: number) {
    this.#random = seededRng(seed);
    this.places = Array.from({ length: 2 + this.#below(2) }, (_, i) => new Place(i, (this.#below(3) - 1) * HOUR_MS));
  }

  step(): void {
    const at = this.#one(this.places);
    switch (this.#below(10)) {
      case 0:
      case 1:
        this.#request(at);
        break;
      case 2:
        this.#register(at, this.#one(NODES));
        break;
      case 3:
        this.#do(at, { type: 'leave', id: parseNodeId(this.#one(NODES))!, connection: this.#connections });
        break;
      case 4:
        this.nowMs += this.#below(60_000);
        for (const place of this.places) this.#do(place, { type: 'tick' });
        break;
      case 5:
        at.isConnected = !at.isConnected;
        break;
      case 6:
        this.#restart(at);
        break;
      case 7:
        if (this.#below(4) === 0) {
          this.store.clear();
          this.counts.wipes += 1;
        }
        break;
      case 8: {
        const [message] = this.late.splice(this.#below(this.late.length), 1);
        if (message === undefined) break;
        message.to.shared.merge(message.records, this.#now(message.to));
        this.counts.late += 1;
        break;
      }
      default:
        this.sync(at);
    }
    this.#save(at);
    this.checkStanding();
  }

  #request(at: Place): void {
    this.counts.requests += 1;
    const target = { type: 'node', id: parseNodeId(this.#one(NODES))! } as const;
    const status = this.#one(['enabled', 'draining', 'stopped'] as const);
    const limits = status === 'enabled' ? {} : { forMs: HOUR_MS * (1 + this.#below(3)) };
    const choice = this.#below(3);
    if (choice === 0) this.#do(at, { type: 'operator-status', target, status, by: at.id, ...limits });
    else if (choice === 1)
      this.#do(at, { type: 'patch-node', id: target.id, weight: this.#one([1, 2, null]), by: at.id });
    else
      this.#do(at, {
        type: 'balancer-settings',
        name: SHOP,
        source: 'operator',
        patch: { retries: this.#below(5) },
        by: at.id,
      });
  }

  #register(at: Place, id: string): void {
    this.counts.joins += 1;
    const url = `http://10.0.0.${id.slice(1)}:80`;
    this.#do(at, registerCommand({ id, url, connection: ++this.#connections, balancer: SHOP }));
  }

  /** A read and a write of the whole store; each may be lost on the way, and a read may come again later. */
  sync(at: Place): void {
    if (!at.isConnected) return;
    const records = [...this.store.values()];
    if (this.#below(6) === 0) this.late.push({ to: at, records });
    else at.shared.merge(records, this.#now(at), true);
    if (this.#below(8) === 0) return;
    const versions = new Map<string, Version>([...this.store].map(([key, { version }]) => [key, version]));
    for (const record of at.shared.replica.missing(versions, this.#now(at))) this.store.set(record.key, record);
  }

  #restart(at: Place): void {
    this.counts.restarts += 1;
    const registry = new Registry({ startedAtMs: this.nowMs, isShared: true });
    registry.apply(
      { type: 'restore', records: [...at.ownFile.values()], nowUnixMs: this.#now(at).nowUnixMs },
      this.nowMs,
    );
    at.shared = new FollowedRegistry(at.id, registry);
    at.shared.start([...at.file.values()], this.#now(at));
  }

  #save(at: Place): void {
    for (const record of at.shared.replica.all(this.nowMs)) at.file.set(record.key, record);
    const { write, remove } = at.shared.registry.takeRecords(this.#now(at).nowUnixMs);
    for (const record of write) at.ownFile.set(record.key, record);
    for (const key of remove) at.ownFile.delete(key);
  }

  /** The replica's records of nodes and balancers that the registry knows are in force. */
  checkStanding(): void {
    for (const { id, shared } of this.places)
      for (const { key, value } of requestsOf(shared.registry)) {
        const held = shared.replica.get(key, this.nowMs);
        if (held !== undefined && held.value !== null)
          assert.deepEqual(value, held.value, `${key} at ${id} is not what its replica has`);
      }
  }

  heal(): void {
    for (const place of this.places) place.isConnected = true;
    for (const id of NODES) for (const place of this.places) this.#register(place, id);
    for (let round = 0; round < 40; round++) for (const place of this.places) this.sync(place);
    const [first, ...others] = this.places.map(({ shared }) => this.#view(shared));
    for (const other of others) assert.deepEqual(other, first);
    const highest = [...this.store.values()].sort((a, b) => compareVersions(a.version, b.version));
    const inForce = highest
      .filter((record) => record.value !== null && isRequest(record))
      .map(({ key, value }) => [key, value] as const);
    assert.deepEqual(new Map(first), new Map(inForce.sort(([a], [b]) => (a < b ? -1 : 1))));
  }

  #view({ registry }: FollowedRegistry): (readonly [string, unknown])[] {
    return requestsOf(registry)
      .map(({ key, value }) => [key, value] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #do(at: Place, command: Command): void {
    at.shared.apply(command, this.#now(at));
    this.#save(at);
  }

  #now({ clockErrorMs }: Place) {
    return { nowMs: this.nowMs, nowUnixMs: 1_800_000_000_000 + this.nowMs + clockErrorMs };
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #one<Value>(values: readonly Value[]): Value {
    return values[this.#below(values.length)]!;
  }
}

test('requests of operators and settings are the same everywhere after healing, and in force where they are known', () => {
  const sum = { requests: 0, wipes: 0, restarts: 0, late: 0, joins: 0 };
  const only = process.env['SHARED_SEED'];
  const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, seed) => seed) : [Number(only)];
  for (const seed of seeds) {
    const run = new Run(seed);
    try {
      for (let step = 0; step < STEPS; step++) run.step();
      run.heal();
    } catch (error) {
      throw new Error(`SHARED_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += run.counts[key];
  }
  if (only === undefined)
    for (const [what, count] of Object.entries(sum)) assert.ok(count >= SEEDS, `${what}: ${count}`);
});
