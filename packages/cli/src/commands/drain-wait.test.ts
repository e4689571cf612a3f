import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeResource } from '@rollcall/protocol';
import { type WaitedFor, waitForDrains } from './drain-wait.ts';

interface State {
  readonly liveness?: NodeResource['liveness'];
  readonly status?: NodeResource['status'];
  readonly sessions?: number;
  readonly isDone?: boolean;
}

function node(
  id: string,
  { liveness = 'up', status = 'draining', sessions = 0, isDone = false }: State = {},
): NodeResource {
  const drain = { sessionsLeft: sessions, inFlight: 0, tunnels: 0, isDone, waitingFor: [] };
  return {
    ...{ id, liveness, status, sessions, inFlight: 0, warnings: [], drain: status === 'enabled' ? undefined : drain },
    ...{ wanted: { status }, reported: { status: 'enabled' }, observed: { ports: [], parked: 0 } },
  } as unknown as NodeResource;
}

/** Runs the wait against these looks, the last of which repeats. Returns its result and what it printed. */
async function wait(looks: readonly (readonly NodeResource[])[], timeoutMs?: number, what?: WaitedFor) {
  const lines: string[] = [];
  const { write } = process.stderr;
  process.stderr.write = ((text: string) => lines.push(...text.trimEnd().split('\n'))) as never;
  let at = 0;
  const look = async (): Promise<readonly NodeResource[]> => looks[Math.min(at++, looks.length - 1)]!;
  try {
    const over = await waitForDrains(look, looks[0]!, timeoutMs, what);
    return { ...over, lines };
  } finally {
    process.stderr.write = write;
  }
}

const EMPTY = { isDone: true } as const;

test('the wait ends when every node is empty, and prints each change once', async () => {
  const busy = [node('a', { sessions: 3 }), node('b', EMPTY)];
  const { failure, nodes, lines } = await wait([busy, busy, [node('a', EMPTY), node('b', EMPTY)]], 60_000);
  assert.equal(failure, undefined);
  assert.deepEqual(nodes.map(({ id }) => id).sort(), ['a', 'b']);
  assert.match(
    lines[0]!,
    /^waiting until the drains of 2 nodes end, at most 1m; Ctrl-C ends the wait and not the drain$/,
  );
  assert.equal(lines.filter((line) => line.startsWith('a: ')).length, 2);
  assert.equal(lines.filter((line) => line === 'b: empty').length, 1);
  assert.match(lines.at(-1)!, /^done after .*: empty$/);
});

for (const [what, end, exitCode, message] of [
  ['past its deadline', { isDone: true, sessions: 5 }, 4, 'a: deadline over, 5 sessions left'],
  ['killed', { liveness: 'gone' as const, sessions: 5 }, 1, 'a: killed, 5 sessions lost'],
] as const)
  test(`a node that is ${what} gives exit code ${exitCode}`, async () => {
    const { failure } = await wait([[node('a', { sessions: 5 })], [node('a', end)]]);
    assert.deepEqual([failure?.exitCode, failure?.message], [exitCode, message]);
  });

test('a node that was killed outweighs deadlines of others', async () => {
  const before = [node('a', { sessions: 2 }), node('b', { sessions: 1 })];
  const { failure } = await wait([
    before,
    [node('a', { isDone: true, sessions: 2 }), node('b', { liveness: 'gone', sessions: 1 })],
  ]);
  assert.equal(failure?.exitCode, 1);
  assert.match(failure!.message, /a: deadline over, 2 sessions left; b: killed, 1 session lost$/);
});

test('a node that is no longer listed counts as gone, with the sessions that it had', async () => {
  const { failure } = await wait([[node('a', { sessions: 4 })], []]);
  assert.match(failure!.message, /^a: killed, 4 sessions lost$/);
});

test('a node that is enabled again ends the wait', async () => {
  await assert.rejects(wait([[node('a', { sessions: 1 })], [node('a', { status: 'enabled' })]]), {
    exitCode: 1,
    message: 'a was enabled again before its drain ended',
  });
});

test('the time limit ends the wait and names the nodes that are left', async () => {
  await assert.rejects(wait([[node('a', { sessions: 1 }), node('b', EMPTY)]], 1), {
    exitCode: 4,
    message: 'not drained within the --timeout: a; the drain continues',
  });
});

for (const [what, status, words] of [
  ['drain', 'draining', 'drained'],
  ['stop', 'stopped', 'stopped'],
] as const)
  test(`the wait for a ${what} names it as a ${what} in each text`, async () => {
    const busy = node('a', { status, sessions: 1 });
    const { lines } = await wait(
      [[busy], [{ ...busy, drain: { ...busy.drain!, isDone: true, sessionsLeft: 0 } }]],
      60_000,
      what,
    );
    const waits = `waiting until the ${what} of 1 node ends, at most 1m; Ctrl-C ends the wait and not the ${what}`;
    assert.equal(lines[0], waits);
    await assert.rejects(wait([[busy], [node('a', { status: 'enabled' })]], undefined, what), {
      message: `a was enabled again before its ${what} ended`,
    });
    await assert.rejects(wait([[busy]], 1, what), {
      message: `not ${words} within the --timeout: a; the ${what} continues`,
    });
  });

for (const targets of [[], [node('a', { liveness: 'gone' })]])
  test(`a wait for ${targets.length} nodes, none of them present, fails at once`, async () => {
    await assert.rejects(wait([targets]), { exitCode: 1, message: /^there is nothing to wait for: no node / });
  });
