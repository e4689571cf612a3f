/**
 * The corpus of HTTP cases against the engine. Gate: a failure that no trusted server's behaviour excuses. Strict: every
 * departure from the RFC's letter or from our own policy.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { playRequest, playResponse } from './case-run.ts';
import { type HttpCase, httpCases } from './http-case.ts';
import { openLane, type ProxyLane } from './lanes.ts';
import { RecordingNode } from './recording-node.ts';
import { judgeRequest } from './request-judgement.ts';
import { judgeResponse } from './response-judgement.ts';

const LANES = 16;

async function playAll(
  cases: readonly HttpCase[],
  open: (nodePort: number) => Promise<ProxyLane>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const fails = new Map<string, readonly string[]>();
  // The slow ones first, so that no lane is left alone with them.
  const queue = [...cases].sort((a, b) => Number(b.isTimed) - Number(a.isTimed));
  const playLane = async (): Promise<void> => {
    const node = await RecordingNode.start();
    const lane = await open(node.port);
    for (let one = queue.shift(); one; one = queue.shift())
      fails.set(
        one.id,
        one.kind === 'request'
          ? judgeRequest(one, await playRequest(one, node, lane.port))
          : judgeResponse(one, await playResponse(one, node, lane.port)),
      );
    await lane.close();
    await node.close();
  };
  await Promise.all(Array.from({ length: LANES }, playLane));
  return fails;
}

/** A proxy that understands nothing and passes every octet on. */
async function openPipe(nodePort: number): Promise<ProxyLane> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const node = net.connect(nodePort, '127.0.0.1');
    client.pipe(node).pipe(client);
    for (const socket of [client, node]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        node.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** What of `fails` the gate does not forgive. */
function unforgiven(one: HttpCase, fails: readonly string[]): readonly string[] {
  const codes = fails.map((fail) => fail.replace(/=[\s\S]*$/, '').trim());
  if (one.tolerated.includes('reject') && codes.some((code) => /^(?:reject|close|502)/.test(code))) return [];
  return codes.filter((code) => !one.tolerated.includes(code));
}

test('the engine passes the corpus of HTTP cases', { timeout: 60_000 }, async (context) => {
  const cases = httpCases();
  assert.ok(cases.length >= 296, `${cases.length} cases`);
  const fails = await playAll(cases, openLane);
  const table = new Map<string, { cases: number; gate: number; strict: number }>();
  const lines: string[] = [];
  for (const one of cases) {
    const own = fails.get(one.id) ?? ['not played'];
    const row = table.get(one.grade) ?? { cases: 0, gate: 0, strict: 0 };
    table.set(one.grade, row);
    row.cases++;
    if (unforgiven(one, own).length === 0) row.gate++;
    if (own.length === 0) row.strict++;
    else lines.push(`${one.id} (${one.grade}, ${one.name}): ${own.join('; ')}`);
  }
  for (const [grade, row] of [...table].sort())
    context.diagnostic(`grade ${grade}: ${row.cases} cases, gate ${row.gate}, strict ${row.strict}`);
  for (const line of lines) context.diagnostic(`not as expected: ${line}`);

  const all = [...fails.values()].flat();
  assert.equal(all.filter((fail) => fail === 'CANARY').length, 0, 'a smuggled request reached a node');
  assert.equal(all.filter((fail) => fail === 'POISONED').length, 0, 'an answer was taken for another one');
  assert.deepEqual(lines, []);
});

test('the judge finds fault with a proxy that passes every octet on', { timeout: 60_000 }, async () => {
  const cases = httpCases().filter(({ id }) => /^req-(?:te|te-cl|host|hop-by-hop)-|^res-length-/.test(id));
  const fails = await playAll(cases, openPipe);
  const failed = [...fails.values()].filter((own) => own.length > 0).length;
  assert.ok(failed > cases.length / 2, `${failed} of ${cases.length} failed`);
  const codes = new Set([...fails.values()].flat().map((fail) => fail.replace(/=[\s\S]*$/, '')));
  for (const code of ['forwarded', 'DIRTY:TE-and-CL', 'DIRTY:dupHost', 'keep-alive present', 'reused', 'CANARY'])
    assert.ok(codes.has(code), `${code} is not among ${[...codes].join(', ')}`);
});

test('the judge knows an answer that belongs to another request', () => {
  const one = httpCases().find((each) => each.kind === 'response');
  assert.ok(one?.kind === 'response');
  const followUp = (body: string) => ({
    ...{ status: 200, head: 'HTTP/1.1 200 OK', fields: [], isComplete: true, framing: 'length' as const },
    body,
  });
  const seen = {
    ...{ responses: [followUp('ok')], hasEnded: false, closedOnSecond: false, wasReused: false },
    ...{ firstAttempts: 1, secondAttempts: 1 },
  };
  assert.ok(judgeResponse(one, { ...seen, followUps: [followUp('POISON')] }).includes('POISONED'));
  assert.ok(!judgeResponse(one, { ...seen, followUps: [followUp('FOLLOWUP')] }).includes('POISONED'));
});
