import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBalancerName } from '@rollcall/protocol';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { noBalancerTotals } from './balancer-totals.ts';
import { WorkerTable } from './worker-table.ts';

function counters(table: WorkerTable, requests: number): Parameters<WorkerTable['count']>[1] {
  return { ...table.totals(), requests, inFlight: 2, statusClasses: [0, requests, 0, 0, 0] };
}

function hello(worker: string, pid: number): Parameters<WorkerTable['join']>[0] {
  return { type: 'hello', worker, pid, version: '1', feedVersion: 1 };
}

test('a worker that was started again adds to what the one before has counted', () => {
  const table = new WorkerTable(new ManualClocks());
  const blank = counters(table, 0);
  table.join(hello('w0', 1));
  table.count('w0', { ...blank, requests: 10 });
  table.leave('w0');
  assert.deepEqual([table.totals().requests, table.totals().inFlight, table.connected], [10, 0, 0]);
  table.join(hello('w0', 2));
  table.count('w0', { ...blank, requests: 5 });
  assert.deepEqual([table.totals().requests, table.totals().inFlight, table.connected], [15, 2, 1]);
});

test('the same process that reconnects is not counted twice', () => {
  const table = new WorkerTable(new ManualClocks());
  const blank = counters(table, 0);
  table.join(hello('w0', 1));
  table.count('w0', { ...blank, requests: 10 });
  table.leave('w0');
  table.join(hello('w0', 1));
  assert.equal(table.totals().requests, 10);
  table.count('w0', { ...blank, requests: 12 });
  assert.equal(table.totals().requests, 12);
});

test('what an older worker had counted before the coordinator started is in no total and no rate', () => {
  const clocks = new ManualClocks();
  const table = new WorkerTable(clocks);
  const blank = counters(table, 0);
  table.join({ ...hello('w0', 1), ageMs: 600_000 });
  table.sample();
  clocks.advance(1_000);
  const of = (requests: number): Parameters<WorkerTable['count']>[2] => [
    { ...noBalancerTotals(), name: parseBalancerName('shop')!, requests },
  ];
  table.count('w0', { ...blank, requests: 25_632 }, of(25_632));
  table.sample();
  assert.deepEqual([table.totals().requests, table.totals().inFlight, table.requestsPerSecond()], [0, 2, 0]);
  clocks.advance(1_000);
  table.count('w0', { ...blank, requests: 25_642 }, of(25_642));
  table.sample();
  assert.deepEqual([table.totals().requests, table.requestsPerSecond()], [10, 5]);
  assert.equal(table.balancer(parseBalancerName('shop')!).requests, 10);
  table.join({ ...hello('w0', 2), ageMs: 100 });
  table.count('w0', { ...blank, requests: 3 }, of(3));
  assert.deepEqual([table.totals().requests, table.balancer(parseBalancerName('shop')!).requests], [13, 13]);
});

test('requests per second are those of the last ten seconds', () => {
  const clocks = new ManualClocks();
  const table = new WorkerTable(clocks);
  const blank = counters(table, 0);
  assert.equal(table.requestsPerSecond(), 0);
  table.join(hello('w0', 1));
  for (let second = 0; second <= 20; second++) {
    table.count('w0', { ...blank, requests: second * 50 });
    table.sample();
    clocks.advance(1_000);
  }
  assert.equal(table.requestsPerSecond(), 50);
});

test('a worker is current once it acts upon the newest revision', () => {
  const table = new WorkerTable(new ManualClocks());
  table.join(hello('w1', 2));
  table.join(hello('w0', 1));
  table.applied('w0', 7);
  assert.deepEqual(
    table.resources(7).map(({ worker, isCurrent }) => [worker, isCurrent]),
    [
      ['w0', true],
      ['w1', false],
    ],
  );
});
