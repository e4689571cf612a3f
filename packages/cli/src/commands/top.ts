/** `rollcall top`: a live full-screen view of the cluster. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusBody, WriteResult } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { addColourFlag, type ColourFlags, paintFor } from '../screen/paint.ts';
import { keysIn } from '../top/keys.ts';
import { pageRows, topLines } from '../top/lines.ts';
import { type Effect, type Question, START, step, type TopEvent, type TopState, type Verb } from '../top/model.ts';
import { type Counted, readView } from '../top/polled-view.ts';
import { TerminalScreen } from '../top/terminal-screen.ts';
import { effectsOf } from './confirmation.ts';
import { addReaderFlags, clientFor, type ReaderFlags } from './reader-flags.ts';

const HELP = `
Keys: j k or arrows move, / searches, x selects, d e s drain, enable and stop after a confirmation, o changes the order, ? lists all keys, q quits.
Without a terminal: rollcall nodes --watch
`;

/** Time between two reads, milliseconds. */
const READ_MS = 1_000;

/** Number of the signal, for the exit code of a process that it ends. */
const SIGNAL_NUMBERS: Partial<Readonly<Record<NodeJS.Signals, number>>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

export function topCommand(): Command {
  const command = addReaderFlags(new Command('top').description('watch the cluster, and drain or stop nodes'), {
    hasJson: false,
  });
  return addColourFlag(command)
    .addHelpText('after', HELP)
    .action(async (flags: ReaderFlags & ColourFlags) => {
      if (!process.stdin.isTTY || !process.stdout.isTTY)
        throw new CliFailure('top needs a terminal; without one use `rollcall nodes --watch`', EXIT.usage);
      await watch(await clientFor(flags), flags);
    });
}

/** Draws until the user quits, or a signal ends the process. */
async function watch(client: AdminClient, flags: ColourFlags): Promise<void> {
  const ended = new AbortController();
  let state: TopState = START;
  const paint = paintFor(process.stdout, flags);
  const draw = (): void => screen.draw(topLines(state, screen.size, paint, Date.now()));
  const on = (event: TopEvent): void => {
    const next = step(state, event);
    state = next.state;
    if (next.effect !== undefined) run(next.effect);
    draw();
  };
  const run = (effect: Effect): void => {
    if (effect.type === 'quit') ended.abort();
    else if (effect.type === 'suspend') screen.suspend();
    else if (effect.type === 'preview')
      void effectOf(client, effect.question).then((text) =>
        on({ type: 'preview', question: effect.question, effect: text }),
      );
    else void applied(client, effect.question).then((answer) => on({ type: 'answer', ...answer }));
  };
  const screen = new TerminalScreen(process.stdin, process.stdout, {
    onInput: (text) => {
      for (const key of keysIn(text)) on({ type: 'key', key, page: pageRows(state, screen.size, Date.now()) });
    },
    onRedraw: draw,
    onEnd: (signal) => {
      process.exitCode = 128 + SIGNAL_NUMBERS[signal]!;
      ended.abort();
    },
  });
  screen.open();
  draw();
  try {
    await readAll(client, on, ended.signal);
  } finally {
    screen.close();
  }
  // A read that has not ended must not delay the end.
  process.exit();
}

/** Reads until `signal` aborts. A coordinator that does not answer is a state of the view. */
async function readAll(client: AdminClient, on: (event: TopEvent) => void, signal: AbortSignal): Promise<void> {
  const end = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  let counted: Counted | undefined;
  const read = async (): Promise<void> => {
    try {
      const [view, now] = await readView(client, counted);
      counted = now;
      on({ type: 'view', view });
    } catch (error) {
      on({ type: 'lost', reason: (error as Error).message });
    }
    await sleep(READ_MS, undefined, { signal }).catch(() => undefined);
  };
  while (!signal.aborted) await Promise.race([read(), end]);
}

/** The effects of the dry run, for the question. */
async function effectOf(client: AdminClient, { verb, nodes }: Question): Promise<string> {
  try {
    const results = await Promise.all(nodes.map((node) => send(client, node, verb, { dryRun: true })));
    const effects = results.map((result) => effectsOf(result, verb === 'stop')).filter((effect) => effect !== '');
    if (effects.length > 0) return [...new Set(effects)].join('; ');
    return results.length === 1 ? results[0]!.message : '';
  } catch (error) {
    return (error as Error).message;
  }
}

async function applied(
  client: AdminClient,
  { verb, nodes }: Question,
): Promise<{ readonly text: string; readonly isBad: boolean }> {
  try {
    const results: WriteResult[] = [];
    for (const node of nodes) results.push(await send(client, node, verb, { force: true }));
    const text = results.length === 1 ? results[0]!.message : `${verb}: ${results.length} nodes`;
    return { text: [text, ...results.flatMap(({ note }) => note ?? [])].join('; '), isBad: false };
  } catch (error) {
    return { text: (error as Error).message, isBad: true };
  }
}

const OPERATIONS = { drain: 'drainNode', enable: 'enableNode', stop: 'stopNode' } as const;

function send(client: AdminClient, id: string, verb: Verb, body: StatusBody): Promise<WriteResult> {
  return client.call(OPERATIONS[verb], { path: { id }, body });
}
