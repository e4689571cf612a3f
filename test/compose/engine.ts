/**
 * A container engine to test on, the first of:
 *
 * 1. what `COMPOSE_LAB_COMMAND` names: a command that starts an engine by `up` and runs another one against it by
 *    `run COMMAND`;
 * 2. the engine that `docker info` finds;
 * 3. a private engine, see private-engine.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { type Outcome, run } from './command.ts';
import { type FoundEngine, PrivateEngine } from './private-engine.ts';

export class Engine {
  /** Command prefix of `docker` and `docker-compose`. */
  readonly #prefix: readonly string[];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #compose: readonly string[];
  /** Builds use this machine's network, because those of containers may lead nowhere. */
  readonly buildsOnHostNetwork: boolean;
  readonly #stop: () => Promise<void>;

  private constructor(found: FoundEngine, compose: readonly string[]) {
    this.#prefix = found.prefix ?? [];
    this.#environment = { ...process.env, ...found.environment };
    this.#compose = compose;
    this.buildsOnHostNetwork = found.buildsOnHostNetwork ?? false;
    this.#stop = found.stop ?? (async () => {});
  }

  /** The first engine there is, or how to get one. */
  static async find(): Promise<Engine | string> {
    const found = await findEngine();
    if (typeof found === 'string') return found;
    for (const compose of [['docker-compose'], ['docker', 'compose']]) {
      const engine = new Engine(found, compose);
      if ((await engine.compose(['version'])).code === 0) return engine;
    }
    await found.stop?.();
    return 'there is an engine but no Compose: apt-get install docker-compose';
  }

  docker(args: readonly string[]): Promise<Outcome> {
    return run([...this.#prefix, 'docker', ...args], this.#environment);
  }

  compose(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    return run([...this.#prefix, ...this.#compose, ...args], { ...this.#environment, ...environment });
  }

  /** Starts `docker` and leaves it running. */
  start(args: readonly string[]): ChildProcess {
    const [program = '', ...rest] = [...this.#prefix, 'docker', ...args];
    return spawn(program, rest, { env: this.#environment, stdio: ['ignore', 'pipe', 'inherit'] });
  }

  /** Ends the engine if it is a private one. */
  close(): Promise<void> {
    return this.#stop();
  }
}

async function findEngine(): Promise<FoundEngine | string> {
  const lab = process.env['COMPOSE_LAB_COMMAND']?.split(' ').filter((word) => word !== '') ?? [];
  if (lab.length > 0) {
    const { code, errors } = await run([...lab, 'up'], process.env);
    if (code !== 0) throw new Error(`COMPOSE_LAB_COMMAND: ${lab.join(' ')} up failed:\n${errors}`);
    return { prefix: [...lab, 'run'] };
  }
  if ((await run(['docker', 'info', '--format', '{{.ServerVersion}}'], process.env)).code === 0) return {};
  return PrivateEngine.start();
}
