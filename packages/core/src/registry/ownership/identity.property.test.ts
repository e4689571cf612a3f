/**
 * Checks which process holds an id and an address, under a model of processes on machines. Wall clocks step, nodes move hosts, processes
 * share an id, addresses change hands, sockets stay half open, and the coordinator restarts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId, NodeUrl } from '@rollcall/protocol';
import {
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import fc from 'fast-check';
import type { StoredRecord } from '../../store/store.ts';
import type { RegisterCommand } from '../commands.ts';
import type { Event } from '../events.ts';
import { addressKey } from '../node/node-address.ts';
import type { NodeView } from '../node/node-record.ts';
import { Registry } from '../registry.ts';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 300);
const START_UNIX_MS = 1_800_000_000_000;
const SUSPECT_MS = 3_000;
const IDS = ['n1', 'n2'].map((text) => parseNodeId(text)!);
const URLS = ['http://app-1:3000', 'https://APP-1:3000', 'http://app-2:3000'].map((text) => parseNodeUrl(text)!);
/** At most the number of starts that the registry keeps per id: otherwise model and registry would forget different starts. */
const MAX_PROCESSES = 4;

interface Process {
  readonly id: NodeId;
  readonly instance: string;
  readonly url: NodeUrl;
  /** Start by its machine's clock. */
  readonly incarnation: number;
  connection: number;
  isAlive: boolean;
  /** Its messages reach the coordinator. */
  isLinked: boolean;
}

type Step =
  | { readonly type: 'start'; readonly id: number; readonly url: number; readonly clockMs: number }
  | { readonly type: 'crash'; readonly process: number; readonly isHalfOpen: boolean }
  | { readonly type: 'cut' | 'connect' | 'leave'; readonly process: number }
  | { readonly type: 'pass'; readonly ms: number }
  | { readonly type: 'probe' | 'restart' };

const clockMs = fc.constantFrom(0, 0, 0, -3_600_000, -10_000, 60_000, 299_000, 301_000, 3_600_000);
const process_ = fc.nat(2 * MAX_PROCESSES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('start' as const), id: fc.nat(1), url: fc.nat(2), clockMs }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('crash' as const), process: process_, isHalfOpen: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constantFrom('cut', 'connect', 'connect', 'leave'), process: process_ }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(500, 2_000, 4_000, 25_000) }),
  },
  { weight: 5, arbitrary: fc.constant<Step>({ type: 'probe' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ type: 'restart' }) },
);

class World {
  registry = new Registry({ startedAtMs: 0 });
  nowMs = 0;
  readonly #stored = new Map<string, StoredRecord>();
  readonly #processes: Process[] = [];
  #probes: { readonly id: NodeId; readonly connection: number; readonly url: NodeUrl }[] = [];
  #connections = 0;
  /** `LATER EARLIER` of an id: the later process has taken the id from the earlier one. */
  readonly #taken = new Set<string>();

  take(one: Step): void {
    switch (one.type) {
      case 'start':
        this.#start(IDS[one.id]!, URLS[one.url]!, one.clockMs);
        break;
      case 'pass':
        this.#pass(one.ms);
        break;
      case 'probe':
        this.#probe();
        break;
      case 'restart':
        this.#restart();
        break;
      default: {
        const process = this.#processes[one.process];
        if (process?.isAlive) this.#happen(one.type, process, one.type === 'crash' && one.isHalfOpen);
      }
    }
    this.#checkAddresses();
  }

  /** Each process in turn is the only one that is left. It asks until it is registered, or for longer than the lease. */
  checkEachGetsIn(): void {
    for (const process of this.#processes.filter(({ isAlive }) => isAlive)) {
      for (const other of this.#processes) if (other !== process) other.isLinked = false;
      process.isLinked = true;
      for (let i = 0; i < 25 && !this.#isIn(process); i++) {
        if (!this.#isSpeaking(process)) this.#register(process);
        this.#probe();
        this.#pass(1_000);
      }
      assert.ok(this.#isIn(process), `${process.instance} is not registered as ${process.id}`);
    }
  }

  #isSpeaking({ id, connection, instance }: Process): boolean {
    const node = this.registry.node(id);
    return node?.isConnected === true && node.connection === connection && node.registration.instance === instance;
  }

  #isIn(process: Process): boolean {
    return this.#isSpeaking(process) && this.registry.node(process.id)?.liveness === 'up';
  }

  #start(id: NodeId, url: NodeUrl, clock: number): void {
    if (this.#processes.filter((process) => process.id === id).length >= MAX_PROCESSES) return;
    const instance = `p${this.#processes.length}`;
    const incarnation = START_UNIX_MS + this.nowMs + clock;
    const process: Process = { id, instance, url, incarnation, connection: 0, isAlive: true, isLinked: true };
    this.#processes.push(process);
    this.#register(process);
  }

  #happen(type: 'crash' | 'cut' | 'connect' | 'leave', process: Process, isHalfOpen: boolean): void {
    const { id, connection } = process;
    if (type === 'connect') {
      process.isLinked = true;
      this.#register(process);
      return;
    }
    if (type === 'leave' && process.isLinked) this.#apply({ type: 'leave', id, connection });
    if (type !== 'cut') process.isAlive = false;
    process.isLinked = false;
    if (type === 'crash' && !isHalfOpen) this.#apply({ type: 'disconnect', id, connection });
  }

