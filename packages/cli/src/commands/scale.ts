/** `rollcall scale B=N`: changes the number of copies that the `rollcall run` processes of a balancer keep. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CopiesResource, NodeResource, ScaleBody, ScaleResult } from '@rollcall/protocol';
import { compactDuration, durationText, isName } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nodesOf } from '../lists.ts';
import { sendConfirmed, YES_HELP } from './confirmation.ts';
import { inForce } from './in-force.ts';
import { withNextStep } from './no-target.ts';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';
import { MANY_ATTEMPTS, type ScaleProgress, scaleProgress } from './scale-progress.ts';
import { waitTimeoutMs } from './verb-flags.ts';

interface ScaleFlags extends ReaderFlags {
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly yes?: boolean;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** Time between two polls of the nodes. */
const POLL_MS = 250;
/** A surplus copy may keep its sessions for five minutes. */
const DEFAULT_TIMEOUT_MS = 360_000;
/** Without `--wait`: time for new copies to come up or to fail. */
const FIRST_LOOK_MS = 2_000;

const HELP = `
N is the number of all nodes of the balancer: copies of "rollcall run", and nodes of "join", "add" and the SDK. Only copies are
started and ended. Scaling down drains the newest copies, their sessions for up to
five minutes, and ends them. Scaling up first re-enables copies that still drain, then starts new copies at once.
Several wrappers of one balancer, on one machine or many, get numbers that are as equal as possible.

N counts the nodes that an operator has drained or stopped: their programs run. Copies that fail are tried again after
pauses of up to 30s, and at once after the same command. "rollcall balancer shop" lists them with their causes.
With --wait the exit code is 1 as soon as every missing copy has failed ${MANY_ATTEMPTS} times. Without --wait the command looks
for up to 2s, and exit code 0 means only that the wrappers have the number. --json without --wait does not look: "copies" are as of
the request, so "failing" has no new copies. With --wait they are as of the end.

  rollcall scale shop=5 --wait
`;

export function scaleCommand(): Command {
  return addReaderFlags(
    new Command('scale')
      .description('change the number of nodes of a balancer, by copies of rollcall run')
      .argument('<balancer=n>', 'e.g. shop=5'),
  )
    .option(
      '--wait',
      'print the progress and return when N nodes are up, all others have left, and all coordinators have N',
    )
    .option('--timeout <duration>', 'with --wait: give up after this long, with exit code 4 (default: 6m)')
    .option('--yes', YES_HELP)
    .option('--reason <text>', 'reason for the audit log')
    .option('--dry-run', 'print the effect and change nothing')
    .addHelpText('after', HELP)
    .action(async (text: string, flags: ScaleFlags) => {
      const [, balancer = '', number = ''] = /^([^=]*)=(\d{1,4})$/.exec(text) ?? [];
      const count = Number(number);
      if (!isName(balancer) || count < 1 || count > 1_000)
        throw new CliFailure(
          `${JSON.stringify(text)}: write BALANCER=N with N from 1 to 1000, like shop=5`,
          EXIT.usage,
        );
      const timeoutMs = waitTimeoutMs(flags) ?? DEFAULT_TIMEOUT_MS;
      await scale(balancer, count, timeoutMs, flags);
    });
}

async function scale(balancer: string, count: number, timeoutMs: number, flags: ScaleFlags): Promise<void> {
  const client = await clientFor(flags);
  const body: ScaleBody = {
    count,
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
  };
  const startMs = performance.now();
  const result = await requestScale(client, balancer, body, flags);
  if (!flags.wait || flags.dryRun) await inForce(client, result, false, undefined);
  printNote(result);
  if (flags.json && (!flags.wait || flags.dryRun)) {
    printJson(result);
    return;
  }
  const print = (line: string): void => {
    if (!flags.json) process.stdout.write(`${line}\n`);
  };
  print(result.message);
  if (flags.dryRun) return;
  const look = () => present(client, balancer, count);
  if (!flags.wait) {
    await lookOnce(look, balancer, print);
    return;
  }
  print(
    `waiting until ${count} ${count === 1 ? 'node is' : 'nodes are'} up and all others have left, at most ${durationText(timeoutMs)}; Ctrl-C ends the wait only`,
  );
  const { nodes, copies } = await untilScaled(look, timeoutMs, print);
  const { result: known, failure } = await inForce(client, result, true, timeoutMs - (performance.now() - startMs));
  if (failure === undefined) print(`done after ${compactDuration(performance.now() - startMs)}`);
  if (flags.json) printJson({ ...known, nodes, ...(copies && { copies }) });
  if (failure !== undefined) throw failure;
}

/** The nodes and copies of a balancer at one moment. */
interface Present extends ScaleProgress {
  readonly nodes: readonly NodeResource[];
  readonly copies: CopiesResource | undefined;
}

async function present(client: AdminClient, balancer: string, count: number): Promise<Present> {
  const nodes = await nodesOf(client, { balancer });
  const { copies } = await client.call('getBalancer', { path: { name: balancer } });
  return { nodes, copies, ...scaleProgress(nodes, copies ?? {}, count) };
}

/** Looks until nothing is missing or a copy fails, and prints the progress if a node was missing. */
async function lookOnce(look: () => Promise<Present>, balancer: string, print: (line: string) => void): Promise<void> {
  const endMs = performance.now() + FIRST_LOOK_MS;
  for (let isFirst = true; ; isFirst = false) {
    const { line, missing, failing } = await look();
    if (missing <= 0) {
      if (!isFirst) print(line);
      return;
    }
    if (failing.length > 0 || performance.now() > endMs) {
      print(`${line}; later: rollcall balancer ${balancer}`);
      return;
    }
    await sleep(POLL_MS);
  }
}

/** Without a wrapper, another program keeps the copies: most likely Compose. */
async function requestScale(
  client: AdminClient,
  balancer: string,
  body: ScaleBody,
  flags: ScaleFlags,
): Promise<ScaleResult> {
  const send = (more: object) => client.call('scaleBalancer', { path: { name: balancer }, body: { ...body, ...more } });
  try {
    return await sendConfirmed({ send, verb: 'Scale', endsSessions: false }, flags);
  } catch (error) {
    if (!(error instanceof CliFailure) || error.code !== 'not-scalable') throw withNextStep(error);
    throw new CliFailure(
      `${error.message}; with Compose use  docker-compose up -d --no-recreate --scale ${balancer}=${body.count}`,
      error.exitCode,
    );
  }
}

async function untilScaled(
  look: () => Promise<Present>,
  timeoutMs: number,
  print: (line: string) => void,
): Promise<Present> {
  const endMs = performance.now() + timeoutMs;
  for (let printed = ''; ; ) {
    const now = await look();
    const { line, isDone, isHopeless } = now;
    if (line !== printed) print(line);
    printed = line;
    if (isDone) return now;
    if (isHopeless)
      throw new CliFailure(
        `${line}; every missing copy has failed at least ${MANY_ATTEMPTS} times, and its wrapper keeps trying`,
        EXIT.failed,
      );
    if (performance.now() > endMs) throw new CliFailure(`after ${timeoutMs / 1_000} s: ${line}`, EXIT.timedOut);
    await sleep(POLL_MS);
  }
}
