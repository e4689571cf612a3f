/**
 * The processes of one drill: a Redis, two coordinators with a worker each, and nodes that hold a connection to both. All of them are in
 * one sandbox, which ends them.
 *
 * ```
 *   node 1 ── relay ──┬── coordinator a ── relay ── redis
 *     …    ── relay ──┼── coordinator b ── relay ──   │
 *   node 4 ── relay ──┘
 * ```
 *
 * The relays belong to the test: it breaks links by changing their modes. Workers and nodes have no relay between them.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@rollcall/core/testing';
import type { CoordinatorsResource } from '@rollcall/protocol';
import { findRedisServer, type RedisServer, startRedisServer } from '@rollcall/store-redis/testing';
import { Redis } from 'ioredis';
import { TYPESCRIPT } from '../../site/commands.ts';
import { sendOrder, until } from '../orders.ts';
import { ADMIN_TOKEN, CoordinatorProcess } from './coordinator-process.ts';
import type { EarlierName } from './earlier-build.ts';
import { Relay } from './relay.ts';

/** Roots of built products. The earlier ones are present for drills that need them. */
export type Roots = { readonly current: string } & { readonly [Name in EarlierName]?: string };

export interface PairPlan {
  /** Coordinators that the nodes know. `first`: they cannot learn of the other one. */
  readonly agents: 'both' | 'first';
  /** `separate`: each coordinator has a Redis of its own. */
  readonly stores: 'shared' | 'separate';
  /** The first coordinator gets a wall clock that `setClock` changes. */
  readonly hasFakeClock: boolean;
  /** What coordinators and nodes start with: this checkout, or the build of an earlier commit. */
  readonly starts: 'current' | 'release';
  /** The first nodes have agents of 0.1.0 with one connection, each to this coordinator. */
  readonly early: readonly (0 | 1)[];
}

const SAMPLE_NODE = fileURLToPath(new URL('../programs/sample-node.ts', import.meta.url));
const NODES = 4;

export class Pair {
  readonly ids: readonly string[] = Array.from({ length: NODES }, (_, at) => `n${at + 1}`);
  readonly coordinators: readonly [CoordinatorProcess, CoordinatorProcess];
  /** The Redis of the first coordinator, and of both when it is shared. */
  readonly redis: RedisServer;
  /** Between each coordinator and its Redis. */
  readonly storeLinks: readonly Relay[];
  /** Between the agents and each coordinator: by coordinator, then by node. */
  readonly agentLinks: readonly (readonly Relay[])[];
  readonly roots: Roots;

  readonly #dir: string;

  private constructor(
    roots: Roots,
    dir: string,
    coordinators: readonly [CoordinatorProcess, CoordinatorProcess],
    redis: RedisServer,
    storeLinks: readonly Relay[],
    agentLinks: readonly (readonly Relay[])[],
  ) {
    this.roots = roots;
    this.#dir = dir;
    this.coordinators = coordinators;
    this.redis = redis;
    this.storeLinks = storeLinks;
    this.agentLinks = agentLinks;
  }

  /** Starts everything. `dir` is an empty folder. */
  static async start(roots: Roots, dir: string, plan: PairPlan): Promise<Pair> {
    const root = rootOf(roots, plan.starts);
    for (const folder of ['state-a', 'state-b', 'samples']) mkdirSync(join(dir, folder));
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    const binary = findRedisServer()!;
    const redis = await startRedisServer(binary);
    const second = plan.stores === 'shared' ? redis : await startRedisServer(binary);
    const storeLinks = [await Relay.start(redis.port), await Relay.start(second.port)];
    const ports = await freePorts(4 + NODES);
    const environment = environmentFor(dir);
    const coordinator = (at: 0 | 1): CoordinatorProcess =>
      new CoordinatorProcess({
        root,
        dir,
        name: 'ab'[at]!,
        proxyPort: ports[at]!,
        controlPort: ports[2 + at]!,
        store: `redis://127.0.0.1:${storeLinks[at]!.port}`,
        environment: { ...environment, ...(plan.hasFakeClock && at === 0 && fakeClock(dir)) },
      });
    const coordinators = [coordinator(0), coordinator(1)] as const;
    await Promise.all(coordinators.map((each) => each.start()));
    if (plan.agents === 'first') await assertUnannounced(coordinators);
    const agentLinks: Relay[][] = [];
    for (const at of [0, 1]) agentLinks[at] = await startRelays(ports[2 + at]!);
    const pair = new Pair(roots, dir, coordinators, redis, storeLinks, agentLinks);
    for (const [at, id] of pair.ids.entries()) {
      const only = plan.early[at] ?? (plan.agents === 'first' ? 0 : undefined);
      const known = only === undefined ? agentLinks : [agentLinks[only]!];
      const urls = known.map((links) => `ws://127.0.0.1:${links[at]!.port}`).join(',');
      const agent = plan.early[at] === undefined ? root : rootOf(roots, 'agent');
      pair.#startNode(agent, dir, id, ports[4 + at]!, { ...environment, ROLLCALL_URL: urls });
    }
    await Promise.all(
      pair.ids.map((id) =>
        until(
          () =>
            sendOrder(join(dir, 'samples', `${id}.sock`), {}).then(
              () => true,
              () => false,
            ),
          `${id} to begin`,
        ),
      ),
    );
    return pair;
  }

