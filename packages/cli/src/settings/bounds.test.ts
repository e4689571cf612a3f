/** The bounds in an error message are the real bounds: each is read from the message and tested, as are its neighbours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from '@rollcall/protocol';
import { DEFAULT_LIMITS } from '@rollcall/proxy';
import { CliFailure } from '../exit.ts';
import { describedBy, durationOf, wholeOf } from '../run/node-flags.ts';
import { limitsFrom, limitsHelp } from './limits.ts';
import { settingPatch } from './vocabulary.ts';

interface Bounded {
  readonly name: string;
  /** Throws the error that a user reads. */
  readonly read: (text: string) => unknown;
  readonly outside: string;
  /** Smallest step of a value. */
  readonly step: number;
  /** Format of a number. */
  readonly text?: (value: number) => string;
}

const inMs = (value: number): string => `${value}ms`;
const named = limitsHelp()
  .split('\n')
  .filter((line) => /^ {2}[a-z]/.test(line) && !line.includes('earlier name'))
  .map((line) => line.trim().split(' ')[0] ?? '');

const BOUNDED: readonly Bounded[] = [
  { name: '--weight', read: (text) => describedBy({ weight: text }), outside: '0', step: 0.0005 },
  { name: 'retries', read: (text) => settingPatch('retries', [text], '--retries'), outside: '-1', step: 1 },
  {
    name: 'session-idle',
    read: (text) => settingPatch('session-idle', [text], '--session-idle'),
    outside: '0',
    step: 1,
    text: inMs,
  },
  { name: 'a whole number', read: (text) => wholeOf('--count', text, 3, 12), outside: 'x', step: 1 },
  { name: 'a duration', read: (text) => durationOf('--ready-late', text, 1), outside: '25h', step: 1, text: inMs },
  ...named.map((name) => ({
    name: `--limit ${name}`,
    read: (text: string) => limitsFrom([{ flag: '--limit', text: `${name}=${text}` }]),
    outside: isDuration(name) ? '999999999h' : '9999999999',
    step: 1,
    ...(isDuration(name) && { text: inMs }),
  })),
];

function isDuration(name: string): boolean {
  return refusalOf(() => limitsFrom([{ flag: '--limit', text: `${name}=soon` }]))?.includes('duration') ?? false;
}

function refusalOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof CliFailure);
    return error.message;
  }
}

/** The bounds in an error message as numbers; durations in milliseconds. */
function boundsIn(refusal: string): readonly (number | undefined)[] {
  const number = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : /^[\d.]+$/.test(text) ? Number(text) : parseDuration(text);
  const [, from, to] = /from ([\d.]+[a-z]*) to ([\d.]+[a-z]*)/.exec(refusal) ?? [];
  const [, most] = /at most ([\d.]+[a-z]*)/.exec(refusal) ?? [];
  return [number(from), number(to ?? most)];
}

test('every limit is among them', () => {
  assert.equal(named.length, Object.keys(DEFAULT_LIMITS).length);
});

for (const { name, read, outside, step, text = String } of BOUNDED)
  test(`${name}: the error has the bounds`, () => {
    const refusal = refusalOf(() => read(outside));
    assert.ok(refusal !== undefined, `${outside} is refused`);
    const [lowest, highest] = boundsIn(refusal);
    assert.ok(highest !== undefined, refusal);
    assert.equal(
      refusalOf(() => read(text(highest))),
      undefined,
      `${highest}, the highest, is allowed`,
    );
    assert.ok(
      refusalOf(() => read(text(highest + step))),
      `${highest + step} is refused`,
    );
    if (lowest === undefined) return;
    assert.equal(
      refusalOf(() => read(text(lowest))),
      undefined,
      `${lowest}, the lowest, is allowed`,
    );
    if (lowest > 0)
      assert.ok(
        refusalOf(() => read(text(lowest - step))),
        `${lowest - step} is refused`,
      );
  });
