/** `rollcall wait` against a coordinator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCluster } from '../testing/cluster.ts';
import { expectOutcomes } from '../testing/outcomes.ts';

test('wait returns when the condition holds, and with exit code 4 when the time is over', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1', { sessions: 2 });
  await expectOutcomes(cluster.run, [
    { words: 'wait nodes --balancer shop --count 1' },
    { words: 'wait nodes --count 0' },
    { words: 'wait node n1 up' },
    { words: 'wait node n9 gone' },
    {
      words: 'wait nodes --count 2 --timeout 1ms',
      code: 4,
      err: /^waiting: 1 of 2 nodes up and enabled\nrollcall: not within 1ms: 1 of 2 nodes up and enabled\n$/,
    },
    { words: 'wait node n1 empty --timeout 1ms', code: 4, err: /n1: 2 sessions, 0 in flight, 0 tunnels\n$/ },
    { words: 'wait node n1 gone --timeout 1ms', code: 4, err: /n1 is up\n$/ },
    { words: 'wait node n9 up --timeout 1ms', code: 4, err: /there is no node n9\n$/ },
    // No worker is connected.
    { words: 'wait well --timeout 1ms', code: 4, err: /^waiting: 1 problem/ },
    { words: 'wait nodes', code: 2, err: /required option '--count <n>' not specified/ },
    { words: 'wait nodes --count many', code: 2, err: /^--count "many": write a whole number from 0 to 1000/ },
    { words: 'wait node n1 well', code: 2, err: '"well" is none of up, gone, empty' },
  ]);
});

test('wait sees a change while it waits', async (t) => {
  const cluster = await startCluster(t);
  await cluster.add('n1');
  const adding = new Promise<void>((resolve, reject) => {
    setImmediate(() => cluster.add('n2').then(resolve, reject));
  });
  const { code } = await cluster.run('wait nodes --balancer shop --count 2 --timeout 30s');
  await adding;
  assert.equal(code, 0);
});
