import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemTimers } from '../timers.ts';
import { LeaderElection } from './leader-election.ts';

const LISTENER = { judge: () => undefined, onRegistered() {}, onEnd() {}, onNews() {}, onRequestedStatus() {} };

function setUp(t: TestContext) {
  const parent = mkdtempSync(join(tmpdir(), 'leader-election-'));
  const directory = join(parent, 'group');
  const led: number[] = [];
  const elections: LeaderElection[] = [];
  // An election does not keep the process alive.
  const alive = setInterval(() => {}, 1_000);
  t.after(() => {
    clearInterval(alive);
    for (const election of elections) election.close();
    rmSync(parent, { recursive: true, force: true });
  });
  const member = (number: number): LeaderElection => {
    const election = new LeaderElection({
      directory,
      number,
      timers: systemTimers(),
      listener: LISTENER,
      onLead: () => led.push(number),
    });
    elections.push(election);
    return election;
  };
  return { directory, led, member };
}

test('exactly one of the workers that start together leads, and all have the same socket name', async (t) => {
  for (let round = 0; round < 10; round++) {
    const { led, member } = setUp(t);
    const elections = Array.from({ length: 8 }, (_, i) => member(i + 1));
    const order = elections.toSorted((a, b) => elections.indexOf(a) * (round % 3) - elections.indexOf(b) * (round % 2));
    await Promise.all(order.map((election) => election.elect()));
    assert.equal(led.length, 1);
    assert.equal(elections.filter(({ isLeading }) => isLeading).length, 1);
    assert.equal(new Set(elections.map(({ name }) => JSON.stringify(name))).size, 1);
  }
});

test('when the leader ends another worker leads; the last removes the directory', async (t) => {
  const { directory, led, member } = setUp(t);
  const [first, second, third] = [member(1), member(2), member(3)];
  await first.elect();
  await Promise.all([second.elect(), third.elect()]);
  assert.deepEqual(led, [1]);
  const { secret } = second.name;
  first.close();
  await Promise.all([second.elect(), third.elect()]);
  assert.equal(led.length, 2);
  assert.equal(member(4).name.secret, secret, 'the instance is the same');
  for (const election of [second, third]) election.remove();
  assert.equal(existsSync(directory), false);
});

test('the socket of a killed worker does not prevent an election', async (t) => {
  const { directory, led, member } = setUp(t);
  const election = member(7);
  writeFileSync(join(directory, '3.sock'), '');
  await election.elect();
  assert.deepEqual(led, [7]);
});
