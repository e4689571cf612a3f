/** Where a change is in force: the warning about coordinators that do not have it yet, and the wait of `--wait`. One rule for all verbs. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppliedResource } from '@rollcall/protocol';
import { compactDuration, durationText } from '@rollcall/protocol';
import type { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { printJson, printNote, type ReaderFlags } from './reader-flags.ts';
import { waitTimeoutMs } from './verb-flags.ts';

/** Time that one answer of the coordinator may take, milliseconds. */
const ANSWER_MS = 2_000;
/** The same at the end of the time limit: the coordinator needs an exchange with the store. */
const MIN_ANSWER_MS = 100;
/** Time between two requests, milliseconds: while nothing is shared, the coordinator answers at once. */
const POLL_MS = 250;

export interface WaitFlags {
  readonly wait?: boolean;
  readonly timeout?: string;
}

/** The part of an answer that this rule reads. */
export interface Answer {
  readonly message: string;
  readonly note?: string;
  readonly coordinators?: AppliedResource;
}

interface InForce<Result> {
  /** With the coordinators as they are after the wait. */
  readonly result: Result;
  /** The time limit was over first. */
  readonly failure?: CliFailure;
}

/** Adds `--wait` and `--timeout` to a command that waits for coordinators only. */
export function addWaitFlags(command: Command): Command {
  return command
    .option('--wait', 'return when the change is in force at all coordinators that run')
    .option('--timeout <duration>', 'with --wait: time limit, then exit code 4 (default: none)');
}

/** Prints an answer, as JSON after the wait. `text`: in place of its message. Fails with exit 4 if the time limit of `--wait` is over first. */
export async function printInForce(
  client: AdminClient,
  answer: Answer,
  flags: ReaderFlags & WaitFlags,
  text = `${answer.message}\n`,
): Promise<void> {
  printNote(answer);
  const timeoutMs = waitTimeoutMs(flags);
  if (!flags.json) process.stdout.write(text);
  const { result, failure } = await inForce(client, answer, flags.wait === true, timeoutMs);
  if (flags.json) printJson(result);
  if (failure !== undefined) throw failure;
}

/** Without `isWaiting`, warns about coordinators that are pending. With it, waits until none is. `undefined` for `timeoutMs`: no limit. */
export async function inForce<Result extends Pick<Answer, 'coordinators'>>(
  client: Pick<AdminClient, 'call'>,
  result: Result,
  isWaiting: boolean,
  timeoutMs: number | undefined,
): Promise<InForce<Result>> {
  let { coordinators } = result;
  if (coordinators === undefined || coordinators.pending.length === 0) return { result };
  const names = namesOf(coordinators);
  if (!isWaiting) {
    process.stderr.write(`warning: not known to be in force at ${names} yet; with --wait the command waits for it\n`);
    return { result };
  }
  const startMs = performance.now();
  const limitMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, Math.ceil(timeoutMs));
  const endMs = startMs + limitMs;
  const limit = timeoutMs === undefined ? 'without a time limit (--timeout)' : `at most ${durationText(limitMs)}`;
  process.stderr.write(`waiting until it is in force at ${names}, ${limit}; Ctrl-C ends the wait and not the change\n`);
  for (;;) {
    const withinMs = Math.ceil(Math.min(ANSWER_MS, Math.max(MIN_ANSWER_MS, endMs - performance.now())));
    coordinators = await client.call('getAppliedCoordinators', { query: { withinMs } });
    const known = { ...result, coordinators };
    if (coordinators.pending.length === 0) {
      const { applied, absent } = coordinators;
      const down = absent.length === 0 ? '' : `; ${absent.join(', ')} ${absent.length === 1 ? 'is' : 'are'} down`;
      const took = compactDuration(performance.now() - startMs);
      process.stderr.write(`in force at ${applied.join(', ')} after ${took}${down}\n`);
      return { result: known };
    }
    if (performance.now() >= endMs) {
      const message = `not known to be in force at ${namesOf(coordinators)} within the --timeout; it is in force here, and they take it later`;
      return { result: known, failure: new CliFailure(message, EXIT.timedOut) };
    }
    await sleep(Math.min(POLL_MS, Math.max(0, endMs - performance.now())));
  }
}

function namesOf({ pending }: AppliedResource): string {
  return pending.join(', ');
}
