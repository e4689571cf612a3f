/** `rollcall add` and `remove`: nodes that have no agent, and nodes that shall be forgotten. */
import { createHash } from 'node:crypto';
import type { NodePut, WriteResult } from '@rollcall/protocol';
import { isName, parseNodeUrl } from '@rollcall/protocol';
import { Command } from 'commander';
import { parseDuration } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { type HintFlags, hintOptions, stickyHint } from '../run/node-flags.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

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
    .option('--ttl <duration>', 'forget it unless it is added again within this time');
  for (const option of hintOptions()) command.addOption(option);
  return command.action(async (text: string, flags: AddFlags) => {
    const url = parseNodeUrl(text);
    if (url === undefined)
      throw new CliFailure(
        `${JSON.stringify(text)} is no address of a node; write one like http://10.0.0.5:3000`,
        EXIT.usage,
      );
    const id = flags.id ?? `${flags.balancer}-${createHash('sha256').update(url).digest('hex').slice(0, 6)}`;
    if (!isName(id))
      throw new CliFailure(`${JSON.stringify(id)} is not a name: letters, digits, _ and -, at most 64`, EXIT.usage);
    const ttlMs = flags.ttl === undefined ? undefined : parseDuration(flags.ttl);
    if (flags.ttl !== undefined && ttlMs === undefined)
      throw new CliFailure(`--ttl ${flags.ttl} is not a duration like 30s`, EXIT.usage);
    const weight = flags.weight === undefined ? undefined : Number(flags.weight);
    if (weight !== undefined && !(weight > 0 && weight <= 100))
      throw new CliFailure(`--weight ${flags.weight} is not a number above 0, at most 100`, EXIT.usage);
    const sticky = stickyHint(flags);
    const body: NodePut = {
      url,
      balancer: flags.balancer,
      ...(flags.route === undefined ? {} : { route: flags.route }),
      ...(flags.context === undefined ? {} : { contexts: flags.context }),
      ...(flags.host === undefined ? {} : { hosts: flags.host }),
      ...(weight === undefined ? {} : { weight }),
      ...(flags.group === undefined ? {} : { group: flags.group }),
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(sticky === undefined ? {} : { sticky }),
      ...(flags.publicUrl === undefined ? {} : { publicUrl: flags.publicUrl }),
    };
    const result = await (await clientFor(flags)).send<WriteResult>('PUT', `/v1/nodes/${id}`, body);
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
        ...(flags.reason === undefined ? {} : { reason: flags.reason }),
        ...(flags.dryRun ? { dryRun: true } : {}),
      };
      const result = await (await clientFor(flags)).send<WriteResult>('DELETE', `/v1/nodes/${id}`, body);
      if (flags.json) printJson(result);
      else process.stdout.write(`${result.message}\n`);
    });
}
