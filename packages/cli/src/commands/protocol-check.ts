import { connectCause } from '@rollcall/agent';
import { parseBalancerName } from '@rollcall/protocol';
import { Command } from 'commander';
import { agentUrls } from '../coordinator-url.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { upgrade } from '../protocol-check/raw-socket.ts';
import { type CheckResult, runSuite, TIME_LIMIT_MS } from '../protocol-check/suite.ts';
import { secretFrom } from '../secret.ts';
import { printJson } from './reader-flags.ts';

interface Flags {
  readonly balancer: string;
  readonly json?: boolean;
}

/** Time for the first connection, milliseconds. */
const REACH_MS = 5_000;

/** `rollcall protocol-check URL`: tries the requirements of PROTOCOL.md on a coordinator. */
export function protocolCheckCommand(): Command {
  return new Command('protocol-check')
    .description(
      `check a coordinator against the agent protocol, within ${TIME_LIMIT_MS / 1_000} s; the join token comes from ROLLCALL_JOIN_TOKEN`,
    )
    .argument('<url>', 'address of the coordinator, ws://HOST:PORT')
    .option('--balancer <name>', 'balancer of the nodes that it registers', 'protocol-check')
    .option('--json', 'machine-readable output')
    .action(async (text: string, { balancer, json = false }: Flags) => {
      const [url] = agentUrls([text], {});
      if (parseBalancerName(balancer) === undefined)
        throw new CliFailure(`--balancer ${balancer} is not [A-Za-z0-9_-]{1,64}`, EXIT.usage);
      const token = secretFrom('ROLLCALL_JOIN_TOKEN', process.env);
      await reach(url!);
      const results = await runSuite({ url: url!, token, balancer }, (result) => {
        if (!json) process.stdout.write(`${line(result)}\n`);
      });
      const counts = { passed: 0, failed: 0, skipped: 0 };
      for (const { outcome } of results) counts[outcome] += 1;
      if (json) printJson({ url, protocol: 'rollcall.v1', ...counts, checks: results });
      else process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
      if (counts.failed > 0) process.exitCode = EXIT.failed;
    });
}

/** Fails with exit 3 when nothing at `url` speaks HTTP. */
async function reach(url: string): Promise<void> {
  try {
    const { socket } = await upgrade(url, {}, REACH_MS);
    socket?.cut();
  } catch (error) {
    throw new CliFailure(`no coordinator answers at ${url}: ${connectCause(error as Error, url)}`, EXIT.unreachable);
  }
}

function line({ id, section, requires, outcome, seen }: CheckResult): string {
  const mark = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }[outcome];
  return outcome === 'passed'
    ? `${mark} ${id}: ${seen}`
    : `${mark} ${id} (section ${section}): ${requires} Seen: ${seen}`;
}
