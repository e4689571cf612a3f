/** `rollcall wait`: returns when a condition of the cluster holds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { durationText, isName, isPresent, type NodeResource } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { counted } from '../format.ts';
import { nodesOf } from '../lists.ts';
import { wholeOf } from '../run/node-flags.ts';
import { addReaderFlags, clientFor, type ReaderFlags } from './reader-flags.ts';
import { boundedMs } from './verb-flags.ts';

const HELP = `
Exit code 0 when the condition holds, 4 when --timeout is over.

  rollcall wait nodes --balancer shop --count 3 --timeout 1m   three nodes are up and enabled
  rollcall wait node shop-1 empty                              no session that was seen again, no request in flight
  rollcall wait well --timeout 30s                             rollcall status reports no problem
`;

/** Time between two looks, milliseconds. */
const LOOK_MS = 500;
const NODE_STATES = ['up', 'gone', 'empty'] as const;
type NodeState = (typeof NODE_STATES)[number];

interface WaitFlags extends ReaderFlags {
  readonly timeout?: string;
}

/** `undefined` when the condition holds, otherwise the present state in words. */
type Condition = (client: AdminClient) => Promise<string | undefined>;

export function waitCommand(): Command {
  const command = new Command('wait').description('wait until nodes are up, a node is gone or empty, or all is well');
  const nodes = waiting('nodes', 'wait until a number of nodes is up and enabled')
    .requiredOption('--count <n>', 'number of nodes, 0 to 1000')
    .option('--balancer <name>', 'nodes of this balancer (default: of all balancers)')
    .action((flags: WaitFlags & { readonly count: string; readonly balancer?: string }) => {
      const count = wholeOf('--count', flags.count, 0, 1_000)!;
      if (flags.balancer !== undefined) requireName(flags.balancer);
      return hold(flags, (client) => enoughNodes(client, count, flags.balancer));
    });
  const node = waiting('node', 'wait until a node is up, gone or empty')
    .argument('<node>', 'id of the node')
    .argument('<state>', NODE_STATES.join(', '))
    .action((id: string, state: string, flags: WaitFlags) => {
      requireName(id);
      if (!NODE_STATES.includes(state as NodeState))
        throw new CliFailure(`${JSON.stringify(state)} is none of ${NODE_STATES.join(', ')}`, EXIT.usage);
      return hold(flags, (client) => nodeIs(client, id, state as NodeState));
    });
  const well = waiting('well', 'wait until the verdict has no problem').action((flags: WaitFlags) =>
    hold(flags, async (client) => {
      const { verdict } = await client.call('getStatus');
      return verdict.level === undefined ? undefined : verdict.line;
    }),
  );
  return command.addCommand(nodes).addCommand(node).addCommand(well).addHelpText('after', HELP);
}

function waiting(name: string, description: string): Command {
  const command = addReaderFlags(new Command(name).description(description), { hasJson: false });
  return command.option('--timeout <duration>', 'time limit, then exit code 4 (default: none)');
}

/** Looks until the condition holds; prints the state when it changes. */
async function hold(flags: WaitFlags, condition: Condition): Promise<void> {
  const timeoutMs = boundedMs('--timeout', flags.timeout) ?? Number.POSITIVE_INFINITY;
  const endMs = performance.now() + timeoutMs;
  const client = await clientFor(flags);
  for (let printed = ''; ; ) {
    const state = await condition(client);
    if (state === undefined) return;
    if (state !== printed) process.stderr.write(`waiting: ${state}\n`);
    printed = state;
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) throw new CliFailure(`not within ${durationText(timeoutMs)}: ${state}`, EXIT.timedOut);
    await sleep(Math.min(LOOK_MS, leftMs));
  }
}

async function enoughNodes(client: AdminClient, count: number, balancer?: string): Promise<string | undefined> {
  const nodes = await nodesOf(client, balancer === undefined ? {} : { balancer });
  const up = nodes.filter(({ liveness, status }) => liveness === 'up' && status === 'enabled').length;
  return up >= count ? undefined : `${up} of ${counted(count, 'node')} up and enabled`;
}

async function nodeIs(client: AdminClient, id: string, state: NodeState): Promise<string | undefined> {
  const node = await nodeOf(client, id);
  if (node === undefined) return state === 'up' ? `there is no node ${id}` : undefined;
  const { liveness, sessions, inFlight, tunnels } = node;
  if (state === 'up') return liveness === 'up' ? undefined : `${id} is ${liveness}`;
  if (!isPresent(node)) return undefined;
  if (state === 'gone') return `${id} is ${liveness}`;
  const isEmpty = sessions === 0 && inFlight === 0 && tunnels === 0;
  return isEmpty
    ? undefined
    : `${id}: ${counted(sessions, 'session')}, ${inFlight} in flight, ${counted(tunnels, 'tunnel')}`;
}

/** `undefined` if the coordinator does not know the node. */
async function nodeOf(client: AdminClient, id: string): Promise<NodeResource | undefined> {
  try {
    return await client.call('getNode', { path: { id } });
  } catch (error) {
    if (error instanceof CliFailure && error.code === 'not-found') return undefined;
    throw error;
  }
}

function requireName(name: string): void {
  if (!isName(name)) throw new CliFailure(`${JSON.stringify(name)} is not a name`, EXIT.usage);
}
