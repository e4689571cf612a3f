/** `rollcall node NODE`: all that is known about one node. */
import { isName, isPresent } from '@rollcall/protocol';
import { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nodesOf } from '../lists.ts';
import { type NodePage, nodePageText } from '../nodes/node-page.ts';
import { addColourFlag, type ColourFlags, paintFor } from '../screen/paint.ts';
import { withNodeStep } from './no-target.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
The status that an operator has requested, the status that the node reports, the observations of the workers, and the status in force. Then
its figures beside those of the other nodes of its balancer, the cause of its load factor, and its last events. With --json: the node, its
explanation and its events.
`;

/** Number of events that are printed. */
const MAX_EVENTS = 10;

interface NodeFlags extends ReaderFlags, ColourFlags {
  readonly utc?: boolean;
}

export function nodeCommand(): Command {
  const command = addReaderFlags(
    new Command('node').description('describe one node').argument('<node>', 'id of the node'),
  ).option('--utc', 'times in UTC instead of local time');
  return addColourFlag(command)
    .addHelpText('after', HELP)
    .action(async (id: string, flags: NodeFlags) => {
      if (!isName(id)) throw new CliFailure(`${JSON.stringify(id)} is not a name`, EXIT.usage);
      const client = await clientFor(flags);
      let page: NodePage;
      try {
        page = await pageOf(client, id);
      } catch (error) {
        throw await withNodeStep(error, client, 'nodes', id);
      }
      const { node, explanation, events } = page;
      if (flags.json) printJson({ node, explanation, events });
      else process.stdout.write(nodePageText(page, paintFor(process.stdout, flags), flags.utc === true));
    });
}

async function pageOf(client: AdminClient, id: string): Promise<NodePage> {
  const node = await client.call('getNode', { path: { id } });
  const [explanation, balancer, status, { events }, all] = await Promise.all([
    client.call('explainNode', { path: { id } }),
    client.call('getBalancer', { path: { name: node.balancer } }),
    client.call('getStatus'),
    client.call('listEvents'),
    nodesOf(client, { balancer: node.balancer }),
  ]);
  return {
    node,
    peers: all.filter((other) => other.id !== id && isPresent(other)),
    explanation,
    balancer,
    verdict: status.verdict,
    events: events.filter((event) => event.node === id).slice(-MAX_EVENTS),
    nowUnixMs: status.nowUnixMs,
  };
}
