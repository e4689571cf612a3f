/** The supervisor is ended at 20 moments of its start, with each signal and two stores; no process may be left. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endUp, type Moment, silentStore } from './starting-up.ts';

const MOMENTS: readonly Moment[] = [
  ...[0, 125, 250, 375, 500].map((ms): Moment => ({ after: 'spawn', ms })),
  ...[0, 20, 60, 125, 250, 500, 750, 1_000, 1_500, 2_000, 2_500].map((ms): Moment => ({ after: 'first child', ms })),
  ...[0, 30, 300].map((ms): Moment => ({ after: 'second child', ms })),
  { after: 'ready', ms: 0 },
];

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const)
  for (const store of ['file', 'silent'] as const)
    test(`${signal} at ${MOMENTS.length} moments, ${store} store`, {
      timeout: 600_000,
    }, async (t) => {
      const flags = store === 'silent' ? ['--store', await silentStore(t)] : [];
      let slowestMs = 0;
      for (const moment of MOMENTS) {
        // A store that is silent may keep the start waiting longer than a test does.
        if (store === 'silent' && moment.after === 'ready') continue;
        const { code, tookMs, groupMs, hasLock, log, output } = await endUp(t, { signal, moment, flags });
        slowestMs = Math.max(slowestMs, groupMs);
        const what = `${moment.ms} ms after ${moment.after}: ${log}`;
        if (signal === 'SIGKILL' || moment.after === 'spawn') continue;
        assert.deepEqual([code, hasLock], [0, false], what);
        assert.ok(tookMs < 4_000, `${tookMs} ms, ${what}`);
        if (output === '') assert.doesNotMatch(log, /restarting it/, what);
      }
      t.diagnostic(`the last process was gone ${Math.round(slowestMs)} ms after the signal at the latest`);
    });

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const)
  test(`${signal} to a supervisor of two workers and a static process that serve`, async (t) => {
    const flags = ['--workers', '2', '--static', '/files=.'];
    const { code, children, hasLock } = await endUp(t, { signal, moment: { after: 'ready', ms: 0 }, flags });
    assert.equal(children, 4);
    if (signal !== 'SIGKILL') assert.deepEqual([code, hasLock], [0, false]);
  });
