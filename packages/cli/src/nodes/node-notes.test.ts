/** The column NOTE of `nodes`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeResource } from '@rollcall/protocol';
import { noteOf } from './node-notes.ts';

const ENABLED = { status: 'enabled', atUnixMs: 0 } as const;
const UP = {
  status: 'enabled',
  liveness: 'up',
  wanted: ENABLED,
  reported: ENABLED,
  warnings: [],
  observed: { parked: 0, ports: [] },
};
const drain = (isDone: boolean) => ({
  sinceUnixMs: 0,
  isDone,
  sessionsLeft: 2,
  sessionsSeenOnce: 0,
  inFlight: 0,
  tunnels: 0,
  waitingFor: [],
});
const by = (status: string, more: object = {}) => ({ status, atUnixMs: 0, ...more });
const DRAINING = { ...UP, status: 'draining' };

const CASES: readonly [what: string, node: object, note: string][] = [
  ['up and enabled', UP, ''],
  ['drained without a reason', { ...DRAINING, wanted: by('draining', { by: 'ann' }) }, 'by ann'],
  [
    'drained by an operator',
    { ...DRAINING, wanted: by('draining', { by: 'ann', reason: 'kernel' }), drain: drain(false) },
    'by ann: kernel; 2 sessions, 0 in flight, 0 tunnels left',
  ],
  [
    'drained by itself',
    { ...DRAINING, reported: by('draining', { reason: 'SIGTERM' }), drain: drain(true) },
    'by the node: SIGTERM; deadline over, 2 sessions left',
  ],
  [
    'stopped by an operator while it drains itself',
    { ...UP, status: 'stopped', wanted: by('stopped', { by: 'ann' }), reported: by('draining', { reason: 'SIGTERM' }) },
    'by ann',
  ],
  [
    'suspect and drained',
    {
      ...DRAINING,
      liveness: 'suspect',
      livenessReason: 'no heartbeat for 4 s',
      wanted: by('draining', { by: 'ann' }),
      drain: drain(false),
    },
    'no heartbeat for 4 s; by ann; 2 sessions, 0 in flight, 0 tunnels left',
  ],
  [
    'gone after a drain',
    {
      ...DRAINING,
      liveness: 'gone',
      livenessReason: 'left by its own choice',
      wanted: by('draining', { by: 'ann' }),
      drain: drain(true),
    },
    'left by its own choice; by ann',
  ],
  ['up with a warning', { ...UP, warnings: [{ code: 'weight-clamped', message: '' }] }, 'weight-clamped'],
];

for (const [what, node, note] of CASES)
  test(`the note of a node that is ${what}`, () => assert.equal(noteOf(node as unknown as NodeResource), note));
