import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessEntry } from './access-entry.ts';
import { startLane } from './lane.fixture.ts';
import { TraceContext, traceparentOf } from './trace-context.ts';
import { withLane } from './with-lane.fixture.ts';

const VALID = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('a traceparent is valid by the rules of its version', () => {
  for (const value of [VALID, VALID.replace('00-', 'cc-'), `${VALID.replace('00-', 'cc-')}-more`])
    assert.equal(traceparentOf(`Accept: */*\r\nTraceParent: ${value}\r\n`), value);
  for (const value of [
    '',
    VALID.toUpperCase(),
    VALID.replace('00-', 'ff-'),
    `${VALID}-more`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
    VALID.slice(1),
    `cc${VALID.slice(2)}-${'x'.repeat(600)}`,
  ])
    assert.equal(traceparentOf(`Traceparent: ${value}\r\n`), '', value);
  assert.equal(traceparentOf(''), '');
});

test('made ids are valid and differ, also beyond one pool', () => {
  const traces = new TraceContext();
  const made = new Set(Array.from({ length: 1_000 }, () => traces.begin({ forwarded: '' })));
  assert.equal(made.size, 1_000);
  for (const value of made) assert.equal(traceparentOf(`traceparent: ${value}\r\n`), value);
});

/** The `traceparent` and `tracestate` that the node receives, and the one in the access log, for requests with these fields. */
async function forwarded(makesTraces: boolean, requests: readonly string[]): Promise<string[][]> {
  const entries: AccessEntry[] = [];
  const received: string[] = [];
  const node = startLane(
    [
      (connection) => {
        void connection.heads().then(() => {
          received.push(connection.received);
          connection.write(OK);
        });
      },
    ],
    { makesTraces, onAccess: (entry) => entries.push(entry) },
  );
  await withLane(node, async (lane) => {
    for (const fields of requests) {
      const client = await lane.connect();
      await client.write(`GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${fields}\r\n`).ended();
      for (const connection of lane.nodes[0]!.connections) connection.socket.destroy();
    }
  });
  return received.map((text, i) => [
    ...[...text.matchAll(/^(trace(?:parent|state)): (.*)\r$/gim)].map(
      ([, name, value]) => `${name!.toLowerCase()} ${value}`,
    ),
    `log ${entries[i]!.traceparent}`,
  ]);
}

test('a traceparent is passed on unchanged and logged when it is valid; without the option none is made', async () => {
  const fields = [`traceparent: ${VALID}\r\ntracestate: a=1\r\n`, 'traceparent: odd\r\n', ''];
  assert.deepEqual(await forwarded(false, fields), [
    [`traceparent ${VALID}`, 'tracestate a=1', `log ${VALID}`],
    ['traceparent odd', 'log '],
    ['log '],
  ]);
});

test('with the option a missing or invalid traceparent is replaced, with the state of the invalid one', async () => {
  const fields = [`traceparent: ${VALID}\r\ntracestate: a=1\r\n`, 'traceparent: odd\r\ntracestate: a=1\r\n', ''];
  const [valid, invalid, none] = await forwarded(true, fields);
  assert.deepEqual(valid, [`traceparent ${VALID}`, 'tracestate a=1', `log ${VALID}`]);
  for (const lines of [invalid!, none!]) {
    assert.equal(lines.length, 2, lines.join());
    assert.match(lines[0]!, /^traceparent 00-[\da-f]{32}-[\da-f]{16}-01$/);
    assert.equal(lines[1], lines[0]!.replace('traceparent', 'log'));
  }
  assert.notEqual(invalid![0], none![0]);
});
