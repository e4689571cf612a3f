import { randomBytes } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import { readRefusal } from '@rollcall/agent';
import { parseBalancerName } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminTarget } from '../admin-client.ts';
import { addClientTlsFlags, clientTlsOf, placeOf } from '../coordinator-tls.ts';
import { agentUrls } from '../coordinator-url.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { failedAttempt, foreignAnswer, type NoCoordinator } from '../no-coordinator.ts';
import { hostOf } from '../protocol-check/bench.ts';
import { upgrade } from '../protocol-check/raw-socket.ts';
import { type CheckResult, runSuite, TIME_LIMIT_MS } from '../protocol-check/suite.ts';
import { secretFrom } from '../secret.ts';
import { removeTraces } from './check-traces.ts';
import { printJson, printNote } from './reader-flags.ts';

interface Flags extends AdminTarget {
  readonly balancer: string;
  readonly json?: boolean;
}

/** Time limit of the first connection, milliseconds. */
const REACH_MS = 5_000;
/** Statuses of a refused upgrade that other servers do not send. Other refusals need a body with a code, PROTOCOL.md section 1. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 426]);

const HELP = `
The nodes of the check leave. Their records and contexts in the coordinator are removed with the admin token
(ROLLCALL_ADMIN_TOKEN, or the state directory of a coordinator of this user on this machine). Without it they are reported.
`;

/** `rollcall protocol-check URL`: checks a coordinator against the requirements of PROTOCOL.md. */
export function protocolCheckCommand(): Command {
  const command = new Command('protocol-check')
    .description(
      `check a coordinator against the agent protocol, within ${TIME_LIMIT_MS / 1_000} s; the join token comes from ROLLCALL_JOIN_TOKEN`,
    )
    .argument('<url>', 'address of the coordinator, ws://HOST:PORT or wss://HOST:PORT')
    .option('--balancer <name>', 'balancer of the nodes that the check registers', 'protocol-check')
    .option(
      '--state-dir <directory>',
      'state directory of the coordinator, with its admin token, if it has --state-dir (env: ROLLCALL_STATE_DIR)',
    );
  return addClientTlsFlags(command)
    .option('--json', 'machine-readable output')
    .addHelpText('after', HELP)
    .action(async (text: string, { json = false, ...flags }: Flags) => {
      const { balancer } = flags;
      const place = placeOf(agentUrls([text], {}).urls[0]!, flags, process.env);
      if (parseBalancerName(balancer) === undefined)
        throw new CliFailure(`--balancer ${balancer} is not [A-Za-z0-9_-]{1,64}`, EXIT.usage);
      const token = secretFrom('ROLLCALL_JOIN_TOKEN', process.env, {
        consequence: 'the check runs without a token',
        warn: (problem) => void process.stderr.write(`note: ${problem}\n`),
      });
      const { url } = place;
      const { options: tls } = clientTlsOf(place);
      const none = await reach(url, tls);
      if (none !== undefined) throw new CliFailure(none.sentence, EXIT.unreachable);
      const target = { url, token, balancer, tls, run: `protocol-check-${randomBytes(3).toString('hex')}` };
      const results = await runSuite(target, (result) => {
        if (!json) process.stdout.write(`${line(result)}\n`);
      });
      const host = hostOf(target);
      const traces = await removeTraces({ run: target.run, host }, { ...flags, coordinator: text });
      if (traces !== undefined)
        printNote({
          note: `contexts of the check on ${host} may stay in rollcall status (${traces.cause}); to remove them: ${traces.command}`,
        });
      const counters = { passed: 0, failed: 0, skipped: 0 };
      for (const { outcome } of results) counters[outcome] += 1;
      if (json) printJson({ url, protocol: 'rollcall.v1', ...counters, checks: results, ...(traces && { traces }) });
      else process.stdout.write(`${counters.passed} passed, ${counters.failed} failed, ${counters.skipped} skipped\n`);
      if (counters.failed > 0) process.exitCode = EXIT.failed;
    });
}

/** Why `url` has no coordinator to check. A coordinator that refuses the upgrade is judged by the checks. */
async function reach(url: string, tls: ConnectionOptions | undefined): Promise<NoCoordinator | undefined> {
  try {
    const { socket, status, headers, body } = await upgrade(url, { tls }, REACH_MS);
    socket?.cut();
    if (socket !== undefined || REFUSALS.has(status)) return undefined;
    const answer = readRefusal(status, (name) => headers[name]?.toString(), body);
    return answer.code === undefined ? foreignAnswer(answer, url) : undefined;
  } catch (error) {
    return failedAttempt(error, url);
  }
}

function line({ id, section, requires, outcome, seen }: CheckResult): string {
  const mark = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }[outcome];
  return outcome === 'passed'
    ? `${mark} ${id}: ${seen}`
    : `${mark} ${id} (section ${section}): ${requires} Seen: ${seen}`;
}
