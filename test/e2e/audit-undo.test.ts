/** `rollcall audit` and `rollcall undo` beside a running coordinator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditResource } from '@rollcall/protocol';
import { Site } from '../site/site.ts';

test('a change is in the audit with its reason, and undo puts back what it has replaced, once', {
  timeout: 180_000,
}, async (t) => {
  const site = await Site.start(t);
  for (const id of ['n1', 'n2']) await site.addNode(id, { balancer: 'shop' }, (_, response) => response.end(id));
  assert.equal((await site.cli('weight', 'n1', '3', '--reason', 'more memory')).code, 0);
  assert.equal((await site.cli('drain', 'n1', '--reason', 'kernel update')).code, 0);
  const words = ['audit', '--node', 'n1', '--what', 'status,patched'];
  const { entries } = await site.json<{ entries: readonly AuditResource[] }>(...words);
  const [drained, patched] = entries;
  assert.deepEqual([drained?.what, drained?.reason], ['status', 'kernel update']);
  assert.deepEqual([patched?.what, patched?.reason], ['patched', 'more memory']);
  const text = await site.cli('audit', '--by', 'admin', '--what', 'status');
  assert.match(text.stdout, /kernel update.*\(by admin from 127\.0\.0\.1\) {2}\[undo \w+\]\n$/);

  const foreseen = await site.cli('undo', '--dry-run');
  assert.match(foreseen.stdout, /^would undo change \w+ of admin: node n1\n$/);
  assert.equal((await site.node('n1'))?.status, 'draining');
  assert.equal((await site.cli('undo')).code, 0);
  assert.equal((await site.node('n1'))?.status, 'enabled');
  const first = patched!.changeId!;
  assert.equal((await site.cli('undo', first)).code, 0);
  assert.equal((await site.node('n1'))?.weight, 1);
  const again = await site.cli('undo', first);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /was undone before/);
  assert.equal((await site.cli('undo', 'a/b')).code, 2);
});
