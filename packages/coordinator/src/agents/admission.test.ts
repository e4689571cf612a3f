import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { Admission } from './admission.ts';

const TICK_MS = 50;

/** An admission whose loop is as busy as the test sets it, and applicants with numbers. */
function started() {
  const clocks = new ManualClocks();
  let utilization = 0.3;
  const held: number[] = [];
  const admitted: number[] = [];
  const deferred: number[] = [];
  const admission = new Admission({
    clocks,
    onHeld: (heldMs) => held.push(heldMs),
    loop: () => ({ utilization }),
  });
  return {
    clocks,
    admission,
    admitted,
    heldMs: () => held.reduce((sum, ms) => sum + ms, 0),
    busy: (part: number) => {
      utilization = part;
    },
    /** Returns the milliseconds after which the agent has to reconnect. */
    enter: (number: number, isGone = false): number | undefined => {
      let deferredMs: number | undefined;
      admission.enter({
        isGone: () => isGone,
        admit: () => admitted.push(number),
        defer: (retryMs) => {
          deferredMs = retryMs;
          deferred.push(number);
        },
      });
      return deferredMs;
    },
    deferred,
    ticks: (count: number, ms = TICK_MS) => {
      for (let i = 0; i < count; i++) {
        clocks.advance(ms);
        admission.pass();
      }
    },
  };
}

describe('admission of agents', () => {
  test('a few agents are admitted at once', () => {
    const { enter, admitted, admission } = started();
    for (let i = 0; i < 20; i++) assert.equal(enter(i), undefined);
    assert.equal(admitted.length, 20);
    assert.equal(admission.size, 0);
    admission.close();
  });

  test('many agents wait in order of arrival', () => {
    const { enter, admitted, admission, ticks } = started();
    for (let i = 0; i < 200; i++) enter(i);
    assert.ok(admitted.length < 200 && admission.size === 200 - admitted.length);
    ticks(20);
    assert.deepEqual(
      admitted,
      Array.from({ length: 200 }, (_, i) => i),
    );
    admission.close();
  });

  test('a busy loop admits fewer, an idle one more', () => {
    const rate = (utilization: number): number => {
      const { enter, admitted, admission, ticks, busy } = started();
      busy(utilization);
      for (let i = 0; i < 20_000; i++) enter(i);
      ticks(20);
      const before = admitted.length;
      for (let i = 0; i < 20_000; i++) enter(i);
      ticks(20);
      admission.close();
      return admitted.length - before;
    };
    assert.ok(rate(0.95) <= 200, 'the lowest rate is 200 a second');
    assert.ok(rate(0.3) > 5 * rate(0.95));
  });

  test('a loop that is late counts as busy', () => {
    const { enter, admitted, admission, ticks } = started();
    for (let i = 0; i < 2_000; i++) enter(i);
    ticks(10, 200);
    const before = admitted.length;
    ticks(10, 200);
    admission.close();
    assert.ok(admitted.length - before <= 400, 'the lowest rate is 200 a second');
  });

  test('agents that would wait too long have to reconnect, each at its own instant', () => {
    const { enter, admission, clocks } = started();
    const retries: number[] = [];
    for (let i = 0; i < 3_000; i++) {
      const retryMs = enter(i);
      if (retryMs !== undefined) retries.push(retryMs);
    }
    assert.ok(admission.size <= 1_500, 'at 500 a second the last one waits 3 s');
    assert.equal(retries.length, 3_000 - admission.size - 25);
    for (const [i, retryMs] of retries.entries()) {
      assert.ok(i === 0 || retryMs > retries[i - 1]!);
      assert.ok(retryMs <= 30_000);
    }
    clocks.advance(1);
    admission.close();
  });

  test('a connection that closed in the queue takes no place', () => {
    const { enter, admitted, admission, ticks } = started();
    for (let i = 0; i < 25; i++) enter(i);
    for (let i = 0; i < 1_000; i++) enter(i, true);
    enter(1_000);
    ticks(1);
    assert.equal(admitted.at(-1), 1_000);
    assert.equal(admission.size, 0);
    admission.close();
  });

  test('an agent that has waited too long because the loop was blocked has to reconnect', () => {
    const { enter, admitted, deferred, admission, ticks } = started();
    for (let i = 0; i < 1_000; i++) enter(i);
    const before = admitted.length;
    ticks(1, 5_000);
    admission.close();
    assert.equal(admitted.length, before);
    assert.ok(deferred.length > 0 && admission.size === 0);
  });

  test('a loop that is slower than the permitted rate defers agents earlier', () => {
    const places = (tickMs: number): number => {
      const { enter, admission, ticks } = started();
      for (let i = 0; i < 1_400; i++) enter(i);
      ticks(3, tickMs);
      for (let i = 0; i < 3_000; i++) enter(i);
      const { size } = admission;
      admission.close();
      return size;
    };
    assert.ok(places(1_000) < places(TICK_MS) * 0.7, `${places(1_000)} ${places(TICK_MS)}`);
  });

  test('time is reported while agents wait, and not while the queue is empty', () => {
    const { enter, admission, ticks, heldMs, busy } = started();
    enter(1);
    ticks(20);
    assert.equal(heldMs(), 0);
    busy(0.95);
    for (let i = 0; i < 400; i++) enter(i);
    let ticksWaited = 0;
    for (; admission.size > 0; ticksWaited++) ticks(1);
    ticks(200);
    assert.equal(heldMs(), ticksWaited * TICK_MS);
    admission.close();
  });

  test('time is also reported while deferred agents are expected', () => {
    const { enter, admission, ticks, heldMs } = started();
    let lastMs = 0;
    for (let i = 0; i < 3_000; i++) lastMs = enter(i) ?? lastMs;
    ticks(1_000);
    assert.ok(heldMs() >= lastMs && heldMs() <= lastMs + 6_000, `${heldMs()} for ${lastMs}`);
    admission.close();
  });
});
