/** `rollcall scale B=N`: changes the number of copies that the `rollcall run` processes of a balancer keep. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeResource, ScaleBody, WriteResult } from '@rollcall/protocol';
import { compactDuration, isName } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { counted } from '../format.ts';
import { nodesOf } from '../lists.ts';
import { durationOf } from '../run/node-flags.ts';
import { sendConfirmed, YES_HELP } from './confirmation.ts';
import { withNextStep } from './no-target.ts';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';

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

const HELP = `
Changes the number of copies of a running "rollcall run". Scaling down drains the newest copies, their sessions for up to five
minutes, and ends them. Scaling up first re-enables copies that still drain, then starts new copies at once.
Several wrappers of one balancer, on one machine or many, get numbers that are as equal as possible.

  rollcall scale shop=5 --wait
`;

export function scaleCommand(): Command {
  return addReaderFlags(
    new Command('scale')
      .description('change the number of copies of a program')
      .argument('<balancer=n>', 'e.g. shop=5'),
  )
    .option('--wait', 'print the progress and return when N nodes are up and all others have left')
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
      const timeoutMs = durationOf('--timeout', flags.timeout, DEFAULT_TIMEOUT_MS);
      await scale(balancer, count, timeoutMs, flags);
    });
}

async function scale(balancer: string, count: number, timeoutMs: number, flags: ScaleFlags): Promise<void> {
  const client = await clientFor(flags);
  const body: ScaleBody = {
    count,
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
  };
  const result = await requestScale(client, balancer, body, flags);
  printNote(result);
  if (!flags.wait || flags.dryRun) {
    if (flags.json) printJson(result);
    else process.stdout.write(`${result.message}\n`);
    return;
  }
  const print = (line: string): void => {
    if (!flags.json) process.stdout.write(`${line}\n`);
  };
  print(result.message);
  print(
    `waiting until ${count} ${count === 1 ? 'node is' : 'nodes are'} up and all others have left, at most ${compactDuration(timeoutMs)}; Ctrl-C ends the wait only`,
  );
  const startMs = performance.now();
  const nodes = await untilScaled(client, balancer, count, timeoutMs, print);
  print(`done after ${compactDuration(performance.now() - startMs)}`);
  if (flags.json) printJson({ ...result, nodes });
}

/** Without a wrapper, another program keeps the copies: most likely Compose. */
async function requestScale(
  client: AdminClient,
  balancer: string,
  body: ScaleBody,
  flags: ScaleFlags,
): Promise<WriteResult> {
  const path = `/v1/balancers/${balancer}/scale`;
  try {
    return await sendConfirmed(client, { method: 'POST', path, body, verb: 'Scale', endsSessions: false }, flags);
  } catch (error) {
    if (!(error instanceof CliFailure) || error.code !== 'not-scalable') throw withNextStep(error);
    throw new CliFailure(
      `${error.message}; with Compose use  docker-compose up -d --no-recreate --scale ${balancer}=${body.count}`,
      error.exitCode,
    );
  }
}

async function untilScaled(
  client: AdminClient,
  balancer: string,
  count: number,
  timeoutMs: number,
  print: (line: string) => void,
): Promise<readonly NodeResource[]> {
  const endMs = performance.now() + timeoutMs;
  for (let printed = ''; ; ) {
    const nodes = await nodesOf(client, { balancer });
    const up = nodes.filter((node) => node.liveness === 'up' && node.status === 'enabled');
    const leaving = nodes.filter((node) => node.status !== 'enabled');
    const sessions = leaving.reduce((sum, node) => sum + node.sessions, 0);
    const line = `${up.length} of ${count} up${leaving.length === 0 ? '' : `, ${leaving.length} leaving with ${counted(sessions, 'session')}`}`;
    if (line !== printed) print(line);
    printed = line;
    if (up.length === count && nodes.length === count) return nodes;
    if (performance.now() > endMs) throw new CliFailure(`after ${timeoutMs / 1_000} s: ${line}`, EXIT.timedOut);
    await sleep(POLL_MS);
  }
}
