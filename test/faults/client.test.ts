/** The client of the fault scenarios records each request that fails. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Client, type ClientPlan } from './client.ts';
import { judge } from './judge.ts';
import type { NodeAnswer } from './programs/sample-answer.ts';
import { complaints } from './scenario.ts';

const PLAN: ClientPlan = { perSecond: 200, lengthMs: 250, residents: 0, visitorRatio: 1 };

async function portOf(t: TestContext, answer: http.RequestListener): Promise<number> {
  const server = http.createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** Complaints of the judge about a run against `port`. */
async function complaintsOf(port: number, plan: ClientPlan): Promise<string[]> {
  const client = new Client(port, plan);
  await client.run();
  assert.equal(client.exchanges.length, (plan.perSecond * plan.lengthMs) / 1_000);
  const ledger = { exchanges: client.exchanges, faultMs: 0, inForceMs: 0, outages: [], broken: [] };
  return complaints({ failed: 0, lost: 'none' }, judge(ledger, 0));
}

function answerOf(request: http.IncomingMessage, bytes: number): NodeAnswer {
  const id = String(request.headers['x-request-id']);
  return { id, node: 'n1', instance: 'n1#1', pid: 1, count: 1, fresh: true, bytes, atMs: performance.now() };
}

test('against a closed port every request fails', async () => {
  const closed = http.createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  const found = await complaintsOf(port, PLAN);
  assert.match(found.join(), /^\d+ GET and \d+ POST failed: .*ECONNREFUSED/);
});

test('a node that answers everything gets no complaint', async (t) => {
  const port = await portOf(t, async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    response.end(JSON.stringify(answerOf(request, bytes)));
  });
  assert.deepEqual(await complaintsOf(port, PLAN), []);
});

test('an answer of another request, a short body and a broken answer are failures', async (t) => {
  const port = await portOf(t, (request, response) => {
    request.resume();
    const number = Number(String(request.headers['x-request-id']).slice(1));
    if (number % 3 === 0) response.end(JSON.stringify({ ...answerOf(request, 0), id: 'r99' }));
    else if (number % 3 === 1) response.end(JSON.stringify(answerOf(request, 1)));
    else {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{');
      setImmediate(() => response.destroy());
    }
  });
  const client = new Client(port, PLAN);
  await client.run();
  assert.ok(client.exchanges.every(({ error }) => error !== undefined));
  assert.deepEqual([...new Set(client.exchanges.map(({ error }) => error!.split(':')[0]))].sort(), [
    '1 octets arrived',
    'ECONNRESET',
    'answer of another request',
  ]);
});