  #startNode(root: string, dir: string, id: string, port: number, environment: NodeJS.ProcessEnv): void {
    const log = openSync(join(dir, `${id}.log`), 'a');
    spawn(process.execPath, [...TYPESCRIPT, SAMPLE_NODE], {
      stdio: ['ignore', log, log],
      env: {
        ...environment,
        PORT: String(port),
        SAMPLE_ID: id,
        SAMPLE_DIR: join(dir, 'samples'),
        SAMPLE_SDK: join(root, 'packages/agent/dist/index.js'),
      },
    });
  }

  /** Sets the wall clock of the first coordinator so many seconds fast. */
  setClock(seconds: number): void {
    writeClock(this.#dir, seconds);
  }

  /** Runs commands on the Redis itself, without a relay. Resolves with the answers. */
  async command(...commands: readonly (readonly string[])[]): Promise<unknown[]> {
    const client = new Redis(this.redis.port, '127.0.0.1', {
      protocol: 2,
      lazyConnect: true,
      enableReadyCheck: false,
      retryStrategy: () => null,
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const answers: unknown[] = [];
      for (const [name, ...args] of commands) answers.push(await client.call(name!, ...args));
      return answers;
    } finally {
      client.disconnect();
    }
  }
}

/** Throws without the build: the test has to make it before. */
export function rootOf(roots: Roots, name: keyof Roots): string {
  const root = roots[name];
  if (root === undefined) throw new Error(`no build of ${name}`);
  return root;
}

/** Path of libfaketime; `undefined` if it is not installed. */
export function findFakeClock(): string | undefined {
  const folders = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map((machine) => `/usr/lib/${machine}/faketime`);
  return folders.map((folder) => join(folder, 'libfaketime.so.1')).find((path) => existsSync(path));
}

/** Environment of a process whose wall clock follows a file. Its monotonic clock stays. */
function fakeClock(dir: string): NodeJS.ProcessEnv {
  writeClock(dir, 0);
  return {
    LD_PRELOAD: findFakeClock(),
    FAKETIME_TIMESTAMP_FILE: join(dir, 'clock'),
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
}

function writeClock(dir: string, seconds: number): void {
  // A rename, so that no process reads half of it.
  writeFileSync(join(dir, 'clock.new'), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  renameSync(join(dir, 'clock.new'), join(dir, 'clock'));
}

async function startRelays(port: number): Promise<Relay[]> {
  const relays: Relay[] = [];
  for (let node = 0; node < NODES; node++) relays.push(await Relay.start(port));
  return relays;
}

function environmentFor(dir: string): NodeJS.ProcessEnv {
  // Settings of the shell that runs the tests are not settings of the product under test.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:ROLLCALL_|NODE_OPTIONS$)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    ROLLCALL_JOIN_TOKEN: 'join-token-of-the-coordinator-drills',
    ROLLCALL_ADMIN_TOKEN: ADMIN_TOKEN,
    XDG_STATE_HOME: dir,
  };
}

/** An announced coordinator on a configured host would be connected, and a drill with one known coordinator would have two. */
async function assertUnannounced(all: readonly CoordinatorProcess[]): Promise<void> {
  for (const coordinator of all) {
    const { body } = await coordinator.api('GET', '/v1/coordinators');
    for (const { name, url } of (body as CoordinatorsResource).coordinators)
      assert.equal(url, undefined, `coordinator ${name} announces itself to agents`);
  }
}
