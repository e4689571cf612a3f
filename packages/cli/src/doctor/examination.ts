/** All checks of `rollcall doctor`, in their order. */
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nodesOf } from '../lists.ts';
import { VERSION } from '../version.ts';
import { type Check, note, ok, problem } from './check.ts';
import {
  certificateChecks,
  clockCheck,
  nodesCheck,
  storeChecks,
  verdictChecks,
  versionCheck,
  workersCheck,
} from './cluster-checks.ts';
import { limitChecks, proxyCheck, stateChecks } from './machine-checks.ts';

/** The checks of the coordinator, the cluster and this machine. Without a coordinator those of this machine. */
export async function examine(connect: () => Promise<AdminClient>): Promise<Check[]> {
  try {
    return [...(await clusterChecks(await connect())), ...limitChecks()];
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error;
    const found: Check =
      error.exitCode === EXIT.unreachable
        ? problem('coordinator', error.message, 'see the log of rollcall up, and its --control')
        : problem('token', error.message, 'correct ROLLCALL_ADMIN_TOKEN, or name the state directory with --state-dir');
    return [found, ...limitChecks()];
  }
}

async function clusterChecks(client: AdminClient): Promise<Check[]> {
  const startMs = performance.now();
  const status = await client.call('getStatus');
  const clock = clockCheck(status, Date.now(), performance.now() - startMs);
  const [role, nodes, proxy] = await Promise.all([roleCheck(client), nodesOf(client), proxyCheck(status.proxy)]);
  return [
    ok('coordinator', `${status.name} at ${client.base}, listening for agents and operators`),
    role,
    clock,
    proxy,
    workersCheck(status),
    versionCheck(status, VERSION),
    ...storeChecks(status),
    ...certificateChecks(status),
    ...(status.state.isWritable
      ? stateChecks(status.state.directory)
      : [
          problem(
            'state',
            `${status.state.directory}: not writable by the coordinator (${status.state.lastError ?? 'unknown error'})`,
            'see the disk, and the owner of the directory',
          ),
        ]),
    nodesCheck(nodes),
    ...verdictChecks(status),
  ];
}

/** The role of the token: the greatest one whose reads and dry runs are allowed. */
async function roleCheck(client: AdminClient): Promise<Check> {
  const isAllowed = (request: () => Promise<unknown>): Promise<boolean> =>
    request().then(
      () => true,
      (error: unknown) => {
        if (error instanceof CliFailure && (error.code === 'unauthenticated' || error.code === 'forbidden'))
          return false;
        throw error;
      },
    );
  if (await isAllowed(() => client.call('listTokens'))) return ok('token', 'this command has the role admin');
  if (await isAllowed(() => client.call('forgetContexts', { body: { dryRun: true } })))
    return ok('token', 'this command has the role operator');
  return note('token', 'this command can only read', 'set ROLLCALL_ADMIN_TOKEN, or run it as the user of rollcall up');
}
