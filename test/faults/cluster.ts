/**
 * The processes of one scenario: `rollcall up` at the front and a sample node on each host. Runs inside a sandbox, which
 * ends them all.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { nowMs } from '../live-cluster/instant.ts';
import { TYPESCRIPT } from '../site/commands.ts';
import { FOREIGN } from './judge.ts';
import type { Outage } from './ledger.ts';
import { addressOf, CONTROL_PORT, FRONT, Net, NODE_PORT, PROXY_PORT } from './net.ts';
import { sendOrder, until } from './orders.ts';
import { childrenOf, isStopped, scriptOf, signal } from './processes.ts';
import type { SampleOrder, SampleState } from './programs/sample-answer.ts';

/** `sdk`: its own agent. `run`: under `rollcall run`, maybe several copies. `add`: a static member. */
export type NodeKind = 'sdk' | 'run' | 'add';

export interface ClusterPlan {
  readonly nodes: readonly NodeKind[];
  readonly workers: number;
  /** Options of `rollcall run`. */
  readonly copies: number;
  /** Path of the ready page for `rollcall run`. */
  readonly ready?: string;
  /** Options of `rollcall up`. */
  readonly upFlags: readonly string[];
  /** Hosts whose address another program will take. */
  readonly foreign: readonly number[];
}

const SAMPLE_NODE = fileURLToPath(new URL('./programs/sample-node.ts', import.meta.url));
const WORKER_ADDRESS = new URL('./programs/worker-address.mjs', import.meta.url).href;
/** Interval between two searches for a new control process. */
const WATCH_EVERY_MS = 50;

/** Exit code of a command without an answer in time. */
const TIMED_OUT = 4;

/** A node of the scenario, on the host of the same number. Several copies of `run` share one. */
interface SampleNode {
  readonly number: number;
  readonly name: string;
  readonly kind: NodeKind;
  child: ChildProcess;
}

export class Cluster {
  readonly net: Net;
  readonly outages: Outage[] = [];
  /** Ids by which the programs answer. */
  readonly ids: string[] = [];
  readonly #root: string;
  readonly #dir: string;
  readonly #plan: ClusterPlan;
  readonly #nodes = new Map<number, SampleNode>();
  /** Processes that have loaded their modules and wait for the restart of their node. */
  readonly #waiting = new Map<number, ChildProcess>();
  /** Process ids of the programs that were signalled last, by number of the node. */
  readonly #programs = new Map<number, number>();
  #up: ChildProcess | undefined;
  #controlScript = '';

  private constructor(network: Net, root: string, dir: string, plan: ClusterPlan) {
    this.net = network;
    this.#root = root;
    this.#dir = dir;
    this.#plan = plan;
  }

  /** Starts everything. `root` is the product under test, built; `dir` an empty folder. */
  static async start(root: string, dir: string, plan: ClusterPlan): Promise<Cluster> {
    for (const folder of ['state', 'samples', 'workers']) mkdirSync(join(dir, folder));
    const cluster = new Cluster(await Net.create(), root, dir, plan);
    await Promise.all([
      cluster.#startUp(),
      ...plan.nodes.map((_, at) => cluster.net.host(`n${at + 1}`, at + 1)),
      ...plan.foreign.map((number) => cluster.net.host(`f${number}`, number, true)),
    ]);
    await Promise.all(plan.nodes.map((_, at) => cluster.startNode(at + 1)));
    for (const number of plan.foreign) cluster.#spawnSample(`f${number}`, FOREIGN, {});
    if (plan.foreign.length > 0) await cluster.order(FOREIGN, {});
    return cluster;
  }

