import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeId } from '@rollcall/protocol';
import { type DrainUse, MAX_NODES_IN_USE } from '../../replication/shared-store.ts';
import type { Usage } from '../node/drain.ts';
import { registerCommand } from '../registration.fixture.ts';
import { Registry } from '../registry.ts';
import { drainUse, withUseElsewhere } from './use-elsewhere.ts';

const N1 = parseNodeId('n1')!;
const UNUSED: Usage = { inFlight: 0, tunnels: 0, sessions: 0, sessionsSeenOnce: 0, waitingFor: [] };
const use = (nodes: DrainUse['nodes'], isWhole = true): DrainUse => ({ nodes, isWhole });

function drained(): Registry {
  const registry = new Registry({ startedAtMs: 0, isShared: true });
  registry.apply(registerCommand({ id: 'n1', connection: 1 }), 0);
  registry.apply({ type: 'reachable', id: N1, connection: 1, isReachable: true }, 0);
  registry.apply({ type: 'worker-joined', worker: 'w' }, 0);
  registry.apply({ type: 'use-elsewhere', coordinators: [{ name: 'b', use: undefined }] }, 0);
  registry.apply({ type: 'operator-status', target: { type: 'node', id: N1 }, status: 'draining', by: 'op' }, 10);
  registry.apply({ type: 'observe', worker: 'w', revision: registry.revision, nodes: [] }, 20);
  return registry;
}

test('an operator’s drain ends when no worker of another coordinator uses the node', () => {
  const registry = drained();
  const progress = () => registry.resource(N1, { nowMs: 30, nowUnixMs: 30 })!.drain!;
  const told = (known: DrainUse | undefined) =>
    registry.apply({ type: 'use-elsewhere', coordinators: [{ name: 'b', use: known }] }, 30);
  assert.deepEqual([progress().isDone, progress().waitingFor], [false, ['the other coordinators']]);
  told(undefined);
  assert.deepEqual([progress().isDone, progress().waitingFor], [false, ['coordinator b']]);
  told(use({ n1: [2, 1, 0, 1] }));
  assert.deepEqual([progress().isDone, progress().sessionsLeft, progress().tunnels], [false, 2, 1]);
  told(use({ n1: null }));
  assert.deepEqual(progress().waitingFor, ['coordinator b']);
  told(use({}, false));
  assert.deepEqual(progress().waitingFor, ['coordinator b'], 'the list may lack the node');
  const events = told(use({ n2: [1, 0, 0, 0] }));
  assert.ok(!('type' in events) && events.some(({ type }) => type === 'drained'));
  assert.equal(progress().isDone, true);
});

test('what another coordinator reported before a drain is no report on it', () => {
  const registry = drained();
  registry.apply({ type: 'operator-status', target: { type: 'node', id: N1 }, status: 'enabled', by: 'op' }, 30);
  registry.apply({ type: 'use-elsewhere', coordinators: [{ name: 'b', use: use({}) }] }, 30);
  registry.apply({ type: 'operator-status', target: { type: 'node', id: N1 }, status: 'draining', by: 'op' }, 40);
  registry.apply({ type: 'observe', worker: 'w', revision: registry.revision, nodes: [] }, 50);
  const { drain } = registry.resource(N1, { nowMs: 50, nowUnixMs: 50 })!;
  assert.deepEqual([drain?.isDone, drain?.waitingFor], [false, ['the other coordinators']]);
});

test('a deadline ends a drain although another coordinator is down', () => {
  const registry = drained();
  const target = { type: 'node', id: N1 } as const;
  registry.apply({ type: 'operator-status', target, status: 'draining', by: 'op', deadlineMs: 1_000 }, 30);
  const events = registry.apply({ type: 'tick' }, 1_030);
  assert.ok(!('type' in events));
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'drained' ? [event.cause] : [])),
    ['deadline'],
  );
  const { drain } = registry.resource(N1, { nowMs: 1_030, nowUnixMs: 1_030 })!;
  assert.deepEqual([drain?.isDone, drain?.waitingFor], [true, ['the other coordinators']]);
});

test('the drain that a node requests waits for the workers of this coordinator only', () => {
  const registry = drained();
  registry.apply({ type: 'operator-status', target: { type: 'node', id: N1 }, status: 'enabled', by: 'op' }, 30);
  registry.apply({ type: 'node-status', id: N1, connection: 1, status: 'draining' }, 40);
  const events = registry.apply({ type: 'observe', worker: 'w', revision: registry.revision, nodes: [] }, 50);
  assert.ok(!('type' in events) && events.some((event) => event.type === 'drained' && event.side === 'node'));
});

test('the use of nodes under an operator’s drain is announced, others are not, and too many are cut', () => {
  assert.deepEqual(drained().drainUse(), use({}));
  const one = (sessions: number, waitingFor: readonly string[] = []) => ({ ...UNUSED, sessions, waitingFor });
  const ids = Array.from({ length: MAX_NODES_IN_USE + 1 }, (_, i) => parseNodeId(`n${i}`)!);
  assert.deepEqual(
    drainUse([
      [ids[0]!, one(3)],
      [ids[1]!, one(0)],
      [ids[2]!, one(0, ['w'])],
    ]),
    use({ n0: [3, 0, 0, 0], n2: null }),
  );
  const cut = drainUse(ids.map((id) => [id, one(1)]));
  assert.deepEqual([cut.isWhole, Object.keys(cut.nodes).length], [false, MAX_NODES_IN_USE]);
});

test('numbers are sums over the coordinators', () => {
  const coordinators = [
    { name: 'b', use: use({ n1: [1, 2, 3, 4] }) },
    { name: 'c', use: use({ n1: [1, 0, 0, 0] }) },
  ];
  assert.deepEqual(withUseElsewhere({ ...UNUSED, sessions: 5 }, N1, coordinators), {
    sessions: 7,
    sessionsSeenOnce: 2,
    inFlight: 3,
    tunnels: 4,
    waitingFor: [],
  });
});
