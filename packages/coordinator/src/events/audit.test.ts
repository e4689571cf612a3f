import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Audit } from './audit.ts';

test('lines are appended, one JSON object each, over restarts', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'rollcall-audit-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  for (const message of ['first', 'line\nbreak']) {
    const audit = await Audit.open(path, assert.fail);
    audit.add({ atUnixMs: 1, what: 'test', message });
    await audit.close();
    assert.equal(audit.lost, 0);
  }
  const lines = (await readFile(join(path, 'audit.jsonl'), 'utf8')).trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { message: string }).message),
    ['first', 'line\nbreak'],
  );
});

test('a disk that cannot be written to loses lines, counts them and is reported', async () => {
  const problems: Error[] = [];
  const audit = await Audit.open('/proc/nowhere', (error) => problems.push(error));
  audit.add({ atUnixMs: 1, what: 'test', message: 'lost' });
  await audit.close();
  audit.add({ atUnixMs: 2, what: 'test', message: 'lost too' });
  assert.equal(audit.lost, 2);
  assert.equal(problems.length, 1);
});
