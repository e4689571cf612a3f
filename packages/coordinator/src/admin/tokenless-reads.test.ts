/** Reads without a token: bounded, in requests and in bytes, so that those with a right are served. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Identity } from '../auth/gate.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { Refusal } from './refusal.ts';
import { TokenlessReads } from './tokenless-reads.ts';

const TOKENLESS: Identity = { name: 'loopback', role: 'viewer', by: 'loopback' };

async function started(t: TestContext, clocks: ManualClocks): Promise<TestCoordinator> {
  const coordinator = await startTestCoordinator({ clocks });
  t.after(() => coordinator.close());
  return coordinator;
}

test('clients that read without a token are refused beyond the bound, while operators, joiners and health checks are served', async (t) => {
  const clocks = new ManualClocks();
  const { api } = await started(t, clocks);
  for (let i = 0; i < 4; i++) {
    const reads = Array.from({ length: 50 }, async () => (await api('/v1/balancers', { token: '' })).status);
    assert.deepEqual(new Set(await Promise.all(reads)), new Set([200]));
  }
  const refused = await api('/v1/balancers', { token: '' });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.match(refused.text, /limited to 200 a second and 3.125 MiB of answers a second; use a token/);
  assert.equal((await api('/v1/balancers')).status, 200);
  assert.equal((await api('/livez', { token: '' })).status, 200);
  const body = { url: 'http://127.0.0.1:9', ttlMs: 10_000 };
  assert.equal((await api('/v1/nodes/n1', { method: 'PUT', token: '', body })).status, 200);
  clocks.advance(1_000);
  assert.equal((await api('/v1/balancers', { token: '' })).status, 200);
});

test('large answers count by their size, whole or streamed', async () => {
  const clocks = new ManualClocks();
  const reads = new TokenlessReads(clocks);
  reads.charge({ ...TOKENLESS, by: 'token' }, 1024 * 1024 * 1024);
  await reads.admit(TOKENLESS);
  reads.charge(TOKENLESS, 200 * 16_384);
  const refusal = await reads.admit(TOKENLESS).catch((error: unknown) => error);
  assert.ok(refusal instanceof Refusal);
  assert.equal(refusal.retryAfterS, 1);
  reads.charge(TOKENLESS, 1024 * 1024 * 1024);
  const later = (await reads.admit(TOKENLESS).catch((error: unknown) => error)) as Refusal;
  assert.equal(later.retryAfterS, 11);
  clocks.advance(10_100);
  await reads.admit(TOKENLESS);
});
