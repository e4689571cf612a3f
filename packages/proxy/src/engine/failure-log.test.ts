import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '@rollcall/core/testing';
import { FAILURE } from './failure.ts';
import { FailureLog } from './failure-log.ts';
import { startLane } from './lane.fixture.ts';
import { answering, ok } from './raw-node.fixture.ts';
import { upstreamNode } from './scripted-router.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

type Line = readonly [fields: Readonly<Record<string, unknown>>, message: string];

function collect(): { readonly lines: Line[]; readonly log: ConstructorParameters<typeof FailureLog>[0] } {
  const lines: Line[] = [];
  return { lines, log: { debug: () => {}, warn: (fields, message) => lines.push([fields as Line[0], message]) } };
}

const REQUEST = { attempts: 1, requestId: 'r-1', status: 504 } as const;

test('a node has at most one line a second, which counts the requests since the last one', () => {
  const { lines, log } = collect();
  const failures = new FailureLog(log);
  const [a, b] = [upstreamNode('a', 3_000), upstreamNode('b', 3_001)];
  for (const [node, atMs] of [
    [a, 0],
    [a, 400],
    [b, 500],
    [a, 999],
    [a, 1_000],
    [a, 3_000],
  ] as const)
    failures.note({ ...REQUEST, node, failure: FAILURE.headTimeout }, atMs);
  assert.deepEqual(
    lines.map(([{ node, unlogged }]) => [node, unlogged]),
    [
      ['a', undefined],
      ['b', undefined],
      ['a', 2],
      ['a', undefined],
    ],
  );
});

test('a failure of the client makes no line', () => {
  const { lines, log } = collect();
  new FailureLog(log).note({ ...REQUEST, node: upstreamNode('a', 3_000), failure: FAILURE.client }, 0);
  assert.deepEqual(lines, []);
});

test('a 502 leaves a line with node, errno, phase, attempt and request id; a retry that succeeds leaves none', () => {
  const { lines, log } = collect();
  return withLane(startLane([answering(() => ok())], { log: log! }), async (lane) => {
    const port = await freePort();
    lane.router.nodes.unshift(upstreamNode('dead', port));
    const client = await lane.connect();
    const get = (id: string): string => `GET /a HTTP/1.1\r\nHost: shop.example\r\nX-Request-Id: ${id}\r\n\r\n`;
    await client.write(get('retried')).sees('\r\n\r\nok');
    assert.deepEqual(lines, []);
    lane.router.nodes.unshift(upstreamNode('dead', port));
    lane.router.retries = 0;
    await client.write(get('lost')).sees('HTTP/1.1 502');
    assert.deepEqual(lines, [
      [
        {
          node: 'dead',
          address: `127.0.0.1:${port}`,
          cause: 'connection refused',
          code: 'ECONNREFUSED',
          phase: 'connect',
          attempts: 1,
          requestId: 'lost',
          status: 502,
        },
        'request failed at node dead: connection refused (ECONNREFUSED); answered 502',
      ],
    ]);
  });
});

test('an answer that breaks off leaves a line without a status', () => {
  const { lines, log } = collect();
  const broken = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart';
  const lane = startLane([(connection) => connection.heads().then(() => connection.socket.end(broken))], { log: log! });
  return withLane(lane, async ({ connect }) => {
    const client = await connect();
    await client.write('GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\n').sees('part');
    await client.ended;
    assert.equal(lines.length, 1);
    const [[fields, message]] = lines as [Line];
    assert.deepEqual([fields['node'], fields['status'], fields['phase']], ['n1', undefined, 'node-within-answer']);
    assert.match(message, /^request failed at node n1: .*; the answer broke off$/);
  });
});
