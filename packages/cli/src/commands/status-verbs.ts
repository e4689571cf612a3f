/** `rollcall drain`, `enable` and `stop`: set the status of a node, or of all nodes of a balancer, a group or a selector. */
import type { NodeResource, StatusBody, Where, WriteResult } from '@rollcall/protocol';
import { isName, parseContextPath } from '@rollcall/protocol';
import { Command, Option } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nodesOf } from '../lists.ts';
import { nodesWhere, WHERE_HELP, whereOf } from '../where.ts';
import { sendConfirmed, YES_HELP } from './confirmation.ts';
import { changeDrain, drainChange } from './drain-change.ts';
import { waitForDrains } from './drain-wait.ts';
import { addWaitFlags, inForce, printInForce, type WaitFlags } from './in-force.ts';
import { withNextStep, withNodeStep } from './no-target.ts';
import { addReaderFlags, clientFor, printJson, printNote, type ReaderFlags } from './reader-flags.ts';
import { boundedMs, reasonOf, waitTimeoutMs } from './verb-flags.ts';

interface VerbFlags extends ReaderFlags, WaitFlags {
  readonly balancer?: string;
  readonly group?: string;
  readonly where?: string;
  readonly context?: readonly string[];
  readonly reason?: string;
  readonly deadline?: string;
  readonly for?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly extend?: string;
  readonly end?: boolean;
  readonly undo?: boolean;
}

const VERB_WORDS = { drain: 'Drain', enable: 'Enable', stop: 'Stop' } as const;

export function drainCommand(): Command {
  return verb('drain', 'drain a node: it keeps its sessions and gets no new ones')
    .option('--deadline <duration>', 'end the drain after this duration, also with sessions left')
    .addOption(forOption())
    .option('--extend <duration>', 'give a drain in progress this much more time until its deadline')
    .option('--end', 'end a drain now: the node is stopped, and its sessions fail over')
    .option('--undo', 'revert a drain: the node is enabled again')
    .option('--yes', YES_HELP)
    .option(
      '--wait',
      'print the progress and return when the drain ends: exit code 0 empty, 4 deadline over with sessions left, 1 killed with sessions lost',
    )
    .option('--timeout <duration>', 'with --wait: time limit, then exit code 4');
}

export function enableCommand(): Command {
  return addWaitFlags(verb('enable', 'enable a node: it gets requests and new sessions again'));
}

export function stopCommand(): Command {
  return verb('stop', 'stop a node: it gets no requests, its sessions fail over')
    .addOption(forOption())
    .option('--yes', YES_HELP)
    .option('--wait', 'print the progress and return when no request is in flight')
    .option('--timeout <duration>', 'with --wait: time limit, then exit code 4');
}

function forOption(): Option {
  return new Option('--for <duration>', 'revert automatically after this duration');
}

function verb(name: 'drain' | 'enable' | 'stop', description: string): Command {
  return addReaderFlags(new Command(name).description(description).argument('[node]', 'id of the node'))
    .option('--balancer <name>', 'all nodes of a balancer')
    .option('--group <name>', 'all nodes of a group')
    .option('--where <selector>', WHERE_HELP)
    .option('--context <path...>', 'only these contexts of the node, like /app')
    .option('--reason <text>', 'reason for the audit log')
    .option('--dry-run', 'print the effect and change nothing')
    .action(async (node: string | undefined, flags: VerbFlags) => {
      const changed = drainChange(node, flags);
      if (changed !== undefined) return changeDrain(changed, flags);
      const where = flags.where === undefined ? undefined : whereOf(flags.where);
      const target = targetOf(name, node, flags, where);
      const timeoutMs = waitTimeoutMs(flags);
      const body: StatusBody = {
        ...contextsOf(node, flags),
        ...reasonOf(flags.reason),
        ...optionalMs('deadlineMs', boundedMs('--deadline', flags.deadline)),
        ...optionalMs('forMs', boundedMs('--for', flags.for)),
      };
      const client = await clientFor(flags);
      let result: WriteResult;
      try {
        const send = (more: object) => request(client, name, target, { ...body, ...more });
        result = await sendConfirmed({ send, verb: VERB_WORDS[name], endsSessions: name === 'stop' }, flags);
      } catch (error) {
        throw node === undefined ? withNextStep(error) : await withNodeStep(error, client, name, node);
      }
      const isForNodes = name !== 'enable' && flags.context === undefined;
      if (!flags.wait || flags.dryRun || !isForNodes) {
        await printInForce(client, result, flags);
        return;
      }
      printNote(result);
      process.stderr.write(`${result.message}\n`);
      const startMs = performance.now();
      const { more, ...rest } = result;
      const chosen = new Set(result.nodes.map(({ id }) => id));
      const look = async (): Promise<readonly NodeResource[]> => {
        const nodes = await lookAt(client, node, flags);
        return where === undefined || more !== undefined ? nodes : nodes.filter(({ id }) => chosen.has(id));
      };
      const targets = more === undefined ? result.nodes : await look();
      const { nodes, failure } = await waitForDrains(look, targets, timeoutMs, name === 'stop' ? 'stop' : 'drain');
      if (failure !== undefined) {
        if (flags.json) printJson({ ...rest, nodes });
        throw failure;
      }
      const leftMs = timeoutMs === undefined ? undefined : timeoutMs - (performance.now() - startMs);
      const ended = await inForce(client, rest, true, leftMs);
      if (flags.json) printJson({ ...ended.result, nodes });
      if (ended.failure !== undefined) throw ended.failure;
    });
}

