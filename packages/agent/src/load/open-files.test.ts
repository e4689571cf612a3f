import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { OpenFiles, openFilesMetric } from './open-files.ts';

const isLinux = process.platform === 'linux' ? false : 'needs /proc, which only Linux has';

test('open files are counted, and the limit is read', { skip: isLinux }, () => {
  const before = new OpenFiles().count()!;
  const opened = Array.from({ length: 20 }, () => openSync('/dev/null', 'r'));
  const count = new OpenFiles().count()!;
  for (const file of opened) closeSync(file);
  assert.ok(count - before >= 20, `${before} ${count}`);
  assert.ok(new OpenFiles().limit()! > 0);
});

test('without /proc there is no count and no metric', () => {
  const none = new OpenFiles('/proc/none');
  assert.deepEqual([none.count(), none.limit()], [undefined, undefined]);
  assert.equal(
    openFilesMetric(none.limit(), () => 1),
    undefined,
  );
});
