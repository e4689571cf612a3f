import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memorySharedMedium, memoryStore, type SharedStore } from '@rollcall/core';
import type { AppliedResource } from '@rollcall/protocol';
import type { AdminClient } from '../admin-client.ts';
import { EXIT } from '../exit.ts';
import { type Cluster, startCluster } from '../testing/cluster.ts';
import { inForce } from './in-force.ts';

const PENDING: AppliedResource = { applied: ['a'], pending: ['b'], absent: ['c'] };
const APPLIED: AppliedResource = { applied: ['a', 'b'], pending: [], absent: ['c'] };

/** Runs the rule against these answers, the last of which repeats. Returns its outcome, what it printed and what it requested. */
async function rule(answers: readonly AppliedResource[], isWaiting: boolean, timeoutMs?: number) {
  const lines: string[] = [];
  const calls: string[] = [];
  const { write } = process.stderr;
  process.stderr.write = ((text: string) => lines.push(text.trimEnd())) as never;
  const call = async (operation: string): Promise<never> => {
    calls.push(operation);
    return answers[Math.min(calls.length, answers.length) - 1] as never;
  };
  try {
    const outcome = await inForce(
      { call: call as AdminClient['call'] },
      { coordinators: PENDING, message: 'done' },
      isWaiting,
      timeoutMs,
    );
    return { ...outcome, lines, calls };
  } finally {
    process.stderr.write = write;
  }
}

test('without --wait, pending coordinators are a warning', async () => {
  const { lines, calls, failure } = await rule([], false);
  assert.deepEqual([calls, failure], [[], undefined]);
  assert.deepEqual(lines, ['warning: not known to be in force at b yet; with --wait the command waits for it']);
});

test('--wait ends when all coordinators that are not down have the change', async () => {
  const { result, lines, calls, failure } = await rule([PENDING, APPLIED], true, 60_000);
  assert.equal(failure, undefined);
  assert.deepEqual(result.coordinators, APPLIED);
  assert.deepEqual(calls, ['getAppliedCoordinators', 'getAppliedCoordinators']);
  assert.equal(lines[0], 'waiting until it is in force at b, at most 1m; Ctrl-C ends the wait and not the change');
  assert.match(lines[1]!, /^in force at a, b after .*; c is down$/);
});

test('--wait ends with exit code 4 when its time limit is over first', async () => {
  const { failure, result } = await rule([PENDING], true, 1);
  assert.equal(failure?.exitCode, EXIT.timedOut);
  assert.match(failure!.message, /^not known to be in force at b within the --timeout; /);
  assert.deepEqual(result.coordinators, PENDING);
});

const HELD = (): Promise<never> => Promise.reject(new Error('held'));

/** Two coordinators on one memory. The second one can be held: it does not see changes. */
async function pair(t: Parameters<typeof startCluster>[0]): Promise<{ a: Cluster; hold(isHeld: boolean): void }> {
  const medium = memorySharedMedium();
  let isHeld = false;
  const [first, second] = [medium.open(), medium.open()];
  const held: SharedStore = {
    ...second,
    read: (keys) => (isHeld ? HELD() : second.read(keys)),
    versions: () => (isHeld ? HELD() : second.versions()),
  };
  const sharing = (store: SharedStore) => ({ store, file: memoryStore(), refusesStart: false });
  const a = await startCluster(t, { sharing: sharing(first), name: 'a' });
  await startCluster(t, { sharing: sharing(held), name: 'b' });
  for (;;) {
    const { coordinators } = (await a.run('coordinators --json')).json<{ coordinators: readonly object[] }>();
    if (coordinators.length === 2) break;
  }
  const hold = (is: boolean): void => {
    isHeld = is;
  };
  return { a, hold };
}

const VERBS = ['drain n1 --yes', 'balancer shop set retries=3', 'forget --all', 'token create guest --role join'];

test('each verb warns about a coordinator that does not have its change, and waits for it with --wait', async (t) => {
  const { a, hold } = await pair(t);
  await a.add('n1');
  hold(true);
  for (const verb of VERBS) {
    const warned = await a.run(verb);
    assert.equal(warned.code, 0, `${verb}: ${warned.stderr}`);
    assert.match(warned.stderr, /warning: not known to be in force at b yet/, verb);
  }
  const late = await a.run('enable n1 --wait --timeout 1ms --json');
  assert.equal(late.code, EXIT.timedOut, late.stderr);
  assert.deepEqual(late.json<{ coordinators: AppliedResource }>().coordinators.pending, ['b']);
  const waiting = a.run('weight n1 3 --wait --json');
  // It captures standard error by now.
  const { write } = process.stderr;
  process.stderr.write = ((text: string) => {
    if (text.startsWith('waiting until')) hold(false);
    return write.call(process.stderr, text);
  }) as never;
  const done = await waiting;
  assert.match(done.stderr, /^waiting until it is in force at b, /);
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(done.json<{ coordinators: AppliedResource }>().coordinators, {
    applied: ['a', 'b'],
    pending: [],
    absent: [],
  });
});
