import { requestText } from '@rollcall/dashboard';
import { compactDuration, type DrainProgress, isName, isPresent, type NodeResource } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { counted, table } from '../format.ts';
import { nodesOf } from '../lists.ts';
import { endOfDone } from './drain-end.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
PID is the first process of the program, on its own machine. It is that of "rollcall join" without --pid, and - with "add".
`;

/** `rollcall nodes`: lists the nodes with their status and load. */
export function nodesCommand(): Command {
  return addReaderFlags(new Command('nodes').description('list the nodes'))
    .option('--all', 'include nodes that have left or are gone')
    .option('--balancer <name>', 'only nodes of this balancer')
    .addHelpText('after', HELP)
    .action(async (flags: ReaderFlags & { readonly all?: boolean; readonly balancer?: string }) => {
      if (flags.balancer !== undefined && !isName(flags.balancer))
        throw new CliFailure(`${JSON.stringify(flags.balancer)} is not a name`, EXIT.usage);
      const client = await clientFor(flags);
      const nodes = await nodesOf(client, flags);
      // Fails if there is no such balancer.
      if (nodes.length === 0 && flags.balancer !== undefined) await client.get(`/v1/balancers/${flags.balancer}`);
      if (flags.json) printJson({ nodes });
      else if (nodes.length === 0) {
        const where = flags.balancer === undefined ? '' : ` in balancer ${flags.balancer}`;
        process.stdout.write(`no nodes${where}; add one with  rollcall run -- YOUR PROGRAM {port}\n`);
      } else process.stdout.write(`${table(HEADINGS, nodes.map(row))}\n`);
    });
}

const HEADINGS = [
  'NODE',
  'BALANCER',
  'URL',
  'PID',
  'STATUS',
  'LIVENESS',
  'FACTOR',
  'SESSIONS',
  'SEEN ONCE',
  'IN-FLIGHT',
  'NOTE',
];

function row(node: NodeResource): (string | number)[] {
  const liveness = [
    node.liveness,
    ...(node.isReady || !isPresent(node) ? [] : ['not ready']),
    ...(node.observed.isEjected ? ['ejected'] : []),
    ...(node.flapping
      ? [`flapping (${node.flapping.count} returns${node.flapping.heldUntilUnixMs === undefined ? '' : ', held down'})`]
      : []),
  ].join(', ');
  return [
    node.id,
    node.balancer,
    node.url,
    node.process?.pid ?? '-',
    node.status,
    liveness,
    node.loadFactor ?? '-',
    `${node.sessions} (${node.sessionsFrom})`,
    node.sessionsSeenOnce,
    node.inFlight,
    noteOf(node),
  ];
}

/**
 * Why the node is not up or not ready, and the state of its port. Who requested its status and why, and the progress of a drain. Each
 * part is about a present state, so that a node that is up, ready and enabled has at most warnings.
 */
export function noteOf(node: NodeResource): string {
  const drain = isPresent(node) && node.liveness !== 'joining' && node.drain ? [drainText(node, node.drain)] : [];
  return [...standing(node), ...requestText(node), ...drain, ...parkedNote(node)].join('; ');
}

/** Progress or end of a drain or stop. */
export function drainText(node: NodeResource, drain: DrainProgress): string {
  if (drain.isDone) return node.status === 'stopped' ? 'stopped' : endOfDone(drain).word;
  const waiting = drain.waitingFor.length > 0 ? `, waiting for ${drain.waitingFor.join(', ')}` : '';
  const deadline = node.wanted.deadlineAtUnixMs ?? node.reported.deadlineAtUnixMs;
  const left = deadline === undefined ? '' : `, at most ${compactDuration(Math.max(0, deadline - Date.now()))} more`;
  const oldest =
    drain.oldestSessionMs === undefined || drain.sessionsLeft === 0
      ? ''
      : ` (the oldest for at least ${compactDuration(drain.oldestSessionMs)})`;
  const once = drain.sessionsSeenOnce > 0 ? ` and ${drain.sessionsSeenOnce} seen once` : '';
  return `${counted(drain.sessionsLeft, 'session')}${oldest}${once}, ${drain.inFlight} in flight, ${counted(drain.tunnels, 'tunnel')} left${waiting}${left}`;
}

function standing(node: NodeResource): string[] {
  const elsewhere = node.heardBy === undefined ? [] : [`reported by ${node.heardBy.join(', ')} only`];
  const unready = [...elsewhere, ...(node.readyReason === undefined || !isPresent(node) ? [] : [node.readyReason])];
  if (node.livenessReason === undefined)
    return node.warnings.length === 0 ? unready : [...unready, node.warnings.map(({ code }) => code).join(' ')];
  const ports = node.liveness === 'suspect' ? node.observed.ports : [];
  return [node.livenessReason, ...unready, ...ports.map(({ worker, port }) => `${port} at ${worker}`)];
}

function parkedNote({ observed: { parked } }: NodeResource): string[] {
  return parked === 0 ? [] : [`${parked} parked`];
}
