import { Command } from 'commander';
import { coordinatorUrls } from '../coordinator-url.ts';
import { CliFailure, EXIT } from '../exit.ts';

/** `rollcall health`: exit 0 when the coordinator is ready; for health checks of containers and supervisors. */
export function healthCommand(): Command {
  return new Command('health')
    .description('exit 0 when the coordinator is ready')
    .option('--coordinator <url>', 'where the coordinator is (default: ROLLCALL_URL, then localhost:8400)')
    .action(async (flags: { readonly coordinator?: string }) => {
      const response = await firstAnswer(coordinatorUrls(flags.coordinator, process.env));
      if (!response.ok) throw new CliFailure(`not ready: ${(await response.text()).trim().slice(0, 200)}`, EXIT.failed);
      process.stdout.write('ready\n');
    });
}

/** Of the first coordinator that answers at all. Fails with exit 3 naming the addresses tried. */
async function firstAnswer(bases: readonly string[]): Promise<Response> {
  for (const base of bases) {
    try {
      return await fetch(`${base}/readyz`, { signal: AbortSignal.timeout(3_000) });
    } catch {
      // Perhaps at the next.
    }
  }
  throw new CliFailure(`no coordinator answers at ${bases.join(' or ')}`, EXIT.unreachable);
}
