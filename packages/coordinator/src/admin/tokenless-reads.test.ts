/** Reads without a token are limited in requests and in bytes, so that clients with a token are served. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Identity } from '../auth/gate.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { type ApiAnswer, startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
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
  // The whole burst, or fewer reads on a slow machine, where a read takes more of the event loop.
  let refused: ApiAnswer | undefined;
  for (let i = 0; refused === undefined && i <= 200; i++) {
    const answer = await api('/v1/balancers', { token: '' });
    if (answer.status === 429) refused = answer;
    else assert.equal(answer.status, 200);
  }
  assert.ok(refused);
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  assert.match(
    refused.text,
    /limited to 200 a second, 3.125 MiB of answers a second and a tenth of the event loop; use a token/,
  );
  assert.equal((await api('/v1/balancers')).status, 200);
  assert.equal((await api('/livez', { token: '' })).status, 200);
  const body = { url: 'http://127.0.0.1:9', ttlMs: 10_000 };
  assert.equal((await api('/v1/nodes/n1', { method: 'PUT', token: '', body })).status, 200);
  clocks.advance(11_000);
  assert.equal((await api('/v1/balancers', { token: '' })).status, 200);
});

test('large answers and slow ones cost more', async () => {
  const clocks = new ManualClocks();
  const reads = new TokenlessReads(clocks);
  const read = async (bytes: number, busyMs = 0): Promise<void> => {
    const request = {};
    await reads.admit(TOKENLESS, request);
    const begun = process.cpuUsage();
    for (let spent = { user: 0, system: 0 }; spent.user + spent.system < busyMs * 1_000; )
      spent = process.cpuUsage(begun);
    reads.charge(request, bytes);
    // A repeat costs nothing.
    reads.charge(request, bytes);
  };
  reads.charge({}, 1024 * 1024 * 1024);
  const operator = {};
  await reads.admit({ ...TOKENLESS, by: 'token' }, operator);
  reads.charge(operator, 1024 * 1024 * 1024);
  await read(200 * 16_384);
  assert.ok((await read(0).catch((error: unknown) => error)) instanceof Refusal);
  clocks.advance(60_000);
  await read(0, 110);
  assert.ok((await read(0).catch((error: unknown) => error)) instanceof Refusal);
  clocks.advance(60_000);
  await read(1024 * 1024 * 1024);
  const refusal = await read(0).catch((error: unknown) => error);
  assert.ok(refusal instanceof Refusal);
  assert.equal(refusal.retryAfterS, 11);
});
