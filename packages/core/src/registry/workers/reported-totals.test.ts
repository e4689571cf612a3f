import assert from 'node:assert/strict';
import { test } from 'node:test';
import { increase } from './answer-totals.ts';
import { ReportedTotals } from './reported-totals.ts';

interface Report {
  readonly key: string;
  readonly count: number;
}

function totals(bounds = { maxWorkers: 10, maxRows: 10 }): ReportedTotals<string, Report, { count: number }> {
  return new ReportedTotals(
    {
      key: ({ key }) => key,
      zero: () => ({ count: 0 }),
      hasFallen: (report, before) => report.count < before.count,
      add(sum, report, before) {
        sum.count += increase(report.count, before?.count);
      },
    },
    bounds,
  );
}

const young = (worker: string, process = 1) => ({ worker, process, isOlder: false });

test('counts of all workers are added, and those of ended workers and earlier processes stay', () => {
  const sums = totals();
  sums.join(young('w0'), 0);
  sums.join(young('w1'), 0);
  sums.add('w0', [{ key: 'shop', count: 10 }], 0);
  sums.add('w1', [{ key: 'shop', count: 5 }], 0);
  sums.add('w0', [{ key: 'shop', count: 12 }], 0);
  assert.equal(sums.get('shop')?.count, 17);
  sums.join(young('w0', 2), 0);
  sums.add('w0', [{ key: 'shop', count: 20 }], 0);
  assert.equal(sums.get('shop')?.count, 37);
  sums.end('w1');
  sums.add('w1', [{ key: 'shop', count: 100 }], 0);
  assert.equal(sums.get('shop')?.count, 37);
});

test('a reconnect of the same process does not count twice, and a count that fell begins again at 0', () => {
  const sums = totals();
  sums.join(young('w0'), 0);
  sums.add('w0', [{ key: 'shop', count: 10 }], 0);
  sums.join(young('w0'), 0);
  sums.add('w0', [{ key: 'shop', count: 11 }], 0);
  assert.equal(sums.get('shop')?.count, 11);
  sums.add('w0', [{ key: 'shop', count: 4 }], 0);
  assert.equal(sums.get('shop')?.count, 15);
});

test('what an older worker had counted when it joined is not news', () => {
  const sums = totals();
  sums.join({ worker: 'w0', process: 1, isOlder: true }, 1_000);
  sums.add('w0', [{ key: 'shop', count: 1_000 }], 1_100);
  assert.equal(sums.get('shop')?.count, 0);
  sums.add('w0', [{ key: 'shop', count: 1_007 }], 1_200);
  sums.add('w0', [{ key: 'new', count: 3 }], 6_000);
  assert.deepEqual([sums.get('shop')?.count, sums.get('new')?.count], [7, 3]);
  sums.join(young('w0', 2), 7_000);
  sums.add('w0', [{ key: 'shop', count: 5 }], 7_001);
  assert.equal(sums.get('shop')?.count, 12);
});

test('rows and workers are bounded; the row that was counted least recently is dropped', () => {
  const sums = totals({ maxWorkers: 2, maxRows: 2 });
  for (const worker of ['w0', 'w1', 'w2']) sums.join(young(worker), 0);
  for (const worker of ['w0', 'w1', 'w2']) sums.add(worker, [{ key: 'shop', count: 1 }], 0);
  assert.equal(sums.get('shop')?.count, 2);
  for (const key of ['blog', 'shop', 'api']) sums.add('w1', [{ key, count: 2 }], 0);
  assert.equal(sums.get('blog'), undefined);
  sums.forget('shop');
  assert.equal(sums.get('shop'), undefined);
});
