/** `drain --wait` and `stop --wait`: print the progress until each node is empty, past its deadline, or lost. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeResource } from '@rollcall/protocol';
import { compactDuration, durationText, isPresent } from '@rollcall/protocol';
import { CliFailure, EXIT } from '../exit.ts';
import { drainText, noteOf } from '../nodes/node-notes.ts';
import { barText } from './drain-bar.ts';
import { type DrainEnd, drainEndOf } from './drain-end.ts';

/** Time between two polls of a drain, milliseconds. */
const POLL_MS = 250;
/** The same for more than `MANY_NODES` nodes: each poll reads the whole list. */
const SLOW_POLL_MS = 2_000;
const MANY_NODES = 100;
/** Exit codes, the worst first: one node that was killed outweighs deadlines of others. */
const BY_SEVERITY = [EXIT.failed, EXIT.timedOut, EXIT.ok];

export interface DrainsOver {
  readonly nodes: NodeResource[];
  /** The nodes that did not end as empty; `undefined` when all did. */
  readonly failure: CliFailure | undefined;
}

/** The command that waits, as a noun. */
export type WaitedFor = 'drain' | 'stop';
const DONE = { drain: 'drained', stop: 'stopped' } as const;

/**
 * Polls until the drains or stops of all `targets` have ended, and prints each change. A target that is not listed any more counts as gone.
 * Throws if a node is enabled again, with exit code 4 when `timeoutMs` is over, and if no target is present.
 */
export async function waitForDrains(
  look: () => Promise<readonly NodeResource[]>,
  targets: readonly NodeResource[],
  timeoutMs: number | undefined,
  what: WaitedFor = 'drain',
): Promise<DrainsOver> {
  if (!targets.some(isPresent))
    throw new CliFailure(`there is nothing to wait for: no node that could ${what} is present`, EXIT.failed);
  const startMs = performance.now();
  const endMs = startMs + (timeoutMs ?? Number.POSITIVE_INFINITY);
  const pollMs = targets.length > MANY_NODES ? SLOW_POLL_MS : POLL_MS;
  const left = new Map(targets.map((node) => [node.id as string, node]));
  const done: NodeResource[] = [];
  const ends = new Map<string, DrainEnd>();
  const progress = process.stderr.isTTY ? terminalProgress() : lineProgress();
  const limit = timeoutMs === undefined ? 'without a time limit (--timeout)' : `at most ${durationText(timeoutMs)}`;
  const subject = targets.length === 1 ? `the ${what} of 1 node ends` : `the ${what}s of ${targets.length} nodes end`;
  process.stderr.write(`waiting until ${subject}, ${limit}; Ctrl-C ends the wait and not the ${what}\n`);
  for (;;) {
    const now = new Map((await look()).map((node) => [node.id as string, node]));
    for (const [id, before] of left) {
      const node = now.get(id) ?? { ...before, liveness: 'gone' };
      const end = drainEndOf(node, before.drain?.sessionsLeft ?? before.sessions);
      const text = node.drain ? drainText(node, node.drain) : noteOf(node);
      const note = end?.word ?? text.replace(/, at most .*$/, '');
      progress.note(id, note, end !== undefined);
      if (end !== undefined) {
        ends.set(id, end);
        done.push(node);
        left.delete(id);
      } else if (node.status === 'enabled') {
        progress.end();
        throw new CliFailure(`${id} was enabled again before its ${what} ended`, EXIT.failed);
      } else left.set(id, node);
    }
    progress.show([...left.values()]);
    if (left.size === 0 || performance.now() >= endMs) progress.end();
    if (left.size === 0) return { nodes: done, failure: verdict(ends, compactDuration(performance.now() - startMs)) };
    if (performance.now() >= endMs)
      throw new CliFailure(
        `not ${DONE[what]} within the --timeout: ${[...left.keys()].join(', ')}; the ${what} continues`,
        EXIT.timedOut,
      );
    await sleep(pollMs);
  }
}

interface Progress {
  /** The state of one node; `isEnd`: its drain is over. */
  note(id: string, text: string, isEnd: boolean): void;
  /** The nodes that continue. */
  show(nodes: readonly NodeResource[]): void;
  end(): void;
}

/** A line for each change of a node. */
function lineProgress(): Progress {
  const printed = new Map<string, string>();
  return {
    note: (id, text) => {
      if (printed.get(id) !== text) process.stderr.write(`${id}: ${text}\n`);
      printed.set(id, text);
    },
    show: () => undefined,
    end: () => undefined,
  };
}

/** One line that is written again, and a line for each node whose drain is over. */
function terminalProgress(): Progress {
  const erase = '\r\u001b[2K';
  let most = 0;
  return {
    note: (id, text, isEnd) => {
      if (isEnd) process.stderr.write(`${erase}${id}: ${text}\n`);
    },
    show: (nodes) => {
      if (nodes.length === 0) return;
      most = Math.max(
        most,
        nodes.reduce((sum, { drain }) => sum + (drain?.sessionsLeft ?? 0), 0),
      );
      process.stderr.write(erase + barText(nodes, most, Date.now(), process.stderr.columns || 80));
    },
    end: () => void process.stderr.write(erase),
  };
}

/** Prints the last line if all nodes are empty; otherwise returns the failure that names the others. */
function verdict(ends: ReadonlyMap<string, DrainEnd>, duration: string): CliFailure | undefined {
  const bad = [...ends].filter(([, { exitCode }]) => exitCode !== EXIT.ok);
  if (bad.length > 0) {
    const exitCode = BY_SEVERITY.find((code) => bad.some(([, end]) => end.exitCode === code)) ?? EXIT.failed;
    return new CliFailure(bad.map(([id, { word }]) => `${id}: ${word}`).join('; '), exitCode);
  }
  const words = new Set([...ends.values()].map(({ word }) => word));
  process.stderr.write(`done after ${duration}: ${words.size === 1 ? [...words][0] : 'empty'}\n`);
  return undefined;
}