  #register(process: Process): void {
    const { id, instance, url, incarnation } = process;
    process.connection = ++this.#connections;
    const before = { ...this.registry.node(id) } as NodeView | undefined;
    const command: RegisterCommand = {
      type: 'register',
      node: {
        id,
        balancer: parseBalancerName('shop')!,
        url,
        route: parseRoute(id)!,
        contexts: [{ path: parseContextPath('/')! }],
        hosts: [parseHostPattern('*')!],
        weight: 1,
        loadHeader: false,
        meta: {},
        incarnation,
        instance,
      },
      nowUnixMs: START_UNIX_MS + this.nowMs,
      connection: process.connection,
      owner: 'join',
      kind: 'agent',
    };
    const outcome = this.registry.apply(command, this.nowMs);
    if ('type' in outcome) {
      assert.ok(['superseded', 'id-taken', 'address-taken'].includes(outcome.code), outcome.code);
      assert.equal(outcome.holderConnected, true, outcome.message);
      assert.match(outcome.message, /node n\d at https?:\/\/app-\d:3000 \(registered \d+ (?:s|min|h) ago, connected\)/);
      return;
    }
    this.#see(outcome);
    const after = this.registry.node(id)!;
    if (before?.registration && before.registration.instance !== instance) this.#checkTakeover(before, after, outcome);
    if (outcome.some((event) => event.type === 'registered' && event.needsProbe))
      this.#probes.push({ id, connection: process.connection, url });
  }

  #checkTakeover(before: NodeView, after: NodeView, events: readonly Event[]): void {
    const [earlier, later] = [before.registration, after.registration];
    const isHeard = before.isConnected && this.nowMs - before.heardAtMs <= SUSPECT_MS;
    if (isHeard) {
      assert.ok(
        later.incarnation > earlier.incarnation,
        `${earlier.instance} has a current heartbeat and is not older`,
      );
      const isOlder = this.#taken.has(`${earlier.instance} ${later.instance}`);
      assert.ok(!isOlder, `${later.instance} has lost the id to ${earlier.instance} before`);
    }
    const refusal = events.find((event) => event.type === 'connection-refused');
    if (before.isConnected) {
      assert.equal(refusal?.connection, before.connection, 'the earlier process is notified');
      assert.equal(refusal?.holderConnected, true);
    }
    this.#taken.add(`${later.instance} ${earlier.instance}`);
    this.#taken.delete(`${earlier.instance} ${later.instance}`);
    // The earlier process had no current heartbeat, and now counts as older than this one. Processes that it won against may be newer.
    if (later.incarnation <= earlier.incarnation)
      for (const pair of this.#taken) if (pair.startsWith(`${earlier.instance} `)) this.#taken.delete(pair);
  }

  /** A probe succeeds if any process listens at the address. */
  #probe(): void {
    const probes = this.#probes;
    this.#probes = [];
    for (const { id, connection, url } of probes) {
      const isReachable = this.#processes.some(
        (process) => process.isAlive && addressKey(process.url) === addressKey(url),
      );
      this.#apply({ type: 'reachable', id, connection, isReachable });
      if (!isReachable) this.#probes.push({ id, connection, url });
    }
  }

  #pass(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 500;
      if (this.nowMs % 1_000 === 0)
        for (const process of this.#processes)
          if (process.isAlive && process.isLinked && this.#isSpeaking(process))
            this.#apply({ type: 'heartbeat', id: process.id, connection: process.connection });
      this.#apply({ type: 'tick' });
    }
  }

  #restart(): void {
    const nowUnixMs = START_UNIX_MS + this.nowMs;
    const { write, remove } = this.registry.takeRecords(nowUnixMs);
    for (const record of write) this.#stored.set(record.key, JSON.parse(JSON.stringify(record)) as StoredRecord);
    for (const key of remove) this.#stored.delete(key);
    this.registry = new Registry({ startedAtMs: this.nowMs });
    this.#probes = [];
    this.#apply({ type: 'restore', records: [...this.#stored.values()], nowUnixMs });
  }

  #apply(command: Parameters<Registry['apply']>[0]): void {
    const before = new Map([...this.registry.nodes()].map((node) => [node.id, { ...node }]));
    const outcome = this.registry.apply(command, this.nowMs);
    if ('type' in outcome) return;
    for (const event of outcome) {
      if (event.type !== 'gone' || event.cause !== 'taken') continue;
      const node = before.get(event.id)!;
      const isHeard = node.isConnected && this.nowMs - node.heardAtMs <= SUSPECT_MS;
      assert.ok(
        !isHeard || node.awaitsProbe,
        `${event.id} has a current heartbeat, was reached, and has lost its address`,
      );
    }
    this.#see(outcome);
  }

  /** A process whose connection is refused closes it. */
  #see(events: readonly Event[]): void {
    for (const event of events) {
      if (event.type !== 'connection-refused') continue;
      for (const process of this.#processes) if (process.connection === event.connection) process.connection = 0;
    }
  }

  #checkAddresses(): void {
    const holders = new Map<string, string>();
    for (const { liveness, awaitsProbe, registration } of this.registry.nodes()) {
      if (liveness !== 'up' || awaitsProbe) continue;
      const key = addressKey(registration.url);
      const holder = holders.get(key) ?? registration.instance;
      assert.equal(registration.instance, holder, `two processes have ${key}`);
      holders.set(key, holder);
    }
    const fed = this.registry.snapshot(this.nowMs).nodes.map(({ id }) => id);
    assert.equal(new Set(fed).size, fed.length, 'one process of an id is in the feed');
  }
}

void test('a process with a current heartbeat keeps its names against older ones, and a reachable process gets in', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 3, maxLength: 50, size: 'max' }), (steps) => {
      const world = new World();
      for (const one of steps) world.take(one);
      world.checkEachGetsIn();
    }),
    { numRuns: RUNS },
  );
});
