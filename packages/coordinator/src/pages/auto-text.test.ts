import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusResource } from '@rollcall/protocol';
import { autoText } from './auto-text.ts';

const status: StatusResource = {
  name: 'c',
  version: '1.2.3',
  node: 'v20',
  epoch: 'e',
  revision: 1,
  isSettled: true,
  startedAtUnixMs: 0,
  nowUnixMs: 10_000,
  learningMs: 0,
  proxy: '',
  control: '',
  processes: [],
  store: { kind: 'memory', isReachable: true, sinceUnixMs: 0, waiting: 0 },
  state: { directory: '', isWritable: true },
  workers: [
    {
      worker: 'w0',
      pid: 1,
      version: '1',
      connectedAtUnixMs: 0,
      revision: 1,
      isCurrent: true,
      requests: 5,
      inFlight: 0,
      connections: 0,
      loopDelayMs: 0,
    },
  ],
  nodes: { up: 0, suspect: 0, joining: 0, down: 0, missing: 0, gone: 0 },
  quotas: [],
  remembered: [],
  parked: { requests: 0, oldestMs: 0 },
  unserved: [],
  sessions: 0,
  sessionsSeenOnce: 0,
  totals: { requests: 5, failed: 0, retries: 0, failovers: 0, moved: 0, unavailable: 0, bytesIn: 0, bytesOut: 10_240 },
  requestsPerSecond: 0.5,
  verdict: { line: '', problems: [] },
  advice: [],
};

function connection(state: 'idle' | 'reading' | 'sending' | 'tunnel') {
  return { client: '127.0.0.1', state, method: 'GET', path: '/', node: 'n1', ageMs: 1 };
}

test('numbers have the keys of Apache, and small numbers no leading zero', () => {
  const connections = [connection('reading'), connection('sending'), connection('tunnel'), connection('idle')];
  const lines = autoText({ status, balancers: [], nodes: [], connections }).split('\n');
  for (const line of [
    'ServerVersion: Rollcall/1.2.3',
    'Total Accesses: 5',
    'Total kBytes: 10',
    'Uptime: 10',
    'ReqPerSec: .5',
    'BytesPerSec: 1024',
    'BytesPerReq: 2048',
    'BusyWorkers: 3',
    'IdleWorkers: 1',
    'ConnsAsyncKeepAlive: 1',
    'Scoreboard: RWW_',
  ])
    assert.ok(lines.includes(line), line);
});
