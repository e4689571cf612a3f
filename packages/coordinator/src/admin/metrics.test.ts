import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { FEED_PATH, FEED_SUBPROTOCOL, NO_COUNTERS } from '@rollcall/feed';
import { AGENT_PATH, AGENT_SUBPROTOCOL, type NodeResource } from '@rollcall/protocol';
import { startTestCoordinator, TEST_FEED_TOKEN, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';
import { TestSocket } from '../testing/test-socket.ts';
import { labelValue, slicedMetrics } from './sliced-metrics.ts';

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function metricsOf({ api }: TestCoordinator): Promise<string> {
  return (await api('/metrics')).text;
}

/** Reads the metrics until they match. The time limit of the test ends a wait in vain. */
async function until(started: TestCoordinator, row: RegExp): Promise<string> {
  for (;;) {
    const text = await metricsOf(started);
    if (row.test(text)) return text;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const ANSWERS = { statusClasses: [0, 4, 0, 0, 2], latencyBuckets: [1, 0, 0, 5], latencySumMs: 9.5 };

test('rows of a node and its balancer have the state and what the workers counted, and a missing node keeps them', async () => {
  const started = await startTestCoordinator();
  closers.push(() => started.close());
  const { agentsUrl } = started.coordinator;
  const program = await startTestNode();
  const agent = await TestSocket.open(`${agentsUrl}${AGENT_PATH}`, AGENT_SUBPROTOCOL, { headers: {} });
  closers.push(() => agent.terminate());
  const node = { id: 'n1', balancer: 'shop', url: program.url, group: 'eu', version: '1.4 "beta"' };
  agent.send({ type: 'register', node });
  await agent.next('registered');
  await until(started, /^rollcall_node_up\{node="n1",balancer="shop"\} 1$/m);

  const headers = { authorization: `Bearer ${TEST_FEED_TOKEN}` };
  const worker = await TestSocket.open(`${agentsUrl}${FEED_PATH}`, FEED_SUBPROTOCOL, { headers });
  closers.push(() => worker.terminate());
  worker.send({ type: 'hello', worker: 'w0', pid: 1, version: '1' });
  const { revision } = await worker.next('commit');
  worker.send({ type: 'observed', id: 'n1', what: 'ejected', reason: 'slow', cause: 'slow' });
  worker.send({
    type: 'counters',
    revision,
    nodes: [{ id: 'n1', requests: 7, failures: 1, answers: ANSWERS }],
    totals: { ...NO_COUNTERS, requests: 10, statusClasses: [0, 4, 0, 1, 4] },
    balancers: [
      {
        name: 'shop',
        requests: 8,
        unavailable: 1,
        failures: 1,
        retries: [3],
        stickyResults: [2, 1, 3],
        answers: ANSWERS,
      },
    ],
  });
  const text = await until(started, /^rollcall_requests_total\{balancer="shop"\} 8$/m);
  for (const row of [
    'rollcall_node_info{node="n1",balancer="shop",group="eu",version="1.4 \\"beta\\""} 1',
    'rollcall_node_status{node="n1",balancer="shop",status="enabled",requested="enabled"} 1',
    'rollcall_node_responses_total{node="n1",balancer="shop",class="5xx"} 2',
    'rollcall_node_latency_seconds_sum{node="n1",balancer="shop"} 0.0095',
    'rollcall_node_latency_seconds_count{node="n1",balancer="shop"} 6',
    'rollcall_node_ejections_total{node="n1",balancer="shop",cause="slow"} 1',
    'rollcall_balancer_eligible_nodes{balancer="shop"} 1',
    'rollcall_responses_total{balancer="shop",class="5xx"} 2',
    'rollcall_responses_total{balancer="",class="5xx"} 2',
    'rollcall_requests_total{balancer=""} 2',
    'rollcall_retries_total{balancer="shop",reason="refused"} 3',
    'rollcall_sticky_results_total{balancer="shop",result="sticky"} 3',
    'rollcall_upstream_latency_seconds_bucket{balancer="shop",le="0.0005"} 1',
    'rollcall_upstream_latency_seconds_bucket{balancer="shop",le="+Inf"} 6',
    'rollcall_upstream_latency_seconds_sum{balancer="shop"} 0.0095',
    'rollcall_worker_lag_revisions{worker="w0"} 0',
  ])
    assert.ok(text.includes(`\n${row}\n`), `${row} is missing`);
  assert.match(text, /^rollcall_node_heartbeat_age_seconds\{node="n1",balancer="shop"\} [\d.]+$/m);
  assert.match(text, /^rollcall_build_info\{version="0.0.0-test",node_version="v[\d.]+"\} 1$/m);
  assert.doesNotMatch(text, /^rollcall_node_drain_/m);

  const drain = { method: 'POST', body: { deadlineMs: 600_000, force: true } };
  assert.equal((await started.api('/v1/nodes/n1/drain', drain)).status, 200);
  const draining = await metricsOf(started);
  assert.match(
    draining,
    /^rollcall_node_status\{node="n1",balancer="shop",status="draining",requested="draining"\} 1$/m,
  );
  assert.match(draining, /^rollcall_node_drain_seconds_left\{node="n1",balancer="shop"\} (?:59\d|600)$/m);
  assert.match(draining, /^rollcall_node_drain_sessions\{node="n1",balancer="shop"\} 0$/m);
  assert.match(draining, /^rollcall_balancer_eligible_nodes\{balancer="shop"\} 0$/m);

  await program.close();
  worker.send({ type: 'ports', ports: [['n1', 'refused']] });
  agent.terminate();
  const missing = await until(started, /^rollcall_balancer_missing_nodes\{balancer="shop"\} 1$/m);
  assert.match(missing, /^rollcall_node_up\{node="n1",balancer="shop"\} 0$/m);
  assert.match(missing, /^rollcall_node_requests_total\{node="n1",balancer="shop"\} 7$/m);
  assert.match(missing, /^rollcall_node_missing\{node="n1",balancer="shop"\} 1$/m);
  const known = await started.api('/v1/nodes/n1/acknowledge', { method: 'POST', body: { reason: 'known' } });
  assert.equal(known.status, 200, known.text);
  const later = await metricsOf(started);
  assert.doesNotMatch(later, /node="n1"/);
  assert.equal((await started.api('/v1/nodes/n1')).json<NodeResource>().liveness, 'missing');
});

test('rows of one metric stand together, also when the subjects come in slices', async () => {
  let text = '';
  const metrics = [
    { name: 'a', help: 'A', type: 'gauge' as const, value: (n: number) => (n === 2 ? undefined : n) },
    { name: 'b', help: 'B', type: 'counter' as const, value: (n: number) => -n },
  ];
  for await (const piece of slicedMetrics(metrics, [[1, 2], [], [3]], (n) => `n="${n}"`)) text += piece;
  assert.equal(
    text,
    '# HELP a A\n# TYPE a gauge\na{n="1"} 1\na{n="3"} 3\n\n# HELP b B\n# TYPE b counter\nb{n="1"} -1\nb{n="2"} -2\nb{n="3"} -3\n\n',
  );
  assert.equal(labelValue('a\\b"c\nd'), 'a\\\\b\\"c\\nd');
});