/** Contexts of one node. Throws a usage failure for texts that are no context, and where a whole node is needed. */
function contextsOf(node: string | undefined, { context, deadline, for: limit }: VerbFlags): StatusBody {
  if (context === undefined) return {};
  if (node === undefined) throw new CliFailure('--context needs the id of one node', EXIT.usage);
  if (deadline !== undefined || limit !== undefined)
    throw new CliFailure('--deadline and --for are for whole nodes, not with --context', EXIT.usage);
  const contexts = context.map((text) => {
    const path = parseContextPath(text);
    if (path === undefined) throw new CliFailure(`--context ${text} is not a path like /app`, EXIT.usage);
    return path;
  });
  return { contexts };
}

type Target =
  | { readonly kind: 'Node' | 'Balancer' | 'Group'; readonly id: string }
  | { readonly kind: 'Nodes'; readonly where: Where };

function targetOf(name: string, node: string | undefined, flags: VerbFlags, where: Where | undefined): Target {
  const targets = [
    node === undefined ? undefined : ({ kind: 'Node', id: node } as const),
    flags.balancer === undefined ? undefined : ({ kind: 'Balancer', id: flags.balancer } as const),
    flags.group === undefined ? undefined : ({ kind: 'Group', id: flags.group } as const),
    where === undefined ? undefined : ({ kind: 'Nodes', where } as const),
  ].filter((target) => target !== undefined);
  const [target] = targets;
  if (target === undefined || targets.length > 1)
    throw new CliFailure(
      `${name} needs one of: a node id, --balancer NAME, --group NAME, --where KEY=VALUE`,
      EXIT.usage,
    );
  if (target.kind === 'Nodes') return target;
  const { id } = target;
  if (!isName(id))
    throw new CliFailure(`${JSON.stringify(id)} is not a name: letters, digits, _ and -, at most 64`, EXIT.usage);
  return target;
}

function request(
  client: AdminClient,
  verb: keyof typeof VERB_WORDS,
  target: Target,
  body: StatusBody,
): Promise<WriteResult> {
  if (target.kind === 'Nodes') {
    const { contexts: _, ...rest } = body;
    return client.call(`${verb}Nodes`, { body: { ...rest, where: target.where } });
  }
  const { kind, id } = target;
  if (kind === 'Node') return client.call(`${verb}Node`, { path: { id }, body });
  return client.call(`${verb}${kind}`, { path: { name: id }, body });
}

/** The node, or all nodes of the balancer or group, including gone nodes. */
async function lookAt(
  client: AdminClient,
  node: string | undefined,
  { balancer, group, where }: VerbFlags,
): Promise<readonly NodeResource[]> {
  if (node !== undefined) return [await client.call('getNode', { path: { id: node } })];
  if (where !== undefined) return nodesWhere(client, whereOf(where), { all: true });
  return nodesOf(client, { ...(balancer === undefined ? { group: group! } : { balancer }), all: true });
}

function optionalMs<Key extends string>(key: Key, ms: number | undefined): { readonly [K in Key]?: number } {
  return ms === undefined ? {} : ({ [key]: ms } as { readonly [K in Key]: number });
}
