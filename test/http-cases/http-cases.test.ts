/**
 * The corpus of HTTP cases against the engine. Gate: a failure that no trusted server's behaviour excuses. Strict: every
 * departure from the RFC's letter or from our own policy.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { AjpRecordingNode } from './ajp-recording-node.ts';
import { checkCases } from './check-cases.ts';
import { allCases, httpCases } from './http-case.ts';
import { openLane, type ProxyLane } from './lanes.ts';
import { playCases } from './play-cases.ts';
import { judgeResponse } from './response-judgement.ts';
import { reasons } from './scores.ts';

/** A proxy that does not parse and forwards every octet. */
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

test('the engine passes every HTTP case, and each remaining difference has its reason', {
  timeout: 300_000,
}, async (context) => {
  const cases = allCases();
  assert.ok(httpCases().length >= 296 && cases.length >= 296 + 100, `${cases.length} cases`);
  assert.equal(new Set(cases.map(({ id }) => id)).size, cases.length, 'ids are unique');
  await checkCases(context, cases, { why: reasons() }, (some, lanes) => playCases(some, openLane, lanes));
});

test('with an AJP node the engine passes every case of a request, and each difference has its reason', {
  timeout: 300_000,
}, async (context) => {
  const cases = allCases().filter(({ kind }) => kind === 'request');
  assert.ok(cases.length >= 400, `${cases.length} cases`);
  const open = (nodePort: number): Promise<ProxyLane> => openLane(nodePort, 0, true);
  const byNature = reasons('ajp-differences.json');
  // The handshake of req-upgrade-13 does not reach the node, so the malformed request behind it is refused as the case wants.
  const differs = (id: string): boolean => id !== 'req-upgrade-13' && cases.some((one) => one.id === id);
  const why = new Map([...reasons()].filter(([id]) => differs(id)));
  await checkCases(context, cases, { why, byNature }, (some, lanes) =>
    playCases(some, open, lanes, AjpRecordingNode.start),
  );
});

test('the judge finds failures of a proxy that forwards every octet', { timeout: 180_000 }, async () => {
  const cases = httpCases().filter(({ id }) => /^req-(?:te|te-cl|host|hop-by-hop)-|^res-length-/.test(id));
  const verdicts = await playCases(cases, openPipe);
  const fails = [...verdicts.values()].map((verdict) => verdict.fails);
  const failed = fails.filter((own) => own.length > 0).length;
  assert.ok(failed > cases.length / 2, `${failed} of ${cases.length} failed`);
  const codes = new Set(fails.flat().map((fail) => fail.replace(/=[\s\S]*$/, '')));
  for (const code of ['forwarded', 'DIRTY:TE-and-CL', 'DIRTY:dupHost', 'keep-alive present', 'reused', 'CANARY'])
    assert.ok(codes.has(code), `${code} is not among ${[...codes].join(', ')}`);
});

test('the judge detects an answer that belongs to another request', () => {
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
