import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NodeExplanation, parseBalancerName, parseNodeId } from '@rollcall/protocol';
import { nodeText } from './node-text.ts';

const EXPLANATION: NodeExplanation = {
  id: parseNodeId('shop-1')!,
  balancer: parseBalancerName('shop')!,
  because: [
    'load 42 %, which is cpu at 42 %: load factor 58',
    'its fair share is 50 %: one of 2 nodes of the same weight',
  ],
  load: 0.42,
  meanLoad: 0.42,
  loadFactor: 58,
  toldMs: 320,
  inFlight: 3,
  serviceMs: 12.345,
  metrics: [
    { name: 'cpu', value: 0.42, capacity: 1, weight: 1, role: 'limit', part: 0.42, mean: 0.4, isDecisive: true },
    {
      name: 'received',
      value: 2.5e6,
      unit: 'B/s',
      capacity: 1.25e8,
      weight: 0,
      role: 'shown',
      part: 0.02,
      mean: 0,
      isDecisive: false,
    },
    { name: 'disk', role: 'unknown', part: 0.1, mean: 0.1, isDecisive: false },
  ],
  requests: { count: 12.34, share: 0.49, fairShare: 0.5 },
  sessions: { count: 140, share: 0.52, fairShare: 0.5 },
  sessionsSeenOnce: 12,
};

test('a node is explained on one screen: sentences, shares, metrics', () => {
  assert.equal(
    nodeText(EXPLANATION),
    `shop-1 of balancer shop: load 42 %, over the last ten reports 42 %, load factor 58, in flight 3, 12.35 ms a request, last report 320ms ago
  load 42 %, which is cpu at 42 %: load factor 58
  its fair share is 50 %: one of 2 nodes of the same weight

           NOW      SHARE  FAIR SHARE
requests   12.34/s  49 %   50 %
sessions   140      52 %   50 %
seen once  12

METRIC      VALUE      CAPACITY     WEIGHT  COUNTS AS   NOW   LAST 10
* cpu       0.42       1            1       limit       42 %  40 %
  received  2.4 MiB/s  119.2 MiB/s  0       shown only  2 %   0 %
  disk                                                  10 %  10 %`,
  );
});

test('a node without reports has no metrics table', () => {
  const { load: _load, meanLoad: _mean, inFlight: _inFlight, serviceMs: _serviceMs, ...rest } = EXPLANATION;
  const text = nodeText({ ...rest, metrics: [], toldMs: -1 });
  assert.match(text, /^shop-1 of balancer shop: load –, load factor 58, no report yet\n/);
  assert.doesNotMatch(text, /METRIC/);
});
