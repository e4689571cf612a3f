/** Address of the coordinator, by precedence: `--coordinator` > `ROLLCALL_URL` > the default control port on this machine > the Compose service name. */
import { adminUrl, coordinatorList } from '@rollcall/agent';
import { CliFailure, EXIT } from './exit.ts';

/** Base addresses (`http://host:port` and a path prefix) to try in order. Throws a usage failure for an invalid address. */
export function coordinatorUrls(flag: string | undefined, environment: NodeJS.ProcessEnv): readonly string[] {
  return agentUrls(flag, environment).map(adminUrl);
}

/** The same as addresses of agent connections; `flag` may be given several times. */
export function agentUrls(
  flag: string | readonly string[] | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  if (flag === undefined && environment['ROLLCALL_URL']?.trim().toLowerCase() === 'off')
    throw new CliFailure('ROLLCALL_URL is "off", which only the SDK accepts: set --coordinator', EXIT.usage);
  const { urls, refused } = coordinatorList(flag, environment);
  if (refused.length === 0) return urls;
  throw new CliFailure(`${refused[0]} is no address of a coordinator; use one like http://localhost:8400`, EXIT.usage);
}
