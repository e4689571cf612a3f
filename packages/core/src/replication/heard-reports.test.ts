import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeardReports } from './heard-reports.ts';

const report = (key: string, instance: string | null) => ({ key, value: instance === null ? null : { instance } });
const running = (...ids: readonly string[]) => new Map(ids.map((id) => [id, `name-${id}`]));

test('only reports of other coordinators that run, on the same process, count', () => {
  const reports = new HeardReports('a');
  reports.setRunning(running('b', 'd'));
  for (const [key, instance] of [
    ['report/n1/a', 'one'],
    ['report/n1/b', 'one'],
    ['report/n1/c', 'one'],
    ['report/n1/d', 'two'],
  ] as const)
    reports.take(report(key, instance));
  assert.deepEqual(reports.of('n1', 'one').by, ['name-b']);
});

test('records that are no reports of other coordinators concern no node', () => {
  const reports = new HeardReports('a');
  for (const key of ['report/n1/a', 'report/n1', 'node/n1', 'node/n1/b'])
    assert.equal(reports.take(report(key, 'one')), undefined, key);
  assert.equal(reports.take(report('report/n1/b', 'one')), 'n1');
});

test('a change of the coordinators that run concerns the nodes on which these report, without withdrawn reports', () => {
  const reports = new HeardReports('a');
  reports.take(report('report/n1/b', 'one'));
  reports.take(report('report/n2/c', 'two'));
  reports.take(report('report/n3/b', 'three'));
  reports.take(report('report/n3/b', null));
  assert.deepEqual(reports.setRunning(running('b')), ['n1']);
  assert.deepEqual(reports.setRunning(running('b')), []);
  assert.deepEqual(reports.setRunning(running('c')), ['n1', 'n2']);
});
