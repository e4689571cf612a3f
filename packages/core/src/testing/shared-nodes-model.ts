/**
 * Two and three coordinators with a store between them, and nodes that connect to some of them. Whatever is lost, late or wiped, after healing
 * all have one process of each node, and the same contexts without nodes. `SHARED_SEED=N` runs one seed, `SHARED_SEEDS=N` sets their number.
 */
import assert from 'node:assert/strict';
import { type ContextPath, parseContextPath, parseNodeId } from '@rollcall/protocol';
import type { Command } from '../registry/commands.ts';
import type { Event } from '../registry/events.ts';
import { registerCommand } from '../registry/registration.fixture.ts';
import { Registry } from '../registry/registry.ts';
import type { Instants } from '../replication/replica.ts';
import type { SharedRecord } from '../replication/shared-record.ts';
import { FollowedRegistry } from '../replication/shared-registry.fixture.ts';
import type { Version } from '../replication/version.ts';
import type { Rng } from '../rng.ts';
import { seededRng } from '../seeded-rng.ts';
import type { StoredRecord } from '../store/store.ts';

const STEPS = 120;
const HOUR_MS = 3_600_000;
const NODES = ['n1', 'n2', 'n3'];

const pathOf = (id: string): ContextPath => parseContextPath(`/${id}`)!;

/** One start of a node's program. */
class Process {
  readonly id: string;
  readonly instance: string;
  readonly incarnation: number;
  /** Its connection by coordinator. */
  readonly connections = new Map<Coordinator, number>();
  state: 'runs' | 'left' | 'removed' | 'dead' = 'runs';

  constructor(id: string, number: number, incarnation: number) {
    this.id = id;
    this.instance = number.toString(16).padStart(32, '0');
    this.incarnation = incarnation;
  }
}

class Coordinator {
  readonly id: string;
  readonly clockErrorMs: number;
  readonly #onEvents: (events: readonly Event[]) => void;
  followed: FollowedRegistry;
  file: readonly SharedRecord[] = [];
  readonly ownFile = new Map<string, StoredRecord>();
  isConnected = true;
  /** It counts, so that the others take it for running. */
  isRunning = true;

  constructor(number: number, clockErrorMs: number, onEvents: (at: Coordinator, events: readonly Event[]) => void) {
    this.id = `c${number}`;
    this.clockErrorMs = clockErrorMs;
    this.#onEvents = (events) => onEvents(this, events);
    this.followed = this.#follow(new Registry({ startedAtMs: 0, isShared: true }));
  }

  restart(now: Instants): void {
    const registry = new Registry({ startedAtMs: now.nowMs, isShared: true });
    registry.apply({ type: 'restore', records: [...this.ownFile.values()], nowUnixMs: now.nowUnixMs }, now.nowMs);
    this.followed = this.#follow(registry);
    this.followed.start(this.file, now);
  }

  #follow(registry: Registry): FollowedRegistry {
    const followed = new FollowedRegistry(this.id, registry);
    followed.onEvents = this.#onEvents;
    return followed;
  }
}

class Run {
  readonly places: Coordinator[];
  readonly store = new Map<string, SharedRecord>();
  readonly late: { readonly to: Coordinator; readonly records: readonly SharedRecord[] }[] = [];
  readonly counts = {
    starts: 0,
    leaves: 0,
    removals: 0,
    goneRemovals: 0,
    forgotten: 0,
    lostContexts: 0,
    deaths: 0,
    wipes: 0,
    restarts: 0,
    late: 0,
    lostClaims: 0,
    down: 0,
  };
  readonly #random: Rng;
  readonly #processes: Process[] = [];
  /** Instances. */
  readonly #removedWhileGone = new Set<string>();
  #nowMs = 1_000_000;
  #connections = 0;

