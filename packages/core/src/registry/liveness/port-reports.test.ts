import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeId } from '@rollcall/protocol';
import { PortReports } from './port-reports.ts';

const N1 = parseNodeId('n1')!;

void test('a connected worker without a report counts as unknown', () => {
  const reports = new PortReports();
  assert.equal(reports.best(N1), 'unknown');
  assert.equal(reports.isGivenUp(N1), false);
  reports.join('w2');
  reports.join('w1');
  reports.set('w2', N1, 'refused');
  assert.deepEqual(reports.counts(N1), { answers: 0, unknown: 1, unresponsive: 0, refused: 1, 'given-up': 0 });
  assert.equal(reports.best(N1), 'unknown');
  reports.set('w1', N1, 'unresponsive');
  assert.equal(reports.best(N1), 'unresponsive');
  assert.deepEqual(reports.of(N1), [
    { worker: 'w1', port: 'unresponsive' },
    { worker: 'w2', port: 'refused' },
  ]);
});

void test('a node is given up when all connected workers report it so', () => {
  const reports = new PortReports();
  reports.join('w1');
  reports.join('w2');
  reports.set('w1', N1, 'given-up');
  assert.equal(reports.isGivenUp(N1), false);
  reports.set('w2', N1, 'given-up');
  assert.equal(reports.isGivenUp(N1), true);
  assert.equal(reports.best(N1), 'given-up');
  reports.set('w2', N1, 'answers');
  assert.equal(reports.isGivenUp(N1), false);
});

void test('reports are dropped when their worker leaves or reconnects, and when the process of the node changes', () => {
  const reports = new PortReports();
  reports.join('w1');
  reports.set('w1', N1, 'answers');
  assert.deepEqual(reports.join('w1'), [N1]);
  assert.deepEqual(reports.of(N1), []);
  reports.set('w1', N1, 'refused');
  assert.deepEqual(reports.leave('w1'), [N1]);
  assert.equal(reports.isConnected('w1'), false);
  reports.join('w1');
  reports.set('w1', N1, 'refused');
  reports.forgetNode(N1);
  assert.deepEqual([...reports.nodes()], []);
});
