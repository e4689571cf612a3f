/** The audit under refusals: wrong tokens in any number do not keep a refused take-over out of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { Site, until } from '../site/site.ts';

const WRONG_TOKENS = 400;

interface Entry {
  readonly what: string;
  readonly message: string;
  readonly code?: string;
  readonly count?: number;
  readonly node?: string;
  readonly from?: string;
}

function auditOf(site: Site): Entry[] {
  const lines = readFileSync(join(site.stateDir, 'audit.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Entry);
}

/** Registers and resolves with the type of the answer. */
async function register(t: TestContext, site: Site, node: object): Promise<string> {
  const socket = new WebSocket(`${site.controlUrl.replace('http', 'ws')}${AGENT_PATH}`, [AGENT_SUBPROTOCOL]);
  t.after(() => socket.terminate());
  socket.on('error', () => undefined);
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'register', node }));
  // Only a node that sends heartbeats holds its id.
  const heartbeats = setInterval(() => socket.send('{"type":"heartbeat"}', () => undefined), 500);
  t.after(() => clearInterval(heartbeats));
  const [data] = (await once(socket, 'message')) as [Buffer];
  return (JSON.parse(data.toString()) as { type: string }).type;
}

test('attack 13, C21: a refused take-over is in the audit after hundreds of wrong tokens, which are summed up', {
  timeout: 240_000,
}, async (t) => {
  const site = await Site.start(t);
  const victim = await site.addNode('listener', { balancer: 'other', contexts: ['/other'] }, (_, response) => {
    response.end();
  });
  const node = { id: 'victim', balancer: 'shop', url: `http://127.0.0.1:${victim.port}`, incarnation: 2 };
  assert.equal(await register(t, site, { ...node, instance: 'a'.repeat(32) }), 'registered');

  const authorization = 'Bearer wrong-token-wrong-token-wrong';
  for (let i = 0; i < WRONG_TOKENS; i += 20)
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { status } = await fetch(`${site.controlUrl}/v1/status`, { headers: { authorization } });
        assert.ok(status === 401 || status === 429, String(status));
      }),
    );
  assert.equal(await register(t, site, { ...node, instance: 'b'.repeat(32), incarnation: 1 }), 'error');

  const takeOver = (): Entry | undefined => auditOf(site).find((entry) => entry.node === 'victim' && entry.code);
  await until(() => takeOver() !== undefined, 'the take-over is not in the audit');
  assert.equal(takeOver()!.what, 'refused register');
  assert.equal(takeOver()!.from, '127.0.0.1');

  // The sums that are not due yet are written at the end.
  await site.restart();
  const wrong = auditOf(site).filter(({ code }) => code === 'unauthenticated' || code === 'rate-limited');
  const total = wrong.reduce((sum, { count = 1 }) => sum + count, 0);
  assert.equal(total, WRONG_TOKENS);
  assert.ok(wrong.length <= 20, `${wrong.length} entries`);
  assert.ok(wrong.some(({ message }) => /^\d+ more in \d+ s, the last: /.test(message)));
});