  constructor(seed: number) {
    this.#random = seededRng(seed);
    const count = 2 + this.#below(2);
    const take = (at: Coordinator, events: readonly Event[]): void => this.#take(at, events);
    this.places = Array.from({ length: count }, (_, i) => new Coordinator(i, (this.#below(3) - 1) * HOUR_MS, take));
    this.#judgePeers();
  }

  step(): void {
    const at = this.#one(this.places);
    const running = this.#processes.filter(({ state }) => state === 'runs');
    const process = running.length === 0 ? undefined : this.#one(running);
    switch (this.#below(16)) {
      case 0:
        this.#start(this.#one(NODES));
        break;
      case 1:
      case 2:
        if (process) this.#connect(process, at);
        break;
      case 3:
        if (process) this.#disconnect(process, at);
        break;
      case 4:
        if (process) this.#leave(process);
        break;
      case 5:
        if (process) this.#die(process);
        break;
      case 6:
        if (process) this.#remove(process, at);
        break;
      case 14:
        this.#removeGone(this.#one(NODES), at);
        break;
      case 15:
        this.#forget(this.#one(NODES), at);
        break;
      case 7:
      case 8:
        this.#pass(this.#below(4_000));
        break;
      case 9:
        at.isConnected = !at.isConnected;
        break;
      case 10:
        if (this.#below(3) > 0) break;
        at.isRunning = !at.isRunning;
        if (!at.isRunning) this.counts.down += 1;
        this.#judgePeers();
        break;
      case 11:
        if (this.#below(3) === 0) this.#restart(at);
        else if (this.#below(4) === 0) {
          this.store.clear();
          this.counts.wipes += 1;
        }
        break;
      case 12: {
        const [message] = this.late.splice(this.#below(this.late.length), 1);
        if (message === undefined) break;
        message.to.followed.merge(message.records, this.#now(message.to));
        this.counts.late += 1;
        break;
      }
      default:
        this.#sync(at);
    }
    for (const place of this.places) this.#save(place);
  }

  /** All links work, and each process that runs is connected to one coordinator at least. */
  heal(): void {
    for (const place of this.places) {
      place.isConnected = true;
      place.isRunning = true;
    }
    this.#judgePeers();
    this.late.length = 0;
    for (let round = 0; round < 6; round += 1) {
      for (const process of this.#processes)
        if (process.state === 'runs' && process.connections.size === 0) this.#connect(process, this.#one(this.places));
      for (const place of [...this.places, ...this.places]) this.#sync(place, false);
      // In all, longer than a lease.
      this.#pass(5_000);
    }
  }

  check(): void {
    for (const id of NODES) {
      const views = this.places.map((place) => this.#view(place, id));
      const running = this.#processes.filter((process) => process.id === id && process.state === 'runs');
      const connected = running.filter(({ connections }) => connections.size > 0);
      const [first, ...others] = views;
      for (const other of others) assert.equal(other, first, `${id}: ${views.join(', ')}`);
      if (connected.length > 0) assert.equal(first, `${connected[0]!.instance} up`, `${id} is connected`);
      for (const { id: coordinator, followed } of this.places) {
        const node = followed.registry.node(parseNodeId(id)!);
        if (
          node !== undefined &&
          node.goneCause !== 'removed' &&
          this.#removedWhileGone.has(node.registration.instance)
        )
          assert.fail(`${id} was removed while it was gone, and ${coordinator} lists it: ${node.liveness}`);
      }
      for (const process of this.#processes)
        if (process.state === 'left' || process.state === 'removed')
          assert.notEqual(first, `${process.instance} up`, `${id}: a process that has ${process.state} is back`);
    }
  }

  /** Contexts are remembered or forgotten everywhere alike. */
  checkContexts(): void {
    const [first, ...others] = this.places.map(({ followed: { registry } }) =>
      registry
        .rememberedContexts()
        .map(({ path }) => path)
        .sort(),
    );
    this.counts.lostContexts += first!.length;
    for (const other of others) assert.deepEqual(other, first, 'remembered contexts');
  }

  #view({ followed }: Coordinator, id: string): string {
    const node = followed.registry.node(parseNodeId(id)!);
    return node === undefined || node.liveness === 'gone' ? 'none' : `${node.registration.instance} ${node.liveness}`;
  }

  #start(id: string): void {
    // One time in two by mistake: the earlier process still runs.
    if (this.#below(2) === 0)
      for (const process of this.#processes.filter((one) => one.id === id && one.state === 'runs')) this.#die(process);
    this.counts.starts += 1;
    // Starts of one second are equal.
    const process = new Process(id, this.#processes.length + 1, Math.floor(this.#nowMs / 1_000));
    this.#processes.push(process);
    this.#connect(process, this.#one(this.places));
  }

  #connect(process: Process, at: Coordinator): void {
    if (process.connections.has(at)) return;
    const connection = ++this.#connections;
    const { id, instance, incarnation } = process;
    const url = `http://10.0.0.${id.slice(1)}:80`;
    const names = { id, url, balancer: 'shop', paths: [pathOf(id)] };
    const outcome = this.#do(at, registerCommand({ ...names, instance, incarnation, connection }));
    if (outcome === 'removed' || outcome === 'superseded' || outcome === 'id-taken')
      this.#end(process, outcome === 'removed' ? 'removed' : 'dead');
    if (outcome !== undefined || process.state !== 'runs') return;
    process.connections.set(at, connection);
    this.#probe();
  }

  #disconnect(process: Process, at: Coordinator): void {
    const connection = process.connections.get(at);
    if (connection === undefined) return;
    process.connections.delete(at);
    this.#do(at, { type: 'disconnect', id: parseNodeId(process.id)!, connection });
  }

  #leave(process: Process): void {
    this.counts.leaves += 1;
    process.state = 'left';
    for (const [at, connection] of process.connections)
      this.#do(at, { type: 'leave', id: parseNodeId(process.id)!, connection });
    process.connections.clear();
  }

  #die(process: Process): void {
    this.counts.deaths += 1;
    this.#end(process, 'dead');
  }

  #end(process: Process, state: Process['state']): void {
    process.state = state;
    for (const at of [...process.connections.keys()]) this.#disconnect(process, at);
  }

  #remove(process: Process, at: Coordinator): void {
    const id = parseNodeId(process.id)!;
    if (at.followed.registry.node(id)?.registration.instance !== process.instance) return;
    if (at.followed.registry.node(id)?.liveness === 'gone') return;
    this.counts.removals += 1;
    this.#do(at, { type: 'remove', id, by: at.id });
    this.#end(process, 'removed');
  }

  /** An operator removes a node that is gone there. It may run elsewhere: then its process ends. */
  #removeGone(id: string, at: Coordinator): void {
    const node = at.followed.registry.node(parseNodeId(id)!);
    if (node?.liveness !== 'gone' || node.goneCause === 'removed') return;
    this.counts.goneRemovals += 1;
    const { instance } = node.registration;
    this.#removedWhileGone.add(instance);
    this.#do(at, { type: 'remove', id: node.id, by: at.id });
    for (const process of this.#processes)
      if (process.instance === instance && process.state === 'runs') this.#end(process, 'removed');
  }

  #forget(id: string, at: Coordinator): void {
    const path = pathOf(id);
    if (at.followed.registry.forgettableContexts({ path }).length === 0) return;
    this.counts.forgotten += 1;
    this.#do(at, { type: 'forget-contexts', path });
  }

  #restart(at: Coordinator): void {
    this.counts.restarts += 1;
    for (const process of this.#processes) process.connections.delete(at);
    at.restart(this.#now(at));
    this.#judgePeers();
  }

  #pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (; this.#nowMs < untilMs; this.#nowMs = Math.min(untilMs, this.#nowMs + 1_000)) {
      for (const process of this.#processes)
        for (const [at, connection] of process.connections)
          this.#do(at, { type: 'heartbeat', id: parseNodeId(process.id)!, connection });
      for (const place of this.places) this.#do(place, { type: 'tick' });
      this.#probe();
    }
  }

  /** The coordinators, and their workers for suspect nodes, reach the listeners of processes that run. */
  #probe(): void {
    for (const place of this.places) {
      this.#do(place, { type: 'worker-joined', worker: 'w' });
      for (const node of place.followed.registry.nodes()) {
        const { id, connection, awaitsProbe, registration } = node;
        const isThere = this.#processes.some(
          ({ instance, state }) => instance === registration.instance && state === 'runs',
        );
        if (awaitsProbe && isThere && node.liveness !== 'gone')
          this.#do(place, { type: 'reachable', id, connection, isReachable: true });
        else if (node.liveness === 'suspect')
          this.#do(place, { type: 'ports-seen', worker: 'w', ports: [[id, isThere ? 'answers' : 'refused']] });
      }
    }
  }

  #sync(at: Coordinator, isLossy = true): void {
    if (!at.isConnected) return;
    const records = [...this.store.values()];
    if (isLossy && this.#below(8) === 0) this.late.push({ to: at, records });
    else at.followed.merge(records, this.#now(at), true);
    if (isLossy && this.#below(8) === 0) return;
    const versions = new Map<string, Version>([...this.store].map(([key, { version }]) => [key, version]));
    for (const record of at.followed.replica.missing(versions, this.#now(at))) this.store.set(record.key, record);
  }

  #save(at: Coordinator): void {
    at.followed.expire(this.#now(at));
    at.file = at.followed.replica.all(this.#nowMs);
    const { write, remove } = at.followed.registry.takeRecords(this.#now(at).nowUnixMs);
    for (const record of write) at.ownFile.set(record.key, record);
    for (const key of remove) at.ownFile.delete(key);
  }

  #judgePeers(): void {
    for (const place of this.places) {
      const others = this.places.filter((other) => other !== place && other.isRunning);
      place.followed.setRunning(new Map(others.map(({ id }) => [id, `name-${id}`])), this.#now(place));
    }
  }

  /** A connection that a coordinator has refused ends its process, as agents do. */
  #take(at: Coordinator, events: readonly Event[]): void {
    for (const event of events) {
      if (event.type !== 'connection-refused') continue;
      const process = this.#processes.find(({ connections }) => connections.get(at) === event.connection);
      if (process === undefined) continue;
      if (event.code === 'superseded') this.counts.lostClaims += 1;
      process.connections.delete(at);
      this.#end(process, event.code === 'removed' ? 'removed' : 'dead');
    }
  }

  #do(at: Coordinator, command: Command): string | undefined {
    const outcome = at.followed.apply(command, this.#now(at));
    if ('type' in outcome) return outcome.code;
    this.#take(at, outcome);
    return undefined;
  }

  #now({ clockErrorMs }: Coordinator): Instants {
    return { nowMs: this.#nowMs, nowUnixMs: 1_800_000_000_000 + this.#nowMs + clockErrorMs };
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #one<Value>(values: readonly Value[]): Value {
    return values[this.#below(values.length)]!;
  }
}

/** Runs `count` seeds. Each thing must happen at least once in ten runs. */
export function runSeeds(count: number): void {
  const sum = new Run(0).counts;
  const only = process.env['SHARED_SEED'];
  const all = Number(process.env['SHARED_SEEDS'] ?? count);
  const seeds = only === undefined ? Array.from({ length: all }, (_, seed) => seed) : [Number(only)];
  for (const seed of seeds) {
    const run = new Run(seed);
    try {
      for (let step = 0; step < STEPS; step += 1) run.step();
      run.heal();
      run.check();
      run.checkContexts();
    } catch (error) {
      throw new Error(`SHARED_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += run.counts[key];
  }
  if (only === undefined)
    for (const [what, times] of Object.entries(sum)) assert.ok(times >= all / 10, `${what}: ${times} in ${all} runs`);
}
