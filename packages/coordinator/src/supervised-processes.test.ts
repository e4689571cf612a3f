import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { EventResource, ProcessResource, StatusResource } from '@rollcall/protocol';
import { startTestCoordinator, type TestCoordinator } from './testing/test-coordinator.ts';

let started: TestCoordinator | undefined;
afterEach(() => started?.close());

const WORKER: ProcessResource = {
  name: 'worker 1',
  pid: 12,
  sinceUnixMs: 5,
  restarts: 3,
  restartReasons: { exit: 0, signal: 1, 'no-answer': 2 },
  lastReason: 'no answer for 10 s',
};

test('the processes of the supervisor are in status and metrics, each replacement once in the events', async () => {
  started = await startTestCoordinator();
  const { api, coordinator } = started;
  const status = async () => (await api('/v1/status')).json<StatusResource>().processes;
  assert.deepEqual(await status(), []);
  const replaced = [
    { number: 7, name: 'worker 1', pid: 10, detail: 'SIGKILL', agoMs: 30 },
    { number: 8, name: 'control', pid: 11, detail: 'no answer for 10 s', agoMs: 12_400 },
  ];
  coordinator.reportProcesses([WORKER], replaced);
  coordinator.reportProcesses(
    [WORKER],
    [...replaced, { number: 9, name: 'static', pid: 13, detail: 'exit 1', agoMs: 0 }],
  );
  assert.deepEqual(await status(), [WORKER]);
  const { text } = await api('/metrics');
  for (const [reason, count] of Object.entries(WORKER.restartReasons))
    assert.ok(text.includes(`rollcall_process_restarts_total{process="worker 1",reason="${reason}"} ${count}\n`), text);
  const { events } = (await api('/v1/events')).json<{ events: EventResource[] }>();
  assert.deepEqual(
    events.filter(({ type }) => type === 'process').map(({ message }) => message),
    [
      'process worker 1 (pid 10) ended (SIGKILL); the supervisor replaces it',
      'process control (pid 11) ended (no answer for 10 s), 12 s ago; the supervisor replaces it',
      'process static (pid 13) ended (exit 1); the supervisor replaces it',
    ],
  );
});
