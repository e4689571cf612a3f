import { Command } from 'commander';
import { coordinatorUrls } from '../coordinator-url.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { answerOf, Unanswered } from '../reach.ts';

/** `rollcall health`: exit 0 when the coordinator is ready; for health checks of containers and supervisors. */
export function healthCommand(): Command {
  return new Command('health')
    .description('exit 0 when the coordinator is ready')
    .option(
      '--coordinator <url>',
      'address of the coordinator; a path is a prefix (default: ROLLCALL_URL, then localhost:8400)',
    )
    .action(async (flags: { readonly coordinator?: string }) => {
      if (!(await isReady(coordinatorUrls(flags.coordinator, process.env))))
        throw new CliFailure('not ready', EXIT.failed);
      process.stdout.write('ready\n');
    });
}

/** Of the first coordinator that answers at all. Fails with exit 3 naming the addresses tried, and what each did. */
async function isReady(bases: readonly string[]): Promise<boolean> {
  const unanswered = new Unanswered();
  for (const base of bases) {
    const answer = await answerOf(`${base}/readyz`);
    if (answer.cause === undefined) return answer.isOk;
    unanswered.add(base, answer.cause);
  }
  throw unanswered.failure();
}
