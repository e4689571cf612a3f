import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contextKey } from '@rollcall/core';
import type { ScoreboardAnswer } from '@rollcall/feed';
import { parseContextPath, parseHostPattern, parseNodeId } from '@rollcall/protocol';
import { requestsInFlight } from './requests-in-flight.ts';

const id = parseNodeId('n1')!;
const path = (text: string): NonNullable<ReturnType<typeof parseContextPath>> => parseContextPath(text)!;
const host = (text: string): NonNullable<ReturnType<typeof parseHostPattern>> => parseHostPattern(text)!;
const all = [path('/'), path('/app'), path('/app/admin')].map((one) => ({ host: host('*'), path: one }));

function row(target: string, node = 'n1', state: 'idle' | 'reading' | 'sending' | 'tunnel' = 'sending') {
  return { client: '127.0.0.1', state, method: 'GET', path: target, node, ageMs: 1 };
}

function count(context: string, ...rows: ReturnType<typeof row>[]): number | undefined {
  const lists: ScoreboardAnswer[] = [{ type: 'scoreboard', connections: rows }];
  return requestsInFlight({ id, all, keys: new Set([`* ${context}`]) }, lists);
}

test('a request belongs to the longest context of its node that matches', () => {
  const rows = [row('/app'), row('/app/x'), row('/app;a=b'), row('/application'), row('/app/admin/y'), row('/')];
  assert.equal(count('/app', ...rows), 3);
  assert.equal(count('/app/admin', ...rows), 1);
  assert.equal(count('/', ...rows), 2);
});

test('requests of other nodes, idle connections and tunnels do not count', () => {
  assert.equal(count('/app', row('/app', 'n2'), row('/app', 'n1', 'idle'), row('', 'n1', 'tunnel')), 0);
  assert.equal(count('/app', row('/app', 'n1', 'reading')), 1);
});

test('the lists of all workers count, and a list that may be incomplete gives no number', () => {
  const one: ScoreboardAnswer = { type: 'scoreboard', connections: [row('/app')] };
  assert.equal(requestsInFlight({ id, all, keys: new Set(['* /app']) }, [one, one]), 2);
  assert.equal(requestsInFlight({ id, all, keys: new Set(['* /app']) }, []), 0);
  assert.equal(count('/app', ...new Array<ReturnType<typeof row>>(1_000).fill(row('/'))), undefined);
});

test('a request belongs to the context of its host', () => {
  const hosted = ['a.example', '*.example', '*'].map((name) => ({ host: host(name), path: path('/app') }));
  const connections = ['a.example', 'A.example', 'b.example', 'other', undefined].map((name) => ({
    ...row('/app/x'),
    ...(name !== undefined && { host: name }),
  }));
  const counts = hosted.map((context) =>
    requestsInFlight({ id, all: hosted, keys: new Set([contextKey(context)]) }, [{ type: 'scoreboard', connections }]),
  );
  assert.deepEqual(counts, [2, 1, 2]);
});
