/** A process that no longer answers is replaced within 10 + 2 s and its start; a stall of the supervisor replaces none. */
import assert from 'node:assert/strict';
import http from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventResource, ProcessResource, StatusResource } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

/** 10 s of silence, 2 s after SIGTERM, and a start on a busy machine, milliseconds. */
const REPLACED_MS = 12_000 + 10_000;

interface Traffic {
  readonly end: () => Promise<{
    readonly requests: number;
    readonly failures: readonly string[];
    readonly slowestMs: number;
  }>;
}

/** Requests in sequence, each on a separate connection. */
function traffic(port: number): Traffic {
  let isOver = false;
  const seen = { requests: 0, failures: [] as string[], slowestMs: 0 };
  const ask = (): Promise<void> =>
    new Promise((resolve) => {
      const startMs = performance.now();
      const done = (failure?: string): void => {
        seen.requests++;
        seen.slowestMs = Math.max(seen.slowestMs, performance.now() - startMs);
        if (failure !== undefined) seen.failures.push(failure);
        resolve();
      };
      http
        .get({ host: '127.0.0.1', port, agent: false }, (response) => {
          response.resume();
          response.once('end', () => done(response.statusCode === 200 ? undefined : `${response.statusCode}`));
        })
        .once('error', (error) => done(error.message));
    });
  const clients = Array.from({ length: 4 }, async () => {
    while (!isOver) await ask().then(() => sleep(20));
  });
  return {
    end: async () => {
      isOver = true;
      await Promise.all(clients);
      return seen;
    },
  };
}

/** Processes in the status; empty while the control process does not answer. */
async function processes(site: Site): Promise<readonly ProcessResource[]> {
  const answer = await fetch(`${site.controlUrl}/v1/status`, { signal: AbortSignal.timeout(1_000) }).catch(
    () => undefined,
  );
  return answer?.ok ? ((await answer.json()) as StatusResource).processes : [];
}

async function pidOf(site: Site, name: string): Promise<number> {
  return (await processes(site)).find((one) => one.name === name)!.pid!;
}

async function siteWith(t: TestContext, flags: readonly string[]): Promise<Site> {
  const site = await Site.start(t, { flags });
  await site.addNode('first', { balancer: 'shop' }, (_, response) => response.end('whole'));
  return site;
}

const STOPPED: readonly { readonly name: string; readonly flags: readonly string[]; readonly slowestMs: number }[] = [
  { name: 'control', flags: [], slowestMs: 3_000 },
  { name: 'worker', flags: [], slowestMs: REPLACED_MS },
  { name: 'worker 1', flags: ['--workers', '2'], slowestMs: 4_000 },
  { name: 'static', flags: ['--static', '/files=.'], slowestMs: 3_000 },
];

for (const { name, flags, slowestMs } of STOPPED)
  test(`a stopped ${name} process is replaced, and requests continue`, { timeout: 120_000 }, async (t) => {
    const site = await siteWith(t, flags);
    const pid = await pidOf(site, name);
    const load = traffic(site.proxyPort);
    const startMs = performance.now();
    process.kill(pid, 'SIGSTOP');
    await sleep(9_000);
    process.kill(pid, 0);
    let row: ProcessResource | undefined;
    while (row?.pid === undefined || row.pid === pid) {
      assert.ok(performance.now() - startMs < REPLACED_MS, `not replaced: ${site.log}`);
      row = (await processes(site)).find((one) => one.name === name);
      await sleep(50);
    }
    const tookMs = performance.now() - startMs;
    assert.deepEqual([row.restarts, row.restartReasons['no-answer'], row.lastReason], [1, 1, 'no answer for 10 s']);
    assert.ok(tookMs > 10_000, `${tookMs}`);
    await until(async () => {
      const { events } = (await site.admin<{ events: EventResource[] }>('GET', '/v1/events')).body;
      return events.some(
        ({ type, message }) => type === 'process' && message.startsWith(`process ${name} (pid ${pid})`),
      );
    }, 'no event');
    const { requests, failures, slowestMs: slowest } = await load.end();
    t.diagnostic(`replaced after ${Math.round(tookMs)} ms; ${requests} requests, slowest ${Math.round(slowest)} ms`);
    assert.deepEqual(failures, []);
    assert.ok(slowest < slowestMs, `${slowest} ms`);
    assert.match((await site.cli('status')).stdout, /no answer for 10 s/);
  });

test('a supervisor that resumes after a stop of 20 s replaces no child', { timeout: 120_000 }, async (t) => {
  const site = await siteWith(t, ['--workers', '2', '--static', '/files=.']);
  const before = await processes(site);
  assert.equal(before.length, 4);
  site.signalUp('SIGSTOP');
  await sleep(20_000);
  site.signalUp('SIGCONT');
  await sleep(4_000);
  assert.deepEqual(await processes(site), before);
});

test('a replacement during an absence of the control process is in the events of its successor', {
  timeout: 120_000,
}, async (t) => {
  const site = await siteWith(t, []);
  const [control, worker] = [await pidOf(site, 'control'), await pidOf(site, 'worker')];
  process.kill(control, 'SIGSTOP');
  process.kill(worker, 'SIGKILL');
  await until(
    async () => (await processes(site)).some(({ pid = 0, name }) => name === 'control' && pid !== control),
    'no control',
  );
  await until(async () => {
    const { events } = (await site.admin<{ events: EventResource[] }>('GET', '/v1/events')).body;
    const messages = events.filter(({ type }) => type === 'process').map(({ message }) => message);
    return [control, worker].every(
      (pid) => messages.filter((message) => message.includes(`(pid ${pid})`)).length === 1,
    );
  }, 'an event is missing, or comes twice');
});
