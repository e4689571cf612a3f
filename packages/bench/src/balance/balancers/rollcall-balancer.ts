/** Ours: nodes register through the agent, tell their load, and leave in order. */
import { isAlgorithmName } from '@rollcall/core';
import type { StatusResource } from '@rollcall/protocol';
import { PLAIN_FRONT } from '../../contenders/contender.ts';
import { type RollcallOptions, rollcall, startUp, type Up } from '../../contenders/rollcall.ts';
import { freePorts } from '../../system/free-ports.ts';
import type { Balancer, BalancerRequest, RunningBalancer } from './balancer.ts';

const READY_MS = 20_000;
const RENEWALS = 2;

export interface RollcallBalancerOptions {
  readonly name: string;
  /** For requests and for new sessions; `undefined`: the defaults, one for each. */
  readonly algorithm: string | undefined;
  readonly workers: number;
  readonly root: string;
  readonly node: string;
}

export function rollcallBalancer({ name, algorithm, workers, root, node }: RollcallBalancerOptions): Balancer {
  const options: RollcallOptions = { name, root, node };
  return {
    name,
    remedy:
      algorithm === undefined ? 'run `npm start` once, which compiles it' : `this build has no algorithm ${algorithm}`,
    version: () => (algorithm === undefined || isAlgorithmName(algorithm) ? rollcall(options).version() : undefined),
    keepsSessions: true,
    async start(request): Promise<RunningBalancer> {
      const { workplace, directory, nodes, absent, hasSessions, register } = request;
      const flags = [
        '--workers',
        String(Math.max(workers, request.proxies)),
        ...(hasSessions ? [] : ['--sticky', 'none']),
        ...(algorithm === undefined ? [] : ['--algorithm', algorithm, '--session-algorithm', algorithm]),
      ];
      const [port] = (await freePorts(1)) as [number];
      const up = await startUp(
        { ...options, flags },
        { workplace, directory, port, nodes: [], cpus: [], front: PLAIN_FRONT, certificate: undefined },
      );
      const { running } = up;
      const coordinator = up.admin.url;
      try {
        const present = nodes.map(({ number }) => number).filter((number) => number !== absent);
        await register(present, coordinator);
        for (let i = 0; i < RENEWALS; i++) await renewWorkers(up, request, present.length);
      } catch (error) {
        await workplace.end(running);
        throw error;
      }
      return {
        ports: [port],
        processes: [running],
        join: (number) => register([number], coordinator),
        // The node says so itself, as its agent.
        leave: () => Promise.resolve(),
      };
    },
  };
}

/** Waits until `count` nodes are up and every worker knows. */
async function follows(up: Up, { workplace }: BalancerRequest, count: number): Promise<StatusResource> {
  let status: StatusResource | undefined;
  await workplace.until(
    async () => {
      status = await up.admin.call<StatusResource>('GET', '/v1/status');
      return (
        status.nodes.up === count && status.workers.length > 0 && status.workers.every(({ isCurrent }) => isCurrent)
      );
    },
    up.running,
    'the nodes are not up, or the workers do not know',
    READY_MS,
  );
  return status!;
}

/**
 * Lets new workers take over. To them all nodes have been there before; the first ones have seen them join, and would
 * take them for new for 20 s.
 *
 * A worker begins with what the one before it has saved, which is up to a second old: of nodes that are newer it thinks
 * the same. It saves what it has heard when it is current, so the next one knows them all.
 */
async function renewWorkers(up: Up, request: BalancerRequest, count: number): Promise<void> {
  const before = new Set((await follows(up, request, count)).workers.map(({ pid }) => pid));
  await up.admin.call('POST', '/v1/reload', {});
  await request.workplace.until(
    async () => (await follows(up, request, count)).workers.every(({ pid }) => !before.has(pid)),
    up.running,
    'the workers were not replaced',
    READY_MS,
  );
}