  /** Process ids of the workers that took addresses, in their order. */
  get workerPids(): number[] {
    return readdirSync(join(this.#dir, 'workers'))
      .sort()
      .map((file) => Number(readFileSync(join(this.#dir, 'workers', file), 'utf8')));
  }

  async #startUp(): Promise<void> {
    const control = `${FRONT}:${CONTROL_PORT}`;
    const flags = ['--proxy', `0.0.0.0:${PROXY_PORT}`, '--control', control, '--workers', String(this.#plan.workers)];
    const state = ['--state-dir', join(this.#dir, 'state'), '--json'];
    this.#up = this.net.spawn(undefined, this.#rollcall('up', ...flags, ...state, ...this.#plan.upFlags), {
      stdio: ['ignore', 'pipe', this.#log('up')],
      env: { ...this.#environment(), NODE_OPTIONS: `--import=${WORKER_ADDRESS}` },
    });
    const ready = JSON.parse(await firstLine(this.#up, 'rollcall up')) as { pids: { control: number } };
    this.#controlScript = scriptOf(ready.pids.control);
  }

  /** Starts or restarts a node. Resolves when its program takes orders and a static member has been added. */
  async startNode(number: number): Promise<void> {
    const kind = this.#plan.nodes[number - 1]!;
    const name = `n${number}`;
    const isAgain = this.#nodes.has(number);
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    waiting?.stdin?.write('begin\n');
    const child = waiting ?? (kind === 'run' ? this.#spawnRun(name) : this.#spawnSample(name, name, this.#sdk(kind)));
    this.#nodes.set(number, { number, name, kind, child });
    const ids = kind === 'run' && this.#plan.copies > 1 ? await this.#copiesOf(name) : [name];
    for (const id of ids) await this.order(id, {});
    if (isAgain) {
      for (const outage of this.outages) if (ids.includes(outage.node)) outage.toMs = Math.min(outage.toMs, nowMs());
      return;
    }
    this.ids.push(...ids);
    if (kind === 'add') await this.#add(name, number);
  }

  #sdk(kind: NodeKind): NodeJS.ProcessEnv {
    return kind === 'sdk' ? { SAMPLE_SDK: join(this.#root, 'packages/agent/dist/index.js') } : {};
  }

  #spawnSample(host: string, id: string, more: NodeJS.ProcessEnv): ChildProcess {
    return this.net.spawn(host, sampleCommand(), {
      stdio: [more['SAMPLE_WAITS'] === undefined ? 'ignore' : 'pipe', this.#log(host), this.#log(host)],
      env: { ...this.#environment(), SAMPLE_ID: id, ...more },
    });
  }

  #spawnRun(name: string): ChildProcess {
    const { copies, ready } = this.#plan;
    const flags = ['--balancer', 'site', '--id', name, '--port', String(NODE_PORT), '--count', String(copies)];
    const page = ready === undefined ? [] : ['--ready', ready];
    return this.net.spawn(name, this.#rollcall('run', ...flags, ...page, '--', ...sampleCommand()), {
      stdio: ['ignore', this.#log(name), this.#log(name)],
      env: this.#environment(),
    });
  }

  /** The ids of the copies, once all have begun. */
  async #copiesOf(name: string): Promise<string[]> {
    const found = (): string[] =>
      readdirSync(join(this.#dir, 'samples'))
        .map((file) => file.replace(/\.sock$/, ''))
        .filter((id) => id.startsWith(name));
    await until(() => found().length === this.#plan.copies, `the copies of ${name}`);
    return found();
  }

  async #add(name: string, number: number): Promise<void> {
    const about = ['--balancer', 'site', '--id', name, '--coordinator', `http://${FRONT}:${CONTROL_PORT}`];
    const words = [
      'add',
      `http://${addressOf(number)}:${NODE_PORT}`,
      ...about,
      '--state-dir',
      join(this.#dir, 'state'),
    ];
    let code: number | null = TIMED_OUT;
    // A repeat has the effect of one. While many drills start, the coordinator may answer too late.
    for (let attempt = 0; attempt < 3 && code === TIMED_OUT; attempt++) {
      const command = this.net.spawn(undefined, this.#rollcall(...words), {
        stdio: ['ignore', this.#log('add'), this.#log('add')],
        env: this.#environment(),
      });
      [code] = (await once(command, 'exit')) as [number | null];
    }
    if (code !== 0) throw new Error(`rollcall add ended with ${code}: ${this.logOf('add')}`);
  }

  /** Changes how a program behaves, and returns what it is. Waits until it takes orders. */
  async order(id: string, order: SampleOrder): Promise<SampleState> {
    const path = join(this.#dir, 'samples', `${id}.sock`);
    let state: SampleState | undefined;
    await until(async () => {
      state = await sendOrder(path, order).catch(() => undefined);
      return state !== undefined;
    }, `${id} to take orders`);
    return state!;
  }

  /**
   * Kills the program of a node. Resolves when the process has ended, so its sockets are closed; not for `run`. With
   * `isToReturn` the next process of the node loads its modules now and waits, so that the restart time does not depend on this machine.
   */
  async kill(number: number, isToReturn: boolean): Promise<void> {
    const node = this.#nodes.get(number)!;
    if (isToReturn && node.kind !== 'run')
      this.#waiting.set(
        number,
        this.#spawnSample(node.name, node.name, { ...this.#sdk(node.kind), SAMPLE_WAITS: '1' }),
      );
    const hasEnded = once(node.child, 'exit');
    this.beginOutage(node.name);
    signal(await this.#programOf(node), 'SIGKILL');
    if (node.kind !== 'run') await hasEnded;
  }

  async freeze(number: number): Promise<void> {
    const node = this.#nodes.get(number)!;
    const pid = await this.#programOf(node);
    this.beginOutage(node.name);
    signal(pid, 'SIGSTOP');
    await until(() => isStopped(pid), `${node.name} to be stopped`);
  }

  /** Continues the process that `freeze` stopped: a stopped program takes no orders and cannot report its process id. */
  thaw(number: number): void {
    const node = this.#nodes.get(number)!;
    signal(this.#programs.get(number) ?? node.child.pid!, 'SIGCONT');
    this.endOutage(node.name);
  }

  async #programOf(node: SampleNode): Promise<number> {
    const pid = node.kind === 'run' ? (await this.order(node.name, {})).pid : node.child.pid!;
    this.#programs.set(node.number, pid);
    return pid;
  }

  beginOutage(node: string): void {
    this.outages.push({ node, fromMs: nowMs(), toMs: Number.POSITIVE_INFINITY });
  }

  endOutage(node: string): void {
    const open = this.outages.findLast((outage) => outage.node === node && outage.toMs === Number.POSITIVE_INFINITY);
    if (open) open.toMs = nowMs();
  }

  /** Signals the control process that runs now. Throws when there is none. */
  signalControl(name: NodeJS.Signals): void {
    const found = this.#control();
    if (found === undefined) throw new Error(`there is no control process to get ${name}`);
    signal(found, name);
  }

  #control(): number | undefined {
    return childrenOf(this.#up!.pid!).find((pid) => scriptOf(pid) === this.#controlScript);
  }

  /** Kills the control process, and each that follows. Never resolves. */
  async keepControlDown(): Promise<never> {
    this.signalControl('SIGKILL');
    for (;;) {
      const found = this.#control();
      if (found !== undefined) signal(found, 'SIGKILL');
      await pause(WATCH_EVERY_MS, undefined, { ref: false });
    }
  }

  #rollcall(...words: string[]): string[] {
    return [process.execPath, join(this.#root, 'packages/cli/bin/rollcall.js'), ...words];
  }

  #environment(): NodeJS.ProcessEnv {
    // Settings of the shell that runs the tests are not settings of the product under test.
    const inherited = Object.entries(process.env).filter(([name]) => !/^(?:ROLLCALL_|NODE_OPTIONS$)/.test(name));
    return {
      ...Object.fromEntries(inherited),
      ROLLCALL_URL: `ws://${FRONT}:${CONTROL_PORT}`,
      ROLLCALL_JOIN_TOKEN: 'join-token-of-the-fault-scenarios',
      XDG_STATE_HOME: this.#dir,
      SAMPLE_DIR: join(this.#dir, 'samples'),
      WORKER_ADDRESS_DIR: join(this.#dir, 'workers'),
    };
  }

  #log(name: string): number {
    return openSync(join(this.#dir, `${name}.log`), 'a');
  }

  /** The last 3,000 characters of a log. */
  logOf(name: string): string {
    try {
      return readFileSync(join(this.#dir, `${name}.log`), 'utf8').slice(-3_000);
    } catch {
      return '';
    }
  }
}

function sampleCommand(): string[] {
  return [process.execPath, ...TYPESCRIPT, SAMPLE_NODE];
}

async function firstLine(child: ChildProcess, name: string): Promise<string> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with ${code} before it was ready`);
  });
  const line = once(createInterface({ input: child.stdout! }), 'line') as Promise<[string]>;
  const [text] = await Promise.race([line, ended]);
  ended.catch(() => undefined);
  return text;
}
