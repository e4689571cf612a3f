import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GroupName, parseGroupName, parseNodeId } from '@rollcall/protocol';
import { type FailoverCandidate, failoverNode, type LostSession } from './failover.ts';
import { hashText } from './text-hash.ts';

function node(id: string, group?: string, weight = 1): FailoverCandidate {
  return { id: parseNodeId(id)!, weight, group: group === undefined ? undefined : parseGroupName(group) };
}

function lost(failover: LostSession['failover'], group?: string, hash = 1): LostSession {
  const name: GroupName | undefined = group === undefined ? undefined : parseGroupName(group);
  return { failover, group: name, hash };
}

const NONE = new Set<FailoverCandidate['id']>();
const nodes = [node('a', 'eu'), node('b', 'eu'), node('c', 'us'), node('d')];

void test('any prefers the group of the lost node and takes others when it has to', () => {
  for (let hash = 0; hash < 200; hash++) {
    const first = failoverNode(nodes, lost('any', 'eu', hash), NONE);
    assert.equal(first?.group, 'eu');
    const second = failoverNode(nodes, lost('any', 'eu', hash), new Set([first!.id]));
    assert.equal(second?.group, 'eu');
    const third = failoverNode(nodes, lost('any', 'eu', hash), new Set([first!.id, second!.id]));
    assert.ok(third && third.group !== 'eu');
  }
});

void test('group takes no node from outside, and all nodes when the lost node had no group', () => {
  assert.equal(failoverNode(nodes, lost('group', 'us'), NONE)?.id, 'c');
  assert.equal(failoverNode(nodes, lost('group', 'us'), new Set([nodes[2]!.id])), undefined);
  assert.ok(failoverNode(nodes, lost('group'), NONE));
});

void test('with failover none no node is taken', () => {
  assert.equal(failoverNode(nodes, lost('none', 'eu'), NONE), undefined);
});

void test('a session comes to the same node in any order of nodes, and stays there when another one goes', () => {
  for (let i = 0; i < 200; i++) {
    const session = lost('any', undefined, hashText(`session${i}`, 0));
    const chosen = failoverNode(nodes, session, NONE)!;
    assert.equal(failoverNode([...nodes].reverse(), session, NONE), chosen);
    const other = nodes.find((one) => one !== chosen)!;
    assert.equal(
      failoverNode(
        nodes.filter((one) => one !== other),
        session,
        NONE,
      ),
      chosen,
    );
  }
});

void test('the sessions of a lost node spread over the others by weight', () => {
  const weighted = [node('a', undefined, 1), node('b', undefined, 2), node('c', undefined, 5)];
  const counts = new Map<string, number>();
  for (let i = 0; i < 40_000; i++) {
    const id = failoverNode(weighted, lost('any', undefined, hashText(`s${i}`, 0)), NONE)!.id;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  for (const { id, weight } of weighted)
    assert.ok(Math.abs(counts.get(id)! / 40_000 - weight / 8) < 0.01, `${id}: ${counts.get(id)}`);
});
