/** Requests of nodes that wait for the budget of their balancer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BalancerName, NodeId } from '@rollcall/protocol';
import type { Event } from './events.ts';
import { registerCommand } from './registration.fixture.ts';
import { Registry } from './registry.ts';

const SHOP = 'shop' as BalancerName;

class World {
  readonly registry = new Registry({ startedAtMs: 0, learningMs: 0 });
  nowMs = 0;
  events: string[] = [];

  constructor(minEligible?: number) {
    if (minEligible === undefined) return;
    this.apply({ type: 'balancer-settings', name: SHOP, source: 'operator', patch: { minEligible }, by: 'op' });
  }

  apply(command: Parameters<Registry['apply']>[0]): void {
    const outcome = this.registry.apply(command, this.nowMs);
    assert.ok(!('type' in outcome), JSON.stringify(outcome));
    for (const event of outcome) this.events.push(text(event));
  }

  join(name: string, connection: number, isReached = true): void {
    const url = `http://10.0.0.${connection}:80`;
    this.apply(registerCommand({ id: name, url, connection, instance: name.repeat(32), balancer: SHOP }));
    if (isReached) this.reach(name, connection);
  }

  reach(name: string, connection: number): void {
    this.apply({ type: 'reachable', id: name as NodeId, connection, isReachable: true });
  }

  stop(name: string, connection: number, holdMs = 8_000): void {
    this.apply({ type: 'node-status', id: name as NodeId, connection, status: 'stopped', deadlineMs: 8_000, holdMs });
  }

  /** Ticks and heartbeats each 250 ms. */
  pass(ms: number, beating: readonly (readonly [string, number])[]): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 250;
      for (const [name, connection] of beating) this.apply({ type: 'heartbeat', id: name as NodeId, connection });
      this.apply({ type: 'tick' });
    }
  }

  /** Budget and status events since the last call. */
  news(): string[] {
    const news = this.events.filter((event) => event !== '');
    this.events = [];
    return news;
  }
}

function text(event: Event): string {
  if (event.type === 'budget')
    return `${event.isOn ? 'held' : 'released'} ${event.id} ${event.eligible}/${event.minEligible}`;
  return event.type === 'status' ? `${event.status} ${event.id}` : '';
}

const BOTH = [
  ['a', 1],
  ['b', 2],
] as const;

test('a node that is needed keeps serving until another one is eligible', () => {
  const world = new World(2);
  world.join('a', 1);
  world.join('b', 2);
  world.stop('a', 1);
  world.pass(2_000, BOTH);
  assert.deepEqual(world.news(), ['held a 1/2']);
  world.join('c', 3);
  world.pass(250, [...BOTH, ['c', 3]]);
  assert.deepEqual(world.news(), ['released a 2/2', 'stopped a']);
});

test('nodes that are ended at the same time go when their times are over', () => {
  const world = new World(2);
  world.join('a', 1);
  world.join('b', 2);
  world.stop('a', 1);
  world.stop('b', 2);
  world.pass(7_750, BOTH);
  assert.deepEqual(world.news(), ['held a 1/2', 'held b 1/2']);
  world.pass(250, BOTH);
  assert.deepEqual(world.news(), ['released a 1/2', 'released b 1/2', 'stopped a', 'stopped b']);
});

test('a node without a hold, and one that is not needed, stop at once', () => {
  const world = new World(1);
  world.join('a', 1);
  world.join('b', 2);
  world.stop('a', 1);
  world.stop('b', 2, 0);
  assert.deepEqual(world.news(), ['stopped a', 'stopped b']);
});

test('the default budget holds a node only while another one comes up', () => {
  const alone = new World();
  alone.join('a', 1);
  alone.stop('a', 1);
  assert.deepEqual(alone.news(), ['stopped a']);

  const world = new World();
  world.join('a', 1);
  world.join('b', 2, false);
  world.stop('a', 1);
  assert.deepEqual(world.news(), ['held a 0/1']);
  world.reach('b', 2);
  world.pass(250, BOTH);
  assert.deepEqual(world.news(), ['released a 1/1', 'stopped a']);
});

test('a node withdraws a held request, or leaves during the hold', () => {
  const world = new World(2);
  world.join('a', 1);
  world.join('b', 2);
  world.stop('a', 1);
  world.apply({ type: 'node-status', id: 'a' as NodeId, connection: 1, status: 'enabled' });
  world.stop('b', 2);
  world.apply({ type: 'leave', id: 'b' as NodeId, connection: 2 });
  world.pass(9_000, [['a', 1]]);
  assert.deepEqual(world.news(), ['held a 1/2', 'enabled a', 'held b 1/2']);
});
