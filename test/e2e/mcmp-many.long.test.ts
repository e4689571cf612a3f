/** 500 nodes of one host register over MCMP at once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@rollcall/core/testing';
import { NodeClient } from '@rollcall/mcmp/testing';
import type { StatusResource } from '@rollcall/protocol';
import { startUp, until } from './up.ts';

const NODES = 500;
const TICK_MS = 10_000;
const VISIT_EVERY_MS = 20;

test('all nodes are up, and no request for another context fails until then', { timeout: 180_000 }, async (t) => {
  const mcmpPort = await freePort();
  const up = await startUp('--mcmp', `127.0.0.1:${mcmpPort}`);
  const servers: Server[] = [];
  const nodes: NodeClient[] = [];
  const start = async (route: string, contexts: readonly string[]): Promise<void> => {
    const server = createServer((_, response) => response.end(route)).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const node = new NodeClient({ mcmpPort, route, port: (server.address() as AddressInfo).port, contexts });
    nodes.push(node);
    node.start(TICK_MS);
  };
  const statuses: number[] = [];
  const visit = async (): Promise<void> => {
    const response = await fetch(`${up.proxyUrl}/other`);
    await response.body?.cancel();
    statuses.push(response.status);
  };
  try {
    await start('other', ['/other']);
    await until(async () => {
      await visit();
      return statuses.at(-1) === 200;
    }, 'the first node to be served');
    statuses.length = 0;

    let isOver = false;
    const visits = (async () => {
      while (!isOver) {
        await visit();
        await sleep(VISIT_EVERY_MS);
      }
    })();
    const beganMs = performance.now();
    for (let number = 0; number < NODES; number++) await start(`m${number}`, ['/a', '/b']);
    await until(
      async () =>
        nodes.every(({ state }) => state === 'OK') &&
        (await up.api<StatusResource>('GET', '/v1/status')).nodes.up > NODES,
      'all nodes to be up',
      120_000,
    );
    const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1);
    isOver = true;
    await visits;
    t.diagnostic(`${NODES} nodes with 2 contexts each are up after ${seconds} s; ${statuses.length} other requests`);
    assert.ok(statuses.length > 10, `${statuses.length} requests`);
    assert.deepEqual([...new Set(statuses)], [200]);
  } finally {
    for (const node of nodes) node.close();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    await up.close();
  }
});
