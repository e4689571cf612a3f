/** The cluster of docker-compose.yml, with its own project name, image names and host ports. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@rollcall/core/testing';
import { fromUnixMs, nowMs } from '../live-cluster/instant.ts';
import type { Life } from '../live-cluster/judge.ts';
import type { Outcome } from './command.ts';
import type { Engine } from './engine.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const SERVICES = ['app', 'wiki'] as const;
export type ServiceName = (typeof SERVICES)[number];
/** Number of containers of each service. */
export type Scale = Readonly<Record<ServiceName, number>>;

const UP_WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 250;
/** Largest delay between a signal of the engine and its event on a busy machine, milliseconds. */
const EVENT_LAG_MS = 250;

interface NodeRow {
  readonly balancer: string;
  readonly liveness: string;
}

export class ComposeCluster {
  readonly dir: string;
  readonly #engine: Engine;
  readonly #project = `rollcall-test-${process.pid}`;
  readonly #ports: { readonly site: number; readonly control: number };
  readonly #events: ChildProcess;
  readonly #lives = new Map<string, Life>();

  private constructor(engine: Engine, ports: { site: number; control: number }) {
    this.#engine = engine;
    this.#ports = ports;
    this.dir = mkdtempSync(join(tmpdir(), 'rollcall-compose-'));
    this.#writeOverride('first');
    this.#events = engine.start(['events', '--filter', 'event=kill', '--format', '{{json .}}']);
    this.#readEvents();
  }

  static async create(engine: Engine): Promise<ComposeCluster> {
    const [site, control] = await freePorts(2);
    return new ComposeCluster(engine, { site: site!, control: control! });
  }

  get sitePort(): number {
    return this.#ports.site;
  }

  get controlPort(): number {
    return this.#ports.control;
  }

  get lives(): readonly Life[] {
    return [...this.#lives.values()];
  }

  /** Stands for another release of the programs: another configuration of their containers. */
  release(name: string): void {
    this.#writeOverride(name);
  }

  /** Runs Compose with the project's files; fails with its output. */
  async compose(...args: readonly string[]): Promise<string> {
    const { code, output, errors } = await this.#run(args);
    if (code !== 0)
      throw new Error(`compose ${args.join(' ')} ended with ${code}:\n${errors.slice(-4_000)}${output.slice(-4_000)}`);
    return output;
  }

  /** `up -d` at a scale; resolves when so many nodes of each balancer are up. */
  async up(scale: Scale, ...flags: readonly string[]): Promise<void> {
    await this.compose('up', '-d', ...flags, ...SERVICES.flatMap((name) => ['--scale', `${name}=${scale[name]}`]));
    await this.untilUp(scale);
  }

  async untilUp(scale: Scale): Promise<void> {
    const endMs = nowMs() + UP_WITHIN_MS;
    for (;;) {
      const { nodes } = JSON.parse(await this.rollcall('nodes', '--json')) as { nodes: readonly NodeRow[] };
      const isUp = (balancer: string, count: number): boolean =>
        nodes.filter((node) => node.balancer === balancer && node.liveness === 'up').length === count;
      if (isUp('demo', scale.app) && isUp('wiki', scale.wiki)) break;
      if (nowMs() > endMs) throw new Error(`not the scale that was asked for:\n${JSON.stringify(nodes, null, 1)}`);
      await sleep(LOOK_AGAIN_MS);
    }
    for (const site of SERVICES) for (const id of await this.containers(site)) this.#lifeOf(id, site);
  }

  /** Runs the command in the coordinator's container. */
  rollcall(...args: readonly string[]): Promise<string> {
    return this.compose('exec', '-T', 'rollcall', 'rollcall', ...args);
  }

  /** Full ids of the running containers of a service. */
  async containers(service: string): Promise<string[]> {
    const { code, output, errors } = await this.#engine.docker([
      ...['ps', '--quiet', '--no-trunc', '--filter', `label=com.docker.compose.project=${this.#project}`],
      ...['--filter', `label=com.docker.compose.service=${service}`],
    ]);
    if (code !== 0) throw new Error(errors);
    return output.split('\n').filter((id) => id !== '');
  }

  async docker(...args: readonly string[]): Promise<string> {
    const { code, output, errors } = await this.#engine.docker(args);
    if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}: ${errors}`);
    return output;
  }

  /** Output of the containers of a service. */
  logs(service: string): Promise<string> {
    return this.compose('logs', '--no-color', service);
  }

  /** Removes containers, networks, volumes and images. */
  async close(): Promise<void> {
    this.#events.kill();
    await this.#run(['down', '--volumes', '--rmi', 'all', '--timeout', '20']);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #run(args: readonly string[]): Promise<Outcome> {
    return this.#engine.compose(
      [
        ...['--project-name', this.#project, '--project-directory', ROOT],
        ...['--file', join(ROOT, 'docker-compose.yml'), '--file', join(this.dir, 'override.yml'), ...args],
      ],
      { ROLLCALL_SITE_PORT: String(this.#ports.site), ROLLCALL_CONTROL_PORT: String(this.#ports.control) },
    );
  }

  #writeOverride(release: string): void {
    const network = this.#engine.buildsOnHostNetwork ? { build: { network: 'host' } } : {};
    const environment = { environment: { RELEASE: release } };
    const services = {
      rollcall: { image: this.#project, ...network },
      app: { image: this.#project, ...environment },
      wiki: { image: `${this.#project}-wiki`, ...network, ...environment },
    };
    // JSON is YAML.
    writeFileSync(join(this.dir, 'override.yml'), `${JSON.stringify({ services }, null, 2)}\n`);
  }

  /** The programs name themselves by their container's host name, which is the beginning of its id. */
  #lifeOf(id: string, site: ServiceName): void {
    const instance = id.slice(0, 12);
    if (this.#lives.has(instance)) return;
    const never = Number.POSITIVE_INFINITY;
    this.#lives.set(instance, {
      instance,
      node: instance,
      site,
      upMs: nowMs(),
      endMs: never,
      deadMs: never,
      end: 'none',
    });
  }

  /** Ends containers as `docker stop` does. The instant is taken right before. */
  async stop(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#endLife(id, nowMs());
    await this.docker('stop', ...ids);
    await this.docker('rm', ...ids);
  }

  #endLife(id: string, endMs: number): void {
    const life = this.#lives.get(id.slice(0, 12));
    if (life === undefined || life.end !== 'none') return;
    life.endMs = endMs;
    life.end = 'terminated';
  }

  /** The containers that Compose ends are known from the signal events of the engine. */
  #readEvents(): void {
    let text = '';
    this.#events.stdout?.on('data', (chunk: Buffer) => {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const { Actor, timeNano } = JSON.parse(line) as { Actor: { ID: string }; timeNano: number };
        this.#endLife(Actor.ID, fromUnixMs(timeNano / 1e6) - EVENT_LAG_MS);
      }
    });
  }
}
