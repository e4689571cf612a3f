/** An audit that cannot be written: the change is in force, and its answer, status and metrics report the missing entry. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { StatusResource, WriteResult } from '@rollcall/protocol';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';

/** A coordinator with node n1, in a directory where `audit.jsonl` cannot be written. */
async function withoutAudit(t: TestContext): Promise<TestCoordinator & { readonly file: string }> {
  const stateDir = await mkdtemp(join(tmpdir(), 'rollcall-audit-note-'));
  const file = join(stateDir, 'audit.jsonl');
  mkdirSync(file);
  const started = await startTestCoordinator({
    stateDir,
    reload: async () => 'new workers serve',
    rotate: async () => 'opened again',
  });
  t.after(() => started.close());
  const node = await startTestNode();
  t.after(() => node.close());
  const answer = await started.api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url: node.url } });
  assert.equal(answer.status, 200, answer.text);
  return { ...started, file };
}

const CHANGES: readonly [method: string, path: string, body: object][] = [
  ['POST', '/v1/nodes/n1/drain', { force: true }],
  ['POST', '/v1/balancers/shop/stop', {}],
  ['POST', '/v1/nodes/n1/enable', {}],
  ['PATCH', '/v1/nodes/n1', { weight: 3 }],
  ['PATCH', '/v1/balancers/shop', { retries: 5 }],
  ['POST', '/v1/reload', {}],
  ['POST', '/v1/rotate', {}],
  ['DELETE', '/v1/nodes/n1', { force: true }],
];

test('every change is made, its answer has a note, and status and metrics report it until it is written', async (t) => {
  const { api, file } = await withoutAudit(t);
  for (const [method, path, body] of CHANGES) {
    const answer = await api(path, { method, body });
    assert.equal(answer.status, 200, answer.text);
    const { note } = answer.json<WriteResult>();
    assert.equal(
      note,
      `the audit entry is not written yet: ${file} cannot be written (EISDIR); it is kept and tried again`,
      `${method} ${path}`,
    );
  }
  const advice = async (): Promise<string> => (await api('/v1/status')).json<StatusResource>().advice.join('\n');
  const waiting = async (): Promise<number> => {
    const { text } = await api('/metrics');
    assert.match(text, /^rollcall_audit_lost_total 0$/m);
    return Number(/^rollcall_audit_waiting_entries (\d+)$/m.exec(text)?.[1]);
  };
  const count = await waiting();
  assert.ok(count >= CHANGES.length, `${count} entries wait`);
  assert.ok((await advice()).includes(`The audit ${file} cannot be written (EISDIR): ${count} entries wait`));
  rmdirSync(file);
  const answer = await api('/v1/balancers/shop', { method: 'PATCH', body: { retries: 4 } });
  assert.equal(answer.json<WriteResult>().note, undefined);
  assert.doesNotMatch(await advice(), /audit/i);
  assert.equal(await waiting(), 0);
  assert.equal(readFileSync(file, 'utf8').split('\n').length - 1, count + 1);
});

test('an answer without a change has no note', async (t) => {
  const { api } = await withoutAudit(t);
  for (const [path, body] of [
    ['/v1/nodes/n1/enable', {}],
    ['/v1/nodes/n1/drain', { dryRun: true }],
  ] as const)
    assert.equal((await api(path, { method: 'POST', body })).json<WriteResult>().note, undefined, path);
});
