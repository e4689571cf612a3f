/** The faults that a scenario may contain, as data, and how each is done to a cluster. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import type { LinkFault } from './net.ts';
import type { SampleOrder } from './programs/sample-answer.ts';

/** Nodes are named by their numbers, from 1. Without `forMs` a fault lasts until the end. */
export type Fault = { readonly atMs: number; readonly forMs?: number } & (
  | { readonly type: 'kill' | 'freeze' | 'restart'; readonly node: number }
  /** Nothing passes between the front and the node's host. */
  | { readonly type: 'cut-host'; readonly node: number }
  | { readonly type: 'agent-links'; readonly how: LinkFault; readonly nodes: readonly number[] }
  /** The program ends, open connections are closed, and then its address is silent. */
  | { readonly type: 'remove-container'; readonly node: number }
  /** A foreign program answers at the address of a container that was removed. */
  | { readonly type: 'give-address-away'; readonly node: number }
  | { readonly type: 'close-listener' | 'accept-and-close'; readonly id: string }
  | { readonly type: 'ready-page'; readonly ids: readonly string[]; readonly ready: NonNullable<SampleOrder['ready']> }
  | { readonly type: 'kill-control' | 'freeze-control' | 'keep-control-down' }
  | { readonly type: 'cut-worker'; readonly node: number; readonly worker: number }
);

/** Begins the fault and resolves when it is in force. With `forMs` it ends later; an error then goes to `onError`. */
export async function begin(fault: Fault, cluster: Cluster, onError: (error: unknown) => void): Promise<void> {
  const end = await BEGIN[fault.type](fault as never, cluster);
  if (fault.forMs === undefined || end === undefined) return;
  const { forMs } = fault;
  void pause(forMs)
    .then(() => end())
    .catch(onError);
}

/** From the beginning of this fault on a node cannot answer. */
export function isOutage(fault: Fault): boolean {
  return ['kill', 'freeze', 'cut-host', 'remove-container', 'close-listener', 'accept-and-close'].includes(fault.type);
}

type End = (() => unknown) | undefined;
type Begin = { readonly [Type in Fault['type']]: (fault: Of<Type>, cluster: Cluster) => Promise<End> };
type Of<Type extends Fault['type']> = Extract<Fault, { readonly type: Type }>;

const BEGIN: Begin = {
  kill: async ({ node, forMs }, cluster) => {
    await cluster.kill(node, forMs !== undefined);
    return () => cluster.startNode(node);
  },
  restart: async ({ node }, cluster) => {
    await cluster.startNode(node);
    return undefined;
  },
  freeze: async ({ node }, cluster) => {
    await cluster.freeze(node);
    return () => cluster.thaw(node);
  },
  'cut-host': async ({ node }, cluster) => {
    const name = `n${node}`;
    cluster.beginOutage(name);
    await cluster.net.setFaults(name, node, { isCut: true });
    return async () => {
      await cluster.net.setFaults(name, node, { isCut: false });
      cluster.endOutage(name);
    };
  },
  'agent-links': async ({ nodes, how }, cluster) => {
    const all = (agentLinks: LinkFault | undefined): Promise<unknown> =>
      Promise.all(nodes.map((node) => cluster.net.setFaults(`n${node}`, node, { agentLinks })));
    await all(how);
    return () => all(undefined);
  },
  'remove-container': async ({ node }, cluster) => {
    const name = `n${node}`;
    cluster.beginOutage(name);
    await cluster.net.setFaults(name, node, { refusesNothing: true });
    await cluster.kill(node, false);
    await cluster.net.setFaults(name, node, { isCut: true });
    return undefined;
  },
  'give-address-away': async ({ node }, cluster) => {
    await cluster.net.giveAddress(node, `f${node}`, `n${node}`);
    return undefined;
  },
  'close-listener': async ({ id }, cluster) => {
    cluster.beginOutage(id);
    await cluster.order(id, { listener: 'closed' });
    return async () => {
      await cluster.order(id, { listener: 'open' });
      cluster.endOutage(id);
    };
  },
  'accept-and-close': async ({ id }, cluster) => {
    cluster.beginOutage(id);
    await cluster.order(id, { accepted: 'closed' });
    return async () => {
      await cluster.order(id, { accepted: 'served' });
      cluster.endOutage(id);
    };
  },
  'ready-page': async ({ ids, ready }, cluster) => {
    const all = (to: NonNullable<SampleOrder['ready']>): Promise<unknown> =>
      Promise.all(ids.map((id) => cluster.order(id, { ready: to })));
    await all(ready);
    return () => all({ status: 200, delaysMs: [0] });
  },
  'kill-control': async (_, cluster) => {
    cluster.signalControl('SIGKILL');
    return undefined;
  },
  'freeze-control': async (_, cluster) => {
    cluster.signalControl('SIGSTOP');
    return () => cluster.signalControl('SIGCONT');
  },
  'keep-control-down': async (_, cluster) => {
    cluster.keepControlDown().catch((error: unknown) => {
      throw error;
    });
    return undefined;
  },
  'cut-worker': async ({ node, worker }, cluster) => {
    const name = `n${node}`;
    await cluster.net.setFaults(name, node, { cutWorker: worker });
    return () => cluster.net.setFaults(name, node, { cutWorker: undefined });
  },
};
