/** The row `mcmp`: nodes of mod_cluster register, and change under traffic. The nodes answer from one process, each at an address of its own. */
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { NodeClient } from '@rollcall/mcmp/testing';
import { BenchError } from '../bench-error.ts';
import { spreadOf } from '../numbers/spread.ts';
import type { Workplace } from '../system/workplace.ts';
import type { ControlSite } from './control-site.ts';
import { type Figures, type RowParts, sum } from './rows.ts';
import type { Visits } from './visits.ts';

/** As Tomcat and WildFly do. */
const TICK_MS = 10_000;
/** Repetitions of one measurement. */
const TIMES = 5;
/** Between two steps under traffic, so that requests meet each state, milliseconds. */
const STEP_MS = 500;
const LOOK_MS = 2;
const PATIENCE_MS = 60_000;
export const MCMP_NODES = 500;

/** Times from a registration to the first request; lost requests of a drain, a redeploy and a failover; 500 registrations at once. */
export async function mcmpRow(parts: RowParts): Promise<Figures> {
  const site = await parts.site();
  const nodes: NodeClient[] = [];
  const start = async (number: number, contexts: readonly string[], more: object = {}): Promise<NodeClient> => {
    const host = `127.2.${number >> 8}.${number & 255}`;
    const { mcmpPort, nodePort: port } = site;
    const node = new NodeClient({ mcmpPort, route: `m${number}`, host, port, contexts, localAddress: host, ...more });
    nodes.push(node);
    node.start(TICK_MS);
    return node;
  };
  try {
    const firstMs: number[] = [];
    for (let time = 0; time < TIMES; time++) {
      const sinceMs = performance.now();
      await start(1 + time, [`/first${time}`]);
      await untilServed(parts.workplace, site, `/first${time}`);
      firstMs.push(performance.now() - sinceMs);
    }
    const [one] = [await start(11, ['/app']), await start(12, ['/app'])];
    await untilServed(parts.workplace, site, '/app');
    const step = (): Promise<void> => parts.workplace.sleep(STEP_MS);
    const repeated = async (change: () => Promise<void>): Promise<Visits> => {
      const { visits } = await site.visited(async () => {
        for (let time = 0; time < TIMES; time++) await change();
      }, '/app');
      if (sum(visits.failures) > 0) parts.say(`  requests that failed: ${JSON.stringify(visits.failures)}`);
      return visits;
    };
    const drain = await repeated(async () => {
      await one!.disable('/app');
      await step();
      await one!.enable('/app');
      await step();
    });
    const redeploy = await repeated(async () => {
      await one!.stop('/app');
      await one!.remove('/app');
      await step();
      await one!.enable('/app');
      await step();
    });
    const failover = await repeated(() => killedNode(site, step));
    const others = nodes.length;
    const together = async (firstNumber: number, more: object): Promise<Together> => {
      const result = await registeredTogether(parts, site, others, (i) => start(firstNumber + i, ['/a', '/b'], more));
      // The book of the coordinator has a bound: the next ones take their places.
      for (const node of nodes.splice(others)) await node.leave();
      return result;
    };
    const apart = await together(1_000, {});
    const ofOne = await together(2_000, { localAddress: '127.0.0.1' });
    return {
      firstMs: spreadOf(firstMs)?.median ?? Number.NaN,
      drainFailed: sum(drain.failures),
      redeployFailed: sum(redeploy.failures),
      failoverFailed: sum(failover.failures),
      failoverMaxMs: failover.maxMs,
      registeredSeconds: apart.seconds,
      registeredFailed: apart.failed,
      sameAddressSeconds: ofOne.seconds,
      sameAddressFailed: ofOne.failed,
    };
  } finally {
    for (const node of nodes) node.close();
    await site.close();
  }
}

/** Registers a node, kills it under traffic, and registers it again. */
async function killedNode(site: ControlSite, step: () => Promise<void>): Promise<void> {
  const program = await OwnProgram.start();
  const node = new NodeClient({ mcmpPort: site.mcmpPort, route: 'own', port: program.port, contexts: ['/app'] });
  node.start(TICK_MS);
  await step();
  node.close();
  await program.kill();
  await step();
}

interface Together {
  /** From the first message until all nodes are up at the worker. */
  readonly seconds: number;
  /** Requests of other contexts that failed until then. */
  readonly failed: number;
}

/** `others`: nodes that are up already. */
async function registeredTogether(
  { workplace, say }: RowParts,
  site: ControlSite,
  others: number,
  start: (i: number) => Promise<NodeClient>,
): Promise<Together> {
  const { result, visits } = await site.visited(async () => {
    const sinceMs = performance.now();
    for (let i = 0; i < MCMP_NODES; i++) await start(i);
    await site.untilUp(others + MCMP_NODES, PATIENCE_MS).catch((error: unknown) => {
      workplace.signal.throwIfAborted();
      if (!(error instanceof BenchError)) throw error;
      say(`  ${error.message}`);
    });
    return (performance.now() - sinceMs) / 1_000;
  }, '/app');
  return { seconds: result, failed: sum(visits.failures) };
}

/** A program that can be killed: its port refuses connections then, and its connections are reset. */
class OwnProgram {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<OwnProgram> {
    const server = createServer((_, response) => response.end('own'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new BenchError('no port for a node');
    return new OwnProgram(server, address.port);
  }

  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }
}

async function untilServed(workplace: Workplace, site: ControlSite, path: string): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${site.port}${path}`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok === true) return;
    if (performance.now() > untilMs) throw new BenchError(`${path} is not served: ${answer?.status}`);
    await workplace.sleep(LOOK_MS);
  }
}
