import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeId } from '@rollcall/protocol';
import { contextFor } from '../../contexts/context-for.ts';
import { registerCommand } from '../registration.fixture.ts';
import { Registry } from '../registry.ts';

/** A registry whose nodes, each `id path[,path] host`, wait for their first probe. */
function joining(...nodes: readonly string[]): Registry {
  const registry = new Registry({ startedAtMs: 0 });
  for (const [i, text] of nodes.entries()) {
    const [name = '', path = '', host = '*'] = text.split(' ');
    const command = registerCommand({
      id: name,
      url: `http://10.0.0.5:${3_000 + i}`,
      connection: i,
      paths: path.split(','),
      host,
    });
    const outcome = registry.apply(command, 0);
    assert.ok(!('type' in outcome), JSON.stringify(outcome));
  }
  return registry;
}

const CASES: readonly [what: string, nodes: readonly string[], host: string, target: string, found: string][] = [
  ['no node', [], 'a.test', '/', ''],
  ['another path', ['a /shop'], 'a.test', '/shopping', ''],
  ['another host', ['a / b.test'], 'a.test', '/', ''],
  ['the path', ['a /shop'], 'a.test', '/shop/cart?x', 'context /shop of balancer a waits for node a'],
  ['the host, with a port, in capitals', ['a / a.test'], 'A.test:8080', '/', 'context / on a.test of balancer a waits'],
  ['no host', ['a /', 'b / b.test'], '', '/', 'context / of balancer a waits'],
  ['the longest path of a host', ['a /', 'b /x/y', 'c /x'], '', '/x/y/z', 'context /x/y of balancer b'],
  ['an exact host before a suffix', ['a /x *.test', 'b / a.test'], 'a.test', '/x', 'context / on a.test of balancer b'],
  ['the longest suffix', ['a /x *.test', 'b / *.a.test'], 'b.a.test', '/x', 'context / on *.a.test of balancer b'],
  ['a suffix before all hosts', ['a /x', 'b / *.test'], 'a.test', '/x', 'context / on *.test of balancer b'],
];

for (const [what, nodes, host, target, found] of CASES)
  void test(`a context that waits for a joining node is found by ${what}`, () => {
    const message = contextFor(joining(...nodes).snapshot(0).joining, { host, target })?.message ?? '';
    assert.ok(found === '' ? message === '' : message.startsWith(found), message);
  });

void test('the message has the reason, and ends when the node is up', () => {
  const registry = joining('a /');
  const id = parseNodeId('a')!;
  const message = () => contextFor(registry.snapshot(0).joining, { host: '', target: '/' })?.message;
  assert.equal(message(), 'context / of balancer a waits for node a, which is joining: being probed');
  registry.apply({ type: 'reachable', id, connection: 0, isReachable: false, detail: 'connection refused' }, 0);
  assert.match(message()!, /joining: the coordinator cannot reach it: connection refused$/);
  registry.apply({ type: 'reachable', id, connection: 0, isReachable: true }, 0);
  assert.equal(message(), undefined);
});

void test('each change of the joining nodes is a change of the feed', () => {
  const registry = joining('a /');
  const id = parseNodeId('a')!;
  const listed = () => {
    const changes = registry.takeChanges().filter(({ type }) => type === 'joining');
    return changes.map((change) => (change.type === 'joining' ? change.contexts.map(({ message }) => message) : []));
  };
  assert.deepEqual(listed(), [['context / of balancer a waits for node a, which is joining: being probed']]);
  registry.apply({ type: 'tick' }, 1);
  assert.deepEqual(listed(), []);
  for (const detail of ['refused', 'no route']) {
    registry.apply({ type: 'reachable', id, connection: 0, isReachable: false, detail }, 1);
    assert.ok(listed()[0]![0]!.endsWith(`cannot reach it: ${detail}`));
    registry.apply({ type: 'reachable', id, connection: 0, isReachable: false, detail }, 1);
    assert.deepEqual(listed(), [], 'the same again');
  }
  registry.apply({ type: 'reachable', id, connection: 0, isReachable: true }, 2);
  assert.deepEqual(listed(), [[]]);
});

void test('at most 64 contexts are listed, those of the longest joining nodes', () => {
  const names = Array.from({ length: 40 }, (_, i) => `n${i} /c${i},/d${i}`);
  const { joining: listed } = joining(...names).snapshot(0);
  assert.deepEqual([listed.length, listed[0]?.path, listed[63]?.path], [64, '/c0', '/d31']);
});
