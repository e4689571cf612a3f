import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualTimers } from './testing/manual-timers.ts';
import { Unreachable } from './unreachable.ts';

const A = 'ws://a.test:8400/v1/agent';
const B = 'ws://b.test:8400/v1/agent';

test('one sentence when every coordinator has failed; again when the cause changes, and after a registration', () => {
  const unreachable = new Unreachable(new ManualTimers());
  const fails = (url: string, cause: string) => unreachable.failed(url, [{ cause }], [A, B])?.message;
  assert.equal(fails(A, 'connection refused'), undefined, 'the other one may answer');
  assert.equal(
    fails(B, 'connection refused'),
    'cannot connect to a coordinator at ws://a.test:8400 and ws://b.test:8400: connection refused; retrying',
  );
  assert.equal(fails(A, 'connection refused'), undefined);
  assert.equal(
    fails(A, 'no answer in 1 s'),
    'cannot connect to a coordinator at ws://a.test:8400: no answer in 1 s; at ws://b.test:8400: connection refused; retrying',
  );
  unreachable.clear();
  assert.equal(fails(A, 'no answer in 1 s'), undefined);
  assert.match(fails(B, 'connection refused') ?? '', /^cannot connect/);
});

test('alternating causes are reported once a minute', () => {
  const timers = new ManualTimers();
  const unreachable = new Unreachable(timers);
  let said = 0;
  for (let second = 0; second < 120; second += 1) {
    if (unreachable.failed(A, [{ cause: second % 2 ? 'refused' : 'timed out' }], [A]) !== undefined) said += 1;
    timers.advance(1_000);
  }
  assert.equal(said, 4);
});

test('a warning has the code of a refusal, and names addresses with different causes', () => {
  const unreachable = new Unreachable(new ManualTimers());
  const faults = [
    { address: '::1', cause: 'connection refused' },
    { address: '127.0.0.1', cause: 'join token refused', code: 'unauthenticated' },
  ];
  assert.deepEqual(unreachable.failed(A, faults, [A]), {
    code: 'unauthenticated',
    message:
      'cannot connect to the coordinator at ws://a.test:8400: ::1 connection refused, 127.0.0.1 join token refused; retrying',
  });
});
