/** `rollcall add` and `remove`: nodes that have no agent, and nodes that shall be forgotten. */
import { createHash } from 'node:crypto';
import type { NodePut, WriteResult } from '@rollcall/protocol';
import { isName, parseNodeUrl, printableUrl, TTL_MS } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { describedBy, type HintFlags, hintOptions, nameOf } from '../run/node-flags.ts';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';
import { boundedMs, reasonOf } from './verb-flags.ts';

interface AddFlags extends ReaderFlags, HintFlags {
  readonly id?: string;
  readonly balancer: string;
  readonly route?: string;
  readonly context?: readonly string[];
  readonly host?: readonly string[];
  readonly weight?: string;
  readonly group?: string;
  readonly publicUrl?: string;
  readonly ttl?: string;
  readonly replace?: boolean;
}

/** `rollcall add URL`: a static member, probed by the coordinator. */
export function addCommand(): Command {
  const command = addReaderFlags(
    new Command('add')
      .description('add a node that has no agent: the coordinator probes it')
      .argument('<url>', 'e.g. http://10.0.0.5:3000'),
  )
    .option('--id <name>', 'id of the node (default: balancer and a hash of the address)')
    .option('--balancer <name>', 'set of nodes that serve the same', 'default')
    .option('--route <name>', 'its route in session ids (default: the id)')
    .option('--context <path...>', 'path prefixes it serves (default: /)')
    .option('--host <name...>', 'host names it serves (default: *)')
    .option('--weight <number>', 'multiplier of its share (default: 1)')
    .option('--group <name>', 'failure domain')
    .option('--public-url <url>', 'where clients may reach it directly, for assign')
    .option('--ttl <duration>', 'forget it unless it is added again within this time, 1s to 1h')
    .option('--replace', 'replace a node of this id that is registered at another address');
  for (const option of hintOptions()) command.addOption(option);
  return command.action(async (text: string, flags: AddFlags) => {
    const url = parseNodeUrl(text);
    if (url === undefined)
      throw new CliFailure(
        `${JSON.stringify(printableUrl(text))} is no address of a node; write one like http://10.0.0.5:3000`,
        EXIT.usage,
      );
    const { coordinator: _, ...described } = flags;
    const description = describedBy(described);
    const route = nameOf('--route', flags.route);
    const id = flags.id ?? `${flags.balancer}-${createHash('sha256').update(url).digest('hex').slice(0, 6)}`;
    if (!isName(id))
      throw new CliFailure(`${JSON.stringify(id)} is not a name: letters, digits, _ and -, at most 64`, EXIT.usage);
    const ttlMs = boundedMs('--ttl', flags.ttl, TTL_MS);
    const body: NodePut = {
      ...description,
      url,
      ...(route === undefined ? {} : { route }),
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(flags.replace ? { replace: true } : {}),
    };
    const result = await (await clientFor(flags)).send<WriteResult>('PUT', `/v1/nodes/${id}`, body);
    printNote(result);
    if (flags.json) printJson(result);
    else process.stdout.write(`${result.message}\n${warningsOf(result)}`);
  });
}

/** What the coordinator does not like about the nodes, a line each. */
function warningsOf({ nodes }: WriteResult): string {
  return nodes.flatMap(({ warnings }) => warnings.map(({ message }) => `warning: ${message}\n`)).join('');
}

/** `rollcall remove NODE`: deletes it; the same process may not come back, a new one may. */
export function removeCommand(): Command {
  return addReaderFlags(new Command('remove').description('delete a node').argument('<node>', 'id of the node'))
    .option('--reason <text>', 'for the audit')
    .option('--dry-run', 'say what would happen and do nothing')
    .action(async (id: string, flags: ReaderFlags & { readonly reason?: string; readonly dryRun?: boolean }) => {
      if (!isName(id)) throw new CliFailure(`${JSON.stringify(id)} is not a name`, EXIT.usage);
      const body = {
        ...reasonOf(flags.reason),
        ...(flags.dryRun ? { dryRun: true } : {}),
      };
      const result = await (await clientFor(flags)).send<WriteResult>('DELETE', `/v1/nodes/${id}`, body);
      printNote(result);
      if (flags.json) printJson(result);
      else process.stdout.write(`${result.message}\n`);
    });
}
