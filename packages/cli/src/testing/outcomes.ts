/** Expected outcomes of commands, one per row of a table. */
import assert from 'node:assert/strict';
import type { Ran, Surroundings } from './command.ts';

export interface Outcome {
  readonly words: string;
  /** Default 0. */
  readonly code?: number;
  /** Text or pattern of standard output. Default: empty. */
  readonly out?: string | RegExp;
  /** Text or pattern of standard error, without `rollcall: `. Default: empty. */
  readonly err?: string | RegExp;
  readonly with?: Surroundings;
}

type Run = (words: string, surroundings?: Surroundings) => Promise<Ran>;

/** Runs the commands one after another and compares exit code and both outputs. */
export async function expectOutcomes(run: Run, outcomes: readonly Outcome[]): Promise<void> {
  for (const { words, code = 0, out = '', err = '', with: surroundings } of outcomes) {
    const ran = await run(words, surroundings);
    const seen = `${words}: ${JSON.stringify({ code: ran.code, stdout: ran.stdout, stderr: ran.stderr })}`;
    assert.equal(ran.code, code, seen);
    expectText(ran.stdout, out, seen);
    expectText(ran.stderr.replace(/^rollcall: /, ''), err, seen);
  }
}

/** Text is compared without the line end of the output. */
function expectText(actual: string, expected: string | RegExp, seen: string): void {
  if (typeof expected === 'string') assert.equal(actual.replace(/\n$/, ''), expected, seen);
  else assert.match(actual, expected, seen);
}
