/** `rollcall scale B=N`: changes how many copies the running `rollcall run` of a balancer keep. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeResource, ScaleBody, WriteResult } from '@rollcall/protocol';
import { isName } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nodesOf } from '../lists.ts';
import { durationOf } from '../run/node-flags.ts';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';

interface ScaleFlags extends ReaderFlags {
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** Time between two looks at the nodes. */
const POLL_MS = 250;
/** A copy that is one too many may keep its sessions for five minutes. */
const DEFAULT_TIMEOUT_MS = 360_000;

const HELP = `
Changes what a running "rollcall run" keeps. Of copies that are too many the newest drain, their sessions for up to five
minutes, and end. When there are to be more, copies that still drain serve again, and others start at once.
Several wrappers of one balancer, on one machine or many, stay as even as possible.

  rollcall scale shop=5 --wait
`;

export function scaleCommand(): Command {
  return addReaderFlags(
    new Command('scale').description('change how many copies of a program run').argument('<balancer=n>', 'e.g. shop=5'),
  )
    .option('--wait', 'show the progress and return when so many nodes are up and the others have left')
    .option('--timeout <duration>', 'with --wait: give up after this long, with exit code 4 (default: 6m)')
    .option('--reason <text>', 'for the audit')
    .option('--dry-run', 'say what would happen and do nothing')
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
    ...(flags.dryRun ? { dryRun: true } : {}),
  };
  const result = await asked(client, balancer, body);
  printNote(result);
  if (!flags.wait || flags.dryRun) {
    if (flags.json) printJson(result);
    else process.stdout.write(`${result.message}\n`);
    return;
  }
  if (!flags.json) process.stdout.write(`${result.message}\n`);
  const nodes = await untilScaled(client, balancer, count, timeoutMs, (line) => {
    if (!flags.json) process.stdout.write(`${line}\n`);
  });
  if (flags.json) printJson({ ...result, nodes });
}

/** Where nobody keeps copies, something else does: most likely Compose. */
async function asked(client: AdminClient, balancer: string, body: ScaleBody): Promise<WriteResult> {
  try {
    return await client.send<WriteResult>('POST', `/v1/balancers/${balancer}/scale`, body);
  } catch (error) {
    if (!(error instanceof CliFailure) || error.code !== 'not-scalable') throw error;
    throw new CliFailure(
      `${error.message}; with Compose it is  docker-compose up -d --no-recreate --scale ${balancer}=${body.count}`,
      error.exitCode,
    );
  }
}

async function untilScaled(
  client: AdminClient,
  balancer: string,
  count: number,
  timeoutMs: number,
  tell: (line: string) => void,
): Promise<readonly NodeResource[]> {
  const endMs = performance.now() + timeoutMs;
  for (let said = ''; ; ) {
    const nodes = await nodesOf(client, { balancer });
    const up = nodes.filter((node) => node.liveness === 'up' && node.status === 'enabled');
    const leaving = nodes.filter((node) => node.status !== 'enabled');
    const sessions = leaving.reduce((sum, node) => sum + node.sessions, 0);
    const line = `${up.length} of ${count} up${leaving.length === 0 ? '' : `, ${leaving.length} leaving with ${sessions} sessions`}`;
    if (line !== said) tell(line);
    said = line;
    if (up.length === count && nodes.length === count) return nodes;
    if (performance.now() > endMs) throw new CliFailure(`after ${timeoutMs / 1_000} s: ${line}`, EXIT.timedOut);
    await sleep(POLL_MS);
  }
}
