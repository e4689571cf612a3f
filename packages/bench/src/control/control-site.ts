/** The site of all rows: one `rollcall up` with one worker, nodes that answer, and visitors. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { StatusResource } from '@rollcall/protocol';
import { BenchError } from '../bench-error.ts';
import { PLAIN_FRONT } from '../contenders/contender.ts';
import { hasFlag, type RollcallOptions, startUp, type Up } from '../contenders/rollcall.ts';
import { freePorts } from '../system/free-ports.ts';
import { readMemory, readTree } from '../system/process-tree.ts';
import type { Running, Workplace } from '../system/workplace.ts';
import { AgentFleet, type FleetPlan } from './agent-fleet.ts';
import { type Visits, visited } from './visits.ts';

/** Of /proc, in one second. @see process-tree.ts */
const TICKS_PER_SECOND = 100;
const TOKEN = 'bench-join-token-0123456789';
const LOOK_MS = 100;
const VISITS_PER_SECOND = 100;

let directories = 0;

export class ControlSite {
  readonly up: Up;
  readonly port: number;
  readonly nodePort: number;
  /** Of the listener for nodes of mod_cluster. */
  readonly mcmpPort: number;
  readonly #workplace: Workplace;
  readonly #nodes: Running;
  readonly #fleets: AgentFleet[] = [];

  private constructor(
    workplace: Workplace,
    up: Up,
    nodes: Running,
    ports: Pick<ControlSite, 'port' | 'nodePort' | 'mcmpPort'>,
  ) {
    this.#workplace = workplace;
    this.up = up;
    this.#nodes = nodes;
    this.port = ports.port;
    this.nodePort = ports.nodePort;
    this.mcmpPort = ports.mcmpPort;
  }

  static async start(workplace: Workplace, options: RollcallOptions): Promise<ControlSite> {
    const [port, nodePort, mcmpPort] = (await freePorts(3)) as [number, number, number];
    const program = fileURLToPath(new URL('./node-process.js', import.meta.url));
    const nodes = await workplace.start('nodes', [process.execPath, program, String(nodePort)], { cpus: [] });
    const directory = workplace.path(`control.${directories++}`);
    mkdirSync(directory);
    // All nodes of a run have one token, and come from one address.
    const quotas = hasFlag(options, '--quota')
      ? ['nodes', 'registrations', 'balancers'].flatMap((name) => ['--quota', `${name}=20000`])
      : [];
    const up = await startUp(
      {
        ...options,
        flags: [...quotas, '--mcmp', `127.0.0.1:${mcmpPort}`],
        environment: { ROLLCALL_JOIN_TOKEN: TOKEN },
      },
      { workplace, directory, port, nodes: [], cpus: [], front: PLAIN_FRONT, certificate: undefined },
    );
    return new ControlSite(workplace, up, nodes, { port, nodePort, mcmpPort });
  }

  get controlPort(): number {
    return Number(new URL(this.up.admin.url).port);
  }

  /** Agents of a balancer of their own; `firstNumber` keeps their addresses apart. */
  fleet(of: Partial<FleetPlan>, firstNumber: number): AgentFleet {
    const plan = { balancer: 'site', path: '/', isSdk: false, token: TOKEN, ...of };
    const fleet = new AgentFleet(
      this.#workplace,
      { controlPort: this.controlPort, nodePort: this.nodePort, ...plan },
      firstNumber,
    );
    this.#fleets.push(fleet);
    return fleet;
  }

  /** A fleet of `count` agents in the site's balancer, all up at the worker. Returns how long that took, seconds. */
  async populate(count: number): Promise<{ readonly fleet: AgentFleet; readonly seconds: number }> {
    const fleet = this.fleet({}, 1);
    const sinceMs = performance.now();
    await fleet.grow(count);
    await this.untilUp(count, 120_000);
    return { fleet, seconds: (performance.now() - sinceMs) / 1_000 };
  }

  async untilUp(count: number, patienceMs: number): Promise<void> {
    let up = -1;
    const isSo = async (): Promise<boolean> => {
      await this.#workplace.sleep(LOOK_MS);
      const status = await this.status().catch(() => undefined);
      up = status?.nodes.up ?? up;
      return up >= count && status!.workers.some(({ isCurrent }) => isCurrent);
    };
    await this.#workplace.until(isSo, this.up.running, `${count} nodes are not up`, patienceMs).catch((error) => {
      throw error instanceof BenchError ? new BenchError(`${error.message} (${up} are)`) : error;
    });
  }

  status(): Promise<StatusResource> {
    return this.up.admin.call<StatusResource>('GET', '/v1/status');
  }

  async pidOf(name: 'control' | 'worker'): Promise<number> {
    const { processes } = await this.status();
    const found = processes.find((process) => process.name.startsWith(name))?.pid;
    if (found === undefined) throw new BenchError(`the status has no process of the name ${name}`);
    return found;
  }

  /** Share of one CPU that a process uses in the next `ms`, percent. */
  async cpuPercent(pid: number, ms: number): Promise<number> {
    const before = ticksOf(pid);
    const sinceMs = performance.now();
    await this.#workplace.sleep(ms);
    return ((ticksOf(pid) - before) / TICKS_PER_SECOND / ((performance.now() - sinceMs) / 1_000)) * 100;
  }

  memory(pid: number): number {
    return readMemory(pid);
  }

  /** Latencies of visitors of the site while `use` runs: 100 requests a second, counted from when each was due. */
  visited<Result>(
    use: () => Promise<Result>,
    path = '/',
  ): Promise<{ readonly result: Result; readonly visits: Visits }> {
    return visited(this.#workplace, { port: this.port, path, perSecond: VISITS_PER_SECOND }, use);
  }

  /** The same of a path of the control port, `perSecond` times a second. */
  read<Result>(
    path: string,
    perSecond: number,
    use: () => Promise<Result>,
  ): Promise<{ readonly result: Result; readonly visits: Visits }> {
    const token = this.up.admin.token();
    return visited(this.#workplace, { port: this.controlPort, path, perSecond, token }, use);
  }

  async close(): Promise<void> {
    // First the agents: they would come back to the next row's coordinator.
    await Promise.all(this.#fleets.map((fleet) => fleet.end()));
    await this.#workplace.end(this.up.running);
    await this.#workplace.end(this.#nodes);
  }
}

function ticksOf(pid: number): number {
  const [stat] = readTree(pid);
  if (stat === undefined) throw new BenchError(`process ${pid} has ended`);
  return stat.userTicks + stat.systemTicks;
}
