import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProcessLedger } from './process-ledger.ts';

const died = (pid: number) => ({ name: 'worker', pid, reason: 'signal', detail: 'SIGKILL' }) as const;

void test('restarts are counted by name and reason, across all processes of that name', () => {
  const ledger = new ProcessLedger();
  ledger.replaced(died(1), 0);
  ledger.replaced({ name: 'worker', pid: 2, reason: 'no-answer', detail: 'no answer for 10 s' }, 0);
  ledger.replaced({ name: 'control', pid: 3, reason: 'exit', detail: 'exit 1' }, 0);
  const certificates = [{ path: 'one.crt', names: ['shop.example'], endsAtUnixMs: 7 }];
  const state = { sinceUnixMs: 5, isServing: true, failedStarts: 0 };
  const now = { ...state, pid: 9 };
  assert.deepEqual(
    ledger.resources([
      { name: 'control', ...now },
      { name: 'worker', ...now, certificates },
      { name: 'static', ...state, pid: undefined },
    ]),
    [
      {
        name: 'control',
        ...now,
        restarts: 1,
        restartReasons: { exit: 1, signal: 0, 'no-answer': 0 },
        lastReason: 'exit 1',
      },
      {
        name: 'worker',
        ...now,
        certificates,
        restarts: 2,
        restartReasons: { exit: 0, signal: 1, 'no-answer': 1 },
        lastReason: 'no answer for 10 s',
      },
      { name: 'static', ...state, restarts: 0, restartReasons: { exit: 0, signal: 0, 'no-answer': 0 } },
    ],
  );
});

void test('the last hundred replacements wait with their age until they are noted', () => {
  const ledger = new ProcessLedger();
  for (let pid = 1; pid <= 103; pid++) ledger.replaced(died(pid), 1_000);
  const waiting = ledger.waiting(4_000);
  assert.deepEqual([waiting.length, waiting[0]?.number, waiting[0]?.agoMs], [100, 4, 3_000]);
  ledger.noted(102);
  assert.deepEqual(
    ledger.waiting(4_000).map(({ pid }) => pid),
    [103],
  );
  ledger.noted(103);
  assert.deepEqual(ledger.waiting(4_000), []);
});
