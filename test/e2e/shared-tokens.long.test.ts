/** Two `rollcall up` on one Redis: a token made at one works at the other, and its revocation ends connections at both. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { AGENT_PATH, AGENT_SUBPROTOCOL, type NodesResource, type TokenResult } from '@rollcall/protocol';
import { findRedisServer, HOW_TO_INSTALL, startRedisServer } from '@rollcall/store-redis/testing';
import { WebSocket } from 'ws';
import { startUp, type Up } from './up.ts';

const binary = findRedisServer();

function connect({ controlUrl }: Up, secret: string): WebSocket {
  const headers = { authorization: `Bearer ${secret}` };
  const socket = new WebSocket(`${controlUrl.replace(/^http/, 'ws')}${AGENT_PATH}`, [AGENT_SUBPROTOCOL], { headers });
  return socket.on('error', () => undefined);
}

test('a token made at one coordinator works at the other, and its revocation ends its connections at both', {
  skip: binary === undefined && HOW_TO_INSTALL,
  timeout: 120_000,
}, async (t) => {
  const redis = await startRedisServer(binary!);
  t.after(() => redis.close());
  const node = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1');
  await once(node, 'listening');
  t.after(() => node.close());
  const start = async (name: string): Promise<Up> => {
    const up = await startUp('--store', redis.url, '--name', name);
    t.after(() => up.close());
    return up;
  };
  const a = await start('a');
  const b = await start('b');
  const made = JSON.parse(await a.command('token', 'create', 'web', '--role', 'join', '--json')) as TokenResult;
  assert.deepEqual(made.coordinators, { applied: ['a', 'b'], pending: [], absent: [] });
  const secret = made.secret ?? '';

  const url = `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
  const closed: Promise<unknown[]>[] = [];
  for (const up of [a, b]) {
    const socket = connect(up, secret);
    t.after(() => socket.terminate());
    await once(socket, 'open');
    closed.push(once(socket, 'close'));
    socket.send(
      JSON.stringify({
        type: 'register',
        node: { id: 'web-1', balancer: 'web', url, instance: 'a'.repeat(32) },
      }),
    );
    const [answer] = (await once(socket, 'message')) as [Buffer];
    assert.equal((JSON.parse(answer.toString()) as { type: string }).type, 'registered');
  }
  const revoked = JSON.parse(await b.command('token', 'revoke', 'web', '--json')) as TokenResult;
  assert.deepEqual(revoked.coordinators, { applied: ['b', 'a'], pending: [], absent: [] });
  for (const [code] of await Promise.all(closed)) assert.equal(code, 4401);
  for (const up of [a, b]) {
    const { nodes } = await up.api<NodesResource>('GET', '/v1/nodes');
    assert.ok(nodes.every(({ liveness }) => liveness === 'gone'));
    const [, response] = (await once(connect(up, secret), 'unexpected-response')) as [unknown, IncomingMessage];
    assert.equal(response.statusCode, 401);
    response.destroy();
  }
});
