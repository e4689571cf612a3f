import type { AdminClient } from '../admin-client.ts';
import { CliFailure } from '../exit.ts';

const LIST = 'rollcall nodes lists the nodes and their balancers';

/** `error` with the next step, if the coordinator has no such balancer, node or group. */
export function withNextStep(error: unknown, step: string = LIST): unknown {
  if (!(error instanceof CliFailure) || error.code !== 'not-found') return error;
  const separator = error.message.endsWith('?') ? ' ' : '; ';
  return new CliFailure(`${error.message}${separator}${step}`, error.exitCode, error.code);
}

/** As `withNextStep`, for the command `verb` on `node`, which may be the name of a balancer. */
export async function withNodeStep(error: unknown, client: AdminClient, verb: string, node: string): Promise<unknown> {
  if (!(error instanceof CliFailure) || error.code !== 'not-found') return error;
  const isBalancer = await client.call('getBalancer', { path: { name: node } }).then(
    () => true,
    () => false,
  );
  return withNextStep(error, isBalancer ? `${node} is a balancer: rollcall ${verb} --balancer ${node}` : LIST);
}
