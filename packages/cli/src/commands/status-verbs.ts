/** `rollcall drain`, `enable` and `stop`: what an operator wants of a node, a balancer or a group. */
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeResource, StatusBody, WriteResult } from '@rollcall/protocol';
import { isName } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { noteOf } from './nodes.ts';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';
import { boundedMs, reasonOf } from './verb-flags.ts';

interface VerbFlags extends ReaderFlags {
  readonly balancer?: string;
  readonly group?: string;
  readonly reason?: string;
  readonly deadline?: string;
  readonly for?: string;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** Time between two looks at a drain. */
const POLL_MS = 250;

export function drainCommand(): Command {
  return verb('drain', 'let a node keep its sessions and get no new ones')
    .option('--deadline <duration>', 'end the drain after this long, whatever sessions are left')
    .option('--wait', 'show the progress and return when the drain is complete')
    .option('--timeout <duration>', 'with --wait: give up after this long, with exit code 4');
}

export function enableCommand(): Command {
  return verb('enable', 'let a node take everything again');
}

export function stopCommand(): Command {
  return verb('stop', 'let a node take nothing: its sessions fail over')
    .option('--yes', 'do not ask before sessions are cut')
    .option('--wait', 'return when nothing is in flight any more')
    .option('--timeout <duration>', 'with --wait: give up after this long, with exit code 4');
}

function verb(name: 'drain' | 'enable' | 'stop', description: string): Command {
  return addReaderFlags(new Command(name).description(description).argument('[node]', 'id of the node'))
    .option('--balancer <name>', 'all nodes of a balancer')
    .option('--group <name>', 'all nodes of a group')
    .option('--reason <text>', 'for the audit and for those who look later')
    .option('--for <duration>', 'take the wish back after this long')
    .option('--dry-run', 'say what would happen and do nothing')
    .action(async (node: string | undefined, flags: VerbFlags) => {
      const path = targetPath(name, node, flags);
      const timeoutMs = boundedMs('--timeout', flags.timeout);
      const body: StatusBody = {
        ...reasonOf(flags.reason),
        ...optionalMs('deadlineMs', boundedMs('--deadline', flags.deadline)),
        ...optionalMs('forMs', boundedMs('--for', flags.for)),
        ...(flags.dryRun ? { dryRun: true } : {}),
      };
      const client = await clientFor(flags);
      if (name === 'stop' && !flags.yes && !flags.dryRun) await confirmStop(client, path, body);
      const result = await client.send<WriteResult>('POST', path, body);
      printNote(result);
      if (!flags.wait || flags.dryRun) {
        if (flags.json) printJson(result);
        else process.stdout.write(`${result.message}\n`);
        return;
      }
      process.stderr.write(`${result.message}\n`);
      const nodes = await waitUntilDrained(client, result.nodes, timeoutMs);
      if (flags.json) printJson({ ...result, nodes });
    });
}

function targetPath(name: string, node: string | undefined, flags: VerbFlags): string {
  const targets = [
    node === undefined ? undefined : ['nodes', node],
    flags.balancer === undefined ? undefined : ['balancers', flags.balancer],
    flags.group === undefined ? undefined : ['groups', flags.group],
  ].filter((target) => target !== undefined);
  const [target] = targets;
  if (target === undefined || targets.length > 1)
    throw new CliFailure(`${name} needs one of: a node id, --balancer NAME, --group NAME`, EXIT.usage);
  const [kind, id] = target as [string, string];
  if (!isName(id))
    throw new CliFailure(`${JSON.stringify(id)} is not a name: letters, digits, _ and -, at most 64`, EXIT.usage);
  return `/v1/${kind}/${id}/${name}`;
}

/** A stop cuts sessions: say how many, and ask. */
async function confirmStop(client: AdminClient, path: string, body: StatusBody): Promise<void> {
  const { nodes } = await client.send<WriteResult>('POST', path, { ...body, dryRun: true });
  const sessions = nodes.reduce((sum, node) => sum + node.sessions, 0);
  if (sessions === 0) return;
  const what = `${sessions} sessions on ${nodes.map((node) => node.id).join(', ')} will move or end`;
  if (!process.stdin.isTTY) throw new CliFailure(`${what}: add --yes, or drain first`, EXIT.usage);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(`${what}. Stop? [y/N] `);
  prompt.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliFailure('nothing was changed', EXIT.failed);
}

async function waitUntilDrained(
  client: AdminClient,
  targets: readonly NodeResource[],
  timeoutMs: number | undefined,
): Promise<NodeResource[]> {
  const endMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
  const done = new Map<string, NodeResource>();
  const told = new Map<string, string>();
  while (done.size < targets.length) {
    for (const { id } of targets) {
      if (done.has(id)) continue;
      const node = await client.get<NodeResource>(`/v1/nodes/${id}`);
      const isDone = node.liveness === 'gone' || node.drain?.isDone === true;
      const note = node.liveness === 'gone' ? 'gone' : noteOf(node).replace(/, at most .*$/, '');
      if (told.get(id) !== note) process.stderr.write(`${id}: ${note}\n`);
      told.set(id, note);
      if (isDone) done.set(id, node);
      else if (node.status === 'enabled')
        throw new CliFailure(`${id} was enabled again before it was drained`, EXIT.failed);
    }
    if (done.size === targets.length) break;
    if (performance.now() >= endMs)
      throw new CliFailure(
        `not drained within the --timeout: ${targets
          .filter(({ id }) => !done.has(id))
          .map(({ id }) => id)
          .join(', ')}; the drain goes on`,
        EXIT.timedOut,
      );
    await sleep(POLL_MS);
  }
  return [...done.values()];
}

function optionalMs<Key extends string>(key: Key, ms: number | undefined): { readonly [K in Key]?: number } {
  return ms === undefined ? {} : ({ [key]: ms } as { readonly [K in Key]: number });
}
