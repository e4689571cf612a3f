/** A balancer of this machine that is configured by a file: one process or as many as are asked for. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { statusOf } from '../../load/first-answer.ts';
import { freePorts } from '../../system/free-ports.ts';
import { findProgram, outputOf } from '../../system/programs.ts';
import type { Running } from '../../system/workplace.ts';
import type { NodePorts } from '../messages.ts';
import type { Balancer, BalancerRequest, RunningBalancer } from './balancer.ts';

const READY_MS = 20_000;

/** What a configuration is made of. */
export interface ConfigParts {
  readonly directory: string;
  readonly port: number;
  /** Where it is told about nodes, where it has such a port. */
  readonly controlPort: number;
  readonly nodes: readonly NodePorts[];
  /** Numbers of nodes that take nothing. */
  readonly out: ReadonlySet<number>;
  readonly hasSessions: boolean;
}

/** One process of it. */
export interface Instance {
  readonly parts: ConfigParts;
  readonly running: Running;
  readonly configFile: string;
}

export interface BalancerKind {
  readonly name: string;
  /** Names that the program goes by. */
  readonly programs: readonly string[];
  readonly versionFlag: string;
  readonly versionPattern: RegExp;
  readonly keepsSessions: boolean;
  config(parts: ConfigParts): string;
  arguments(configFile: string): readonly string[];
  /** Takes the node in or out. Resolves when the balancer acts upon it, as far as it says so. */
  setOut(instance: Instance, node: NodePorts, isOut: boolean): Promise<void>;
}

export function configuredBalancer(kind: BalancerKind): Balancer {
  const program = (): string | undefined => kind.programs.map(findProgram).find((path) => path !== undefined);
  return {
    name: kind.name,
    remedy: `install ${kind.programs[0]}`,
    keepsSessions: kind.keepsSessions,
    version() {
      const path = program();
      if (path === undefined) return undefined;
      return kind.versionPattern.exec(outputOf(path, [kind.versionFlag]))?.[1] ?? 'unknown';
    },
    async start(request): Promise<RunningBalancer> {
      const instances: Instance[] = [];
      try {
        for (let i = 0; i < request.proxies; i++) instances.push(await startInstance(kind, program()!, request, i));
      } catch (error) {
        for (const { running } of instances) await request.workplace.end(running);
        throw error;
      }
      const set = async (number: number, isOut: boolean): Promise<void> => {
        const node = request.nodes.find((ports) => ports.number === number)!;
        for (const instance of instances) await kind.setOut(instance, node, isOut);
      };
      return {
        ports: instances.map(({ parts }) => parts.port),
        processes: instances.map(({ running }) => running),
        join: (number) => set(number, false),
        leave: (number) => set(number, true),
      };
    },
  };
}

async function startInstance(
  kind: BalancerKind,
  program: string,
  { workplace, directory, nodes, absent, hasSessions }: BalancerRequest,
  number: number,
): Promise<Instance> {
  const own = join(directory, String(number));
  mkdirSync(own, { recursive: true });
  const [port, controlPort] = (await freePorts(2)) as [number, number];
  const parts = { directory: own, port, controlPort, nodes, out: new Set([absent]), hasSessions };
  const configFile = join(own, 'config');
  writeFileSync(configFile, kind.config(parts));
  const running = await workplace.start(kind.name, [program, ...kind.arguments(configFile)], {
    cpus: [],
    directory: own,
    environment: { HOME: own },
  });
  try {
    await workplace.until(async () => (await statusOf(port, false)) === 200, running, 'no answer', READY_MS);
  } catch (error) {
    await workplace.end(running);
    throw error;
  }
  return { parts, running, configFile };
}
