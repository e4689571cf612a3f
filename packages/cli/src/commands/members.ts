/** `rollcall add` and `remove`: add nodes that have no agent, and delete nodes. */
import { createHash } from 'node:crypto';
import type { NodePut, WriteResult } from '@rollcall/protocol';
import { isName, MAX_READY_PATH, nodeAddress, parseNodeUrl, printableUrl, TTL_MS } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import {
  describedBy,
  type HintFlags,
  hintOptions,
  nameOf,
  READY_HELP,
  readyPathOf,
  stripPrefixOption,
} from '../run/node-flags.ts';
import { sendConfirmed, YES_HELP } from './confirmation.ts';
import { addWaitFlags, printInForce, type WaitFlags } from './in-force.ts';
import { addReaderFlags, clientFor, type ReaderFlags } from './reader-flags.ts';
import { boundedMs, reasonOf, waitTimeoutMs } from './verb-flags.ts';

interface AddFlags extends ReaderFlags, WaitFlags, HintFlags {
  readonly id?: string;
  readonly balancer: string;
  readonly route?: string;
  readonly context?: readonly string[];
  readonly stripPrefix?: boolean;
  readonly host?: readonly string[];
  readonly weight?: string;
  readonly group?: string;
  readonly publicUrl?: string;
  readonly ready?: string;
  readonly ttl?: string;
  readonly replace?: boolean;
  readonly dryRun?: boolean;
}

/** `rollcall add URL`: adds a node without an agent; the coordinator probes it. */
export function addCommand(): Command {
  const command = addReaderFlags(
    new Command('add')
      .description('add a node without an agent; the coordinator probes it')
      .argument('<url>', 'e.g. http://10.0.0.5:3000 or ajp://10.0.0.5:8009'),
  )
    .option('--id <name>', 'id of the node (default: balancer and a hash of the address)')
    .option('--balancer <name>', 'set of nodes that serve the same application', 'default')
    .option('--route <name>', 'route of the node in session ids (default: the id)')
    .option('--context <path...>', 'path prefixes that the node serves (default: /)')
    .addOption(stripPrefixOption())
    .option('--host <name...>', 'host names that the node serves (default: *)')
    .option('--weight <number>', 'multiplier of its share of requests, 0.001 to 100 (default: 1)')
    .option('--group <name>', 'failure domain of the node')
    .option('--public-url <url>', 'address for clients that connect directly (assign)')
    .option('--ready <path>', READY_HELP)
    .option('--ttl <duration>', 'remove the node unless it is added again within this time, 1s to 1h')
    .option('--replace', 'replace a node with this id that is registered at another address')
    .option('--dry-run', 'print the effect and change nothing; the address is not probed');
  addWaitFlags(command);
  for (const option of hintOptions()) command.addOption(option);
  return command.action(async (text: string, flags: AddFlags) => {
    const url = parseNodeUrl(text);
    if (url === undefined)
      throw new CliFailure(
        `${JSON.stringify(printableUrl(text))} is not the address of a node; use one like http://10.0.0.5:3000`,
        EXIT.usage,
      );
    const { coordinator: _, ...described } = flags;
    const description = describedBy(described);
    const route = nameOf('--route', flags.route);
    const id = flags.id ?? `${flags.balancer}-${createHash('sha256').update(url).digest('hex').slice(0, 6)}`;
    if (!isName(id))
      throw new CliFailure(`${JSON.stringify(id)} is not a name: letters, digits, _ and -, at most 64`, EXIT.usage);
    const readyPath = readyPathOf(flags.ready, MAX_READY_PATH);
    if (readyPath !== undefined && nodeAddress(url).isAjp)
      throw new CliFailure('--ready is for http and https addresses; a node over AJP is probed by CPING', EXIT.usage);
    waitTimeoutMs(flags);
    const ttlMs = boundedMs('--ttl', flags.ttl, TTL_MS);
    const body: NodePut = {
      ...description,
      url,
      ...(route === undefined ? {} : { route }),
      ...(readyPath === undefined ? {} : { readyPath }),
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(flags.replace ? { replace: true } : {}),
      ...(flags.dryRun ? { dryRun: true } : {}),
    };
    const client = await clientFor(flags);
    const result = await client.call('putNode', { path: { id }, body });
    await printInForce(client, result, flags, `${result.message}\n${warningsOf(result)}`);
  });
}

/** Warnings of the coordinator about the nodes, one per line. */
function warningsOf({ nodes }: WriteResult): string {
  return nodes.flatMap(({ warnings }) => warnings.map(({ message }) => `warning: ${message}\n`)).join('');
}

interface RemoveFlags extends ReaderFlags, WaitFlags {
  readonly yes?: boolean;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** `rollcall remove NODE`: deletes a node; its process cannot register again, a new process can. */
export function removeCommand(): Command {
  const command = new Command('remove').description('delete a node').argument('<node>', 'id of the node');
  return addWaitFlags(addReaderFlags(command))
    .option('--yes', YES_HELP)
    .option('--reason <text>', 'reason for the audit log')
    .option('--dry-run', 'print the effect and change nothing')
    .action(async (id: string, flags: RemoveFlags) => {
      if (!isName(id)) throw new CliFailure(`${JSON.stringify(id)} is not a name`, EXIT.usage);
      waitTimeoutMs(flags);
      const body = reasonOf(flags.reason);
      const client = await clientFor(flags);
      const send = (more: object) => client.call('removeNode', { path: { id }, body: { ...body, ...more } });
      const write = { send, verb: 'Remove', endsSessions: true } as const;
      await printInForce(client, await sendConfirmed(write, flags), flags);
    });
}
