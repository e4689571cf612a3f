/** Free text of operators: it is forwarded to workers and terminals, and written to the audit. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';

async function started(t: TestContext): Promise<TestCoordinator & { readonly audit: () => Record<string, unknown>[] }> {
  const stateDir = mkdtempSync(join(tmpdir(), 'rollcall-free-text-'));
  const coordinator = await startTestCoordinator({ stateDir });
  t.after(async () => {
    await coordinator.close();
    rmSync(stateDir, { recursive: true, force: true });
  });
  const node = await startTestNode();
  t.after(() => node.close());
  const answer = await coordinator.api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url: node.url } });
  assert.equal(answer.status, 200, answer.text);
  const audit = () =>
    readFileSync(join(stateDir, 'audit.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { ...coordinator, audit };
}

void test('control characters are refused, before a worker sees them', async (t) => {
  const { api } = await started(t);
  for (const character of ['\0', '\u0001', '\n', '\r', '\u001b', '\u007f', '\u0085', '\u2028', '\u2029'])
    for (const [path, body] of [
      ['/v1/explain', { host: `a${character}` }],
      ['/v1/explain', { target: `/${character}` }],
      ['/v1/explain', { cookie: `a${character}` }],
      ['/v1/nodes/n1/drain', { reason: `a${character}` }],
    ] as const) {
      const { status, text } = await api(path, { method: 'POST', body });
      assert.equal(status, 400, `${path} ${JSON.stringify(body)}: ${text}`);
    }
});

void test('the audit has the reason of every change', async (t) => {
  const { api, audit } = await started(t);
  const changes = [
    ['POST', '/v1/nodes/n1/drain', { force: true }],
    ['PATCH', '/v1/nodes/n1', { weight: 3 }],
    ['PATCH', '/v1/balancers/shop', { retries: 5 }],
    ['DELETE', '/v1/nodes/n1', { force: true }],
  ] as const;
  for (const [method, path, body] of changes) {
    const reason = `because of ${method} ${path}`;
    const answer = await api(path, { method, body: { ...body, reason } });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(audit().at(-1)?.['reason'], reason);
  }
});

void test('an audit file that was removed is made again', async (t) => {
  const coordinator = await started(t);
  unlinkSync(join(coordinator.stateDir, 'audit.jsonl'));
  const answer = await coordinator.api('/v1/nodes/n1/stop', { method: 'POST', body: { reason: 'again', force: true } });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(
    coordinator.audit().map(({ reason }) => reason),
    ['again'],
  );
});
