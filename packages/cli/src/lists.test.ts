import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { AdminClient } from './admin-client.ts';
import { balancersOf, nodesOf } from './lists.ts';

interface Coordinator {
  readonly paths: string[];
  readonly client: AdminClient;
  close(): void;
}

/** Answers each path with its own body. */
async function coordinator(bodies: Readonly<Record<string, object>>): Promise<Coordinator> {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path !== '/livez') paths.push(path);
    response.setHeader('content-type', 'application/json');
    response.end(path === '/livez' ? 'ok\n' : JSON.stringify(bodies[path] ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = await AdminClient.connect({ coordinator: `http://127.0.0.1:${port}` }, {});
  return {
    paths,
    client,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const node = (id: string, balancer: string, liveness = 'up') => ({ id, balancer, liveness });

test('nodes of all pages are one list, gone ones last, in order of balancer and id', async () => {
  const started = await coordinator({
    '/v1/nodes?all=true&balancer=shop': { nodes: [node('a', 'wiki'), node('b', 'shop', 'gone')], next: 'b' },
    '/v1/nodes?all=true&balancer=shop&after=b': { nodes: [node('c', 'shop'), node('d', 'shop')], next: 'd' },
    '/v1/nodes?all=true&balancer=shop&after=d': { nodes: [] },
  });
  try {
    const nodes = await nodesOf(started.client, { all: true, balancer: 'shop' });
    assert.deepEqual(
      nodes.map(({ id }) => id),
      ['c', 'd', 'a', 'b'],
    );
    assert.equal(started.paths.length, 3);
  } finally {
    started.close();
  }
});

test('a coordinator of an earlier release answers the whole list at once', async () => {
  const started = await coordinator({
    '/v1/nodes': { nodes: [node('a', 'shop')] },
    '/v1/balancers': { balancers: [{ name: 'shop' }] },
  });
  try {
    assert.deepEqual((await nodesOf(started.client)).length, 1);
    assert.deepEqual((await balancersOf(started.client)).length, 1);
    assert.deepEqual(started.paths, ['/v1/nodes', '/v1/balancers']);
  } finally {
    started.close();
  }
});
