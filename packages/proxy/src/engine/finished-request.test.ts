import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FailedAttempt, RequestRecorder } from './finished-request.ts';
import { startLane } from './lane.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

interface Recorded {
  readonly requestId: string;
  readonly path: string | undefined;
  readonly status: number;
  readonly node?: string | undefined;
  readonly attempts?: number;
  readonly failed?: readonly FailedAttempt[];
  readonly isAnswered?: boolean;
  readonly waitedMs?: number;
  readonly why?: string;
}

function recorder(): RequestRecorder & { readonly records: readonly Recorded[] } {
  const records: Recorded[] = [];
  return {
    records,
    finished: ({ requestId, head, decision, attempts, failedAttempts, upstreamMs, waitedMs }, status) =>
      records.push({
        requestId,
        path: head.target,
        status,
        node: decision.node?.id,
        attempts,
        failed: [...(failedAttempts ?? [])],
        isAnswered: upstreamMs >= 0,
        waitedMs,
      }),
    refused: (requestId, head, status, why) => records.push({ requestId, path: head?.target, status, why }),
  };
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('a request that was retried is recorded with each attempt', () => {
  const recorded = recorder();
  return withLane(
    startLane(
      [
        (connection) => connection.socket.end(),
        (connection) => void connection.heads().then(() => connection.write(OK)),
      ],
      {
        recorder: recorded,
      },
    ),
    async (lane) => {
      const client = await lane.connect();
      await client.write('GET /a HTTP/1.1\r\nHost: h\r\nX-Request-Id: abc\r\n\r\n').sees('ok');
      const [first] = recorded.records;
      assert.deepEqual(
        [first?.requestId, first?.path, first?.status, first?.node, first?.isAnswered],
        ['abc', '/a', 200, 'n2', true],
      );
      assert.equal(first?.attempts, first!.failed!.length + 1);
      assert.ok(first?.failed?.every(({ node, how }) => node === 'n1' && how !== ''));
    },
  );
});

test('the id of a refused request is in its answer and in its record', () => {
  const recorded = recorder();
  return withLane(startLane([() => {}], { recorder: recorded, healthPath: '/healthz' }), async (lane) => {
    const client = await lane.connect();
    const answer = await client.write('GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n').ended();
    const id = /\r\nX-Request-Id: (\S+)\r\n/.exec(client.received)?.[1];
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.ok(id !== undefined && client.received.includes(`request ${id}`), client.received);
    const [{ requestId, status, why }] = recorded.records as [Recorded];
    assert.deepEqual([requestId, status], [id, 400]);
    assert.ok(why);
    const health = await lane.connect();
    const pong = await health.write('GET /healthz HTTP/1.1\r\nHost: h\r\nX-Request-Id: mine\r\n\r\n').sees('ok\n');
    assert.match(pong, /\r\nX-Request-Id: mine\r\n/);
    assert.equal(recorded.records.length, 1, 'health checks are not recorded');
  });
});

test('a client that leaves, and a request without a node, are recorded', () => {
  const recorded = recorder();
  return withLane(startLane([(connection) => void connection.heads()], { recorder: recorded }), async (lane) => {
    const client = await lane.connect();
    client.write('GET /slow HTTP/1.1\r\nHost: h\r\n\r\n');
    await lane.reported('send n1');
    client.close();
    await lane.reported('end n1 client');
    lane.router.choice = 'unavailable';
    const other = await lane.connect();
    await other.write('GET /none HTTP/1.1\r\nHost: h\r\n\r\n').sees('request ');
    assert.deepEqual(
      recorded.records.map(({ path, status, attempts, isAnswered }) => [path, status, attempts, isAnswered]),
      [
        ['/slow', 499, 1, false],
        ['/none', 503, 0, false],
      ],
    );
  });
});
