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

const DAY_MS = 86_400_000;

test('certificates and failed starts of the workers are in status, advice and metrics', async () => {
  started = await startTestCoordinator();
  const { api, coordinator } = started;
  const endsAtUnixMs = Math.floor(Date.now() / 1_000) * 1_000 + 3.5 * DAY_MS;
  const certificates = [
    {
      path: '/a.crt',
      names: ['a.example'],
      endsAtUnixMs: endsAtUnixMs + 90 * DAY_MS,
      problem: 'cannot read /a.key: EACCES',
    },
    { path: '/b.crt', names: ['b.example'], endsAtUnixMs },
  ];
  const processes: ProcessResource[] = [
    { ...WORKER, name: 'worker 0', isServing: false, failedStarts: 0, certificates },
    { ...WORKER, isServing: false, failedStarts: 21, lastReason: 'cannot read /x: ENOENT' },
  ];
  coordinator.reportProcesses(processes, []);
  const status = (await api('/v1/status')).json<StatusResource>();
  assert.deepEqual(status.processes, processes);
  for (const part of [
    /^No proxy worker runs\./,
    /^The process worker 1 does not stay up: it ended 21 times in a row, the last time with: cannot read \/x: ENOENT\./,
    /\/a\.crt, cannot be used: cannot read \/a\.key: EACCES\. In use by worker 0 /,
    /^The certificate of the site, \/b\.crt, expires at .*, in 3 days\./,
  ])
    assert.ok(
      status.advice.some((sentence) => part.test(sentence)),
      `${part}: ${status.advice.join('\n')}`,
    );
  const { text } = await api('/metrics');
  const seconds = endsAtUnixMs / 1_000;
  assert.ok(text.includes(`rollcall_site_certificate_end_timestamp_seconds{process="worker 0"} ${seconds}\n`), text);
  assert.ok(text.includes('rollcall_site_certificates_unusable{process="worker 0"} 1\n'), text);
  assert.ok(!/rollcall_site_certificate.*worker 1/.test(text), 'a process without certificates has no row');
});

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
  const { advice } = (await api('/v1/status')).json<StatusResource>();
  const losses = advice.filter((sentence) => sentence.includes('requests in flight are lost'));
  assert.equal(losses.length, 1, 'only workers have requests');
  assert.match(losses[0]!, /^The process worker 1 \(pid 10\) ended \(SIGKILL\) 0 s ago: .* To do: /);
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
