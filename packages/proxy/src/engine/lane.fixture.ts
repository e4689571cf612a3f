import { Engine, type EngineOptions } from './engine.ts';
import { connectRawClient, type RawClient } from './raw-client.fixture.ts';
import { type RawNode, type RawNodeConnection, startRawNode } from './raw-node.fixture.ts';
import { ScriptedRouter, upstreamNode } from './scripted-router.fixture.ts';

/** An engine in front of nodes, and its clients. */
export interface Lane {
  readonly engine: Engine;
  readonly router: ScriptedRouter;
  readonly nodes: readonly RawNode[];
  readonly port: number;
  connect(): Promise<RawClient>;
  /** Resolves when the router has recorded `line`; `count` times. */
  reported(line: string, count?: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts an engine in front of one node per entry of `serve`, `n1`, `n2` and so on. */
export async function startLane(
  serve: readonly ((connection: RawNodeConnection, number: number) => void)[],
  options: Partial<EngineOptions> & { readonly keepAliveMs?: number; readonly isAjp?: boolean } = {},
): Promise<Lane> {
  const { keepAliveMs, isAjp = false, ...engineOptions } = options;
  const router = new ScriptedRouter();
  const nodes: RawNode[] = [];
  for (const one of serve) {
    const node = await startRawNode(one);
    nodes.push(node);
    router.nodes.push(upstreamNode(`n${nodes.length}`, node.port, { keepAliveMs, isAjp }));
  }
  const engine = new Engine({ ...engineOptions, router });
  const { port } = await engine.listen({ host: '127.0.0.1', port: 0 });
  const clients: RawClient[] = [];
  return {
    engine,
    router,
    nodes,
    port,
    connect: async () => {
      const client = await connectRawClient(port);
      clients.push(client);
      return client;
    },
    reported: (line, count = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (router.reports.filter((one) => one === line).length >= count) resolve();
        };
        router.onReport = look;
        look();
      }),
    close: async () => {
      for (const client of clients) client.close();
      await engine.close(0);
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}
