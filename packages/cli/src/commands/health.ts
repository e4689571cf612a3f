import { Command } from 'commander';
import { addClientTlsFlags, type ClientTlsFlags, clientTlsOf, type Place, placeOf } from '../coordinator-tls.ts';
import { coordinatorUrls } from '../coordinator-url.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { answerOf, Unanswered } from '../reach.ts';

/** `rollcall health`: exit 0 when the coordinator is ready; for health checks of containers and supervisors. */
export function healthCommand(): Command {
  const command = new Command('health')
    .description('exit 0 when the coordinator is ready')
    .option(
      '--coordinator <url>',
      'address of the coordinator; a path is a prefix (default: ROLLCALL_URL, then localhost:8400)',
    );
  return addClientTlsFlags(command).action(async (flags: ClientTlsFlags & { readonly coordinator?: string }) => {
    const urls = coordinatorUrls(flags.coordinator, process.env);
    if (!(await isReady(urls.map((url) => placeOf(url, flags, process.env)))))
      throw new CliFailure('not ready', EXIT.failed);
    process.stdout.write('ready\n');
  });
}

/** Readiness of the first coordinator that answers. Otherwise fails with exit 3, the addresses that were tried, and the cause of each. */
async function isReady(places: readonly Place[]): Promise<boolean> {
  const unanswered = new Unanswered();
  for (const place of places) {
    const { url: base } = place;
    const answer = await answerOf(base, '/readyz', clientTlsOf(place));
    if (answer.none === undefined) return answer.isOk;
    unanswered.add(answer.none);
  }
  throw unanswered.failure();
}
