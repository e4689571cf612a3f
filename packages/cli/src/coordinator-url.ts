/** Address of the coordinator, by precedence: `--coordinator` > `ROLLCALL_URL` > the default control port on this machine > the Compose service name. */
import { adminUrl, type CoordinatorList, coordinatorList, coordinatorText, serviceOf } from '@rollcall/agent';
import { CliFailure, EXIT } from './exit.ts';

/** Base addresses (`http://host:port` and a path prefix) to try in order. Throws a usage failure for an invalid address. */
export function coordinatorUrls(flag: string | undefined, environment: NodeJS.ProcessEnv): readonly string[] {
  const { urls } = validList(flag, environment);
  const service = urls.find((url) => serviceOf(url) !== undefined);
  if (service === undefined) return urls.map(adminUrl);
  const text = coordinatorText(service);
  throw new CliFailure(
    `${text} is a name with SRV records, which only agents look up: set --coordinator to the address of one coordinator`,
    EXIT.usage,
  );
}

/**
 * The same as addresses of agent connections, one connection to each unless they are alternatives. `flag` may be given several
 * times. Throws a usage failure for repeated addresses, empty entries and too many.
 */
export function agentUrls(
  flag: string | readonly string[] | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): CoordinatorList {
  const list = validList(flag, environment);
  if (list.problems.length === 0) return list;
  throw new CliFailure(`${list.problems[0]}: correct --coordinator or ROLLCALL_URL`, EXIT.usage);
}

function validList(
  flag: string | readonly string[] | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): CoordinatorList {
  if (flag === undefined && environment['ROLLCALL_URL']?.trim().toLowerCase() === 'off')
    throw new CliFailure('ROLLCALL_URL is "off", which only the SDK accepts: set --coordinator', EXIT.usage);
  const list = coordinatorList(flag, environment);
  if (list.refused.length === 0) return list;
  throw new CliFailure(
    `${list.refused[0]} is no address of a coordinator; use one like http://localhost:8400`,
    EXIT.usage,
  );
}
