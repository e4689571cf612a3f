import assert from 'node:assert/strict';
import { test } from 'node:test';
import { feedBalancer, feedNode, goneChange, TestCluster } from '../cluster/cluster.fixture.ts';
import { FAILURE } from '../engine/failure.ts';

const STRIPPING = { stripPrefix: true, paths: ['/shop'] };

void test('the context of the request is the prefix, for nodes that ask for it', () => {
  for (const [spec, target, expected] of [
    [STRIPPING, '/shop/cart', '/shop'],
    [STRIPPING, '/shop', '/shop'],
    [{ paths: ['/shop'] }, '/shop/cart', ''],
    [{ stripPrefix: true }, '/shop/cart', ''],
    [{ stripPrefix: true, paths: ['/', '/a', '/a/b'] }, '/c', ''],
    [{ stripPrefix: true, paths: ['/', '/a', '/a/b'] }, '/a/c', '/a'],
    [{ stripPrefix: true, paths: ['/', '/a', '/a/b'] }, '/a/b/c', '/a/b'],
  ] as const) {
    for (const mode of ['insert', 'suffix', 'rewrite', 'none'] as const) {
      const cluster = new TestCluster();
      cluster.fill([feedNode('a', spec)], { balancers: [feedBalancer({ mode })] });
      assert.equal(cluster.request('', target).decision.prefix, expected, `${mode} ${target}`);
      assert.equal(
        cluster.request('rc_route=x.a; JSESSIONID=x.a', target).decision.prefix,
        expected,
        `${mode} ${target}`,
      );
    }
  }
});

void test('a path that leaves the prefix once it is decoded or its dots are removed is refused', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', STRIPPING)]);
  for (const [target, choice] of [
    ['/shop/a/../b', 'forward'],
    ['/shop/a%2Fb', 'forward'],
    ['/shop/..', 'ambiguous'],
    ['/shop/../admin', 'ambiguous'],
    ['/shop/%2e%2e/admin', 'ambiguous'],
    ['/shop/a/../../admin', 'ambiguous'],
    ['/sh%6Fp/cart', 'ambiguous'],
    ['/x/../shop/cart', 'ambiguous'],
    ['/shopping', 'not-found'],
    ['/Shop', 'not-found'],
  ] as const)
    assert.equal(cluster.ask('', target).choice, choice, target);
});

void test('each attempt of a request has the prefix of its node', () => {
  const nodes = [feedNode('a', { ...STRIPPING, port: 3_001 }), feedNode('b', { paths: ['/shop'], port: 3_002 })];
  const prefixes = new Map([
    ['a', '/shop'],
    ['b', ''],
  ]);
  const cluster = new TestCluster();
  cluster.fill(nodes, { balancers: [feedBalancer({ mode: 'none' }, { algorithm: 'round-robin' })] });
  const orders = new Set<string>();
  for (let i = 0; i < 4; i++) {
    const first = cluster.ask('', '/shop/cart');
    assert.equal(first.decision.prefix, prefixes.get(first.node));
    const second = cluster.fail(first, FAILURE.refused, '', '/shop/cart');
    assert.equal(second.decision.prefix, prefixes.get(second.node));
    orders.add(`${first.node} ${second.node}`);
    cluster.answer(second);
    // Each turn takes two picks of the rotation; one more changes the order.
    cluster.request('', '/shop/cart');
    for (const id of ['a', 'b']) cluster.probed(id);
  }
  assert.deepEqual([...orders].sort(), ['a b', 'b a']);
});

void test('a session that moves gets the prefix of its new node', () => {
  for (const [from, to, prefix] of [
    ['a', 'b', ''],
    ['b', 'a', '/shop'],
  ] as const) {
    const cluster = new TestCluster();
    cluster.fill([feedNode('a', { ...STRIPPING, port: 3_001 }), feedNode('b', { paths: ['/shop'], port: 3_002 })]);
    cluster.change(goneChange(from));
    const moved = cluster.request(`rc_route=x.${from}`, '/shop/cart');
    assert.deepEqual([moved.node, moved.decision.prefix], [to, prefix]);
  }
});

void test('the setting of the last registration applies', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', STRIPPING)]);
  for (const stripPrefix of [true, false, true]) {
    cluster.change({ type: 'node', node: feedNode('a', { paths: ['/shop'], stripPrefix }) });
    assert.equal(cluster.request('', '/shop/cart').decision.prefix, stripPrefix ? '/shop' : '');
  }
});

void test('redirects are recognised by the address of any node of the same balancer, with the prefix of that node', () => {
  const cluster = new TestCluster();
  cluster.fill(
    [
      feedNode('a', { ...STRIPPING, port: 3_001 }),
      feedNode('b', { paths: ['/shop'], port: 3_002 }),
      feedNode('c', { stripPrefix: true, paths: ['/pay', '/shop'], port: 3_003, liveness: 'suspect' }),
      feedNode('d', { stripPrefix: true, paths: ['/pay'], port: 3_004 }),
      feedNode('e', { balancer: 'other', paths: ['/other'], port: 3_005 }),
    ],
    { balancers: [feedBalancer(), feedBalancer({}, {}, 'other')] },
  );
  const { decision } = cluster.request('', '/shop/cart');
  const at = (port: number): string | undefined => cluster.router.prefixAt(decision, `localhost:${port}`);
  assert.deepEqual([3_001, 3_002, 3_003, 3_004, 3_005, 3_006].map(at), [
    '/shop',
    '',
    '/shop',
    '/pay',
    undefined,
    undefined,
  ]);
  cluster.change(goneChange('d', 'left'));
  assert.equal(at(3_004), undefined);
  // A node that takes over the address stays when the old one goes.
  cluster.change({ type: 'node', node: feedNode('f', { paths: ['/shop'], port: 3_003 }) });
  cluster.change(goneChange('c', 'taken'));
  assert.equal(at(3_003), '');
});
