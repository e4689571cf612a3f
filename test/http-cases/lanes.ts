/**
 * Proxy lanes for HTTP cases: an engine in front of one node. Run as a program it opens lanes for a judge with its own
 * nodes. `lanes.ts PROXY_PORT NODE_PORT LANES` listens on PROXY_PORT, PROXY_PORT + 1 … in front of NODE_PORT, NODE_PORT + 1 …
 */

import { fileURLToPath } from 'node:url';
import { newLiveNumbers } from '@rollcall/core';
import { parseNodeId, parseRoute } from '@rollcall/protocol';
import { Engine, type Router, type UpstreamNode } from '@rollcall/proxy';
import { newUpstreamCounters } from '@rollcall/proxy/testing';

/** Time limits that cases with `timed` expect. */
const LIMITS = {
  headerTimeoutMs: 2_000,
  bodyTimeoutMs: 4_000,
  upstreamTimeoutMs: 2_000,
  upstreamIdleMs: 2_000,
  idleTimeoutMs: 4_000,
};

/** Path that a lane answers itself: when the answer is there, all that was read before has been acted upon. */
export const BARRIER_PATH = '/.barrier';

export interface ProxyLane {
  readonly port: number;
  close(): Promise<void>;
}

/** Opens a lane on `port` (0: any) in front of the node at `nodePort`, which speaks AJP if `isAjp`. */
export async function openLane(nodePort: number, port = 0, isAjp = false): Promise<ProxyLane> {
  const engine = new Engine({ router: oneNodeRouter(nodePort, isAjp), limits: LIMITS, healthPath: BARRIER_PATH });
  const address = await engine.listen({ host: '127.0.0.1', port });
  return { port: address.port, close: () => engine.close(0) };
}

/** Sends everything to one node, which announces its keep-alive so that its connections are used again. */
function oneNodeRouter(port: number, isAjp: boolean): Router {
  const node: UpstreamNode = {
    id: parseNodeId('node1')!,
    route: parseRoute('node1')!,
    host: '127.0.0.1',
    port,
    isTls: false,
    isAjp,
    authority: `127.0.0.1:${port}`,
    keepAliveMs: 5_000,
    readsLoadField: false,
    live: newLiveNumbers(),
    takesRequests: true,
    drainsUntilMs: Number.POSITIVE_INFINITY,
    counters: newUpstreamCounters(),
  };
  const choose: Router['choose'] = (_head, decision) => {
    decision.node = node;
    decision.retriesLeft = 2;
    return 'forward';
  };
  return {
    parkMs: () => 0,
    onChange: () => {},
    onNodeGone: () => {},
    onNodeLost: () => {},
    choose,
    askAgain: choose,
    chooseAgain: (_head, decision) => {
      decision.retriesLeft--;
      return decision.retriesLeft > 0 ? 'forward' : 'unavailable';
    },
    prefixAt: () => undefined,
    onSetCookie: () => {},
    onSend: () => {
      node.live.inFlight++;
    },
    onResponseHead: () => {},
    onEnd: () => {
      node.live.inFlight--;
    },
    onConnectFailure: () => {},
    onNodeClosed: () => {},
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [proxyPort = 0, nodePort = 0, lanes = 1] = process.argv.slice(2).map(Number);
  for (let lane = 0; lane < lanes; lane++) await openLane(nodePort + lane, proxyPort + lane);
  process.stdout.write('ready\n');
}
