/** The proof of a live cluster with ten kills. */
import { test } from 'node:test';
import { proveLiveCluster } from '../live-cluster/proof.ts';

test('a live cluster of ten kills loses no request and no session', { timeout: 240_000 }, (t) =>
  proveLiveCluster(t, {
    drainAtMs: 22_000,
    kills: 10,
    killsFromMs: 30_000,
    killControlAtMs: 73_000,
    leaveAtMs: 80_000,
    killAllAtMs: 90_000,
    durationMs: 100_000,
    requests: 20_000,
    sessions: 500,
  }),
);
