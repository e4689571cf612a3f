import assert from 'node:assert/strict';
import { test } from 'node:test';
import { feedBalancer, feedNode, TestCluster } from '../cluster/cluster.fixture.ts';
import { ASSIGN_PATH } from './assignment.ts';

/** Requests an assignment of `balancer`; `''` when no node is assigned. */
function assigned(cluster: TestCluster, balancer: string, host: string, cookie = ''): string {
  const target = `${ASSIGN_PATH}?balancer=${balancer}`;
  const answer = cluster.router.own({ method: 'GET', host, target, cookie }, cluster.clock.nowMs());
  assert.ok(answer);
  return answer.status.startsWith('200') ? (JSON.parse(answer.body) as { node: string }).node : '';
}

void test('only nodes of the requested balancer are assigned, for any host of the request', () => {
  const cluster = new TestCluster();
  cluster.fill(
    [
      feedNode('game-1', { balancer: 'game' }),
      feedNode('any-1', { balancer: 'any', hosts: ['*.example'] }),
      feedNode('shop-1', { balancer: 'shop', hosts: ['shop.example', 'any.example'] }),
    ],
    {
      balancers: [
        feedBalancer({}, { assign: true }, 'game'),
        feedBalancer({}, { assign: true }, 'any'),
        feedBalancer({}, {}, 'shop'),
      ],
    },
  );
  for (const host of ['other.test', 'shop.example', 'any.example', 'a.example', '']) {
    assert.equal(assigned(cluster, 'game', host), 'game-1', host);
    assert.equal(assigned(cluster, 'any', host), 'any-1', host);
    assert.equal(assigned(cluster, 'shop', host), '', host);
  }
});
