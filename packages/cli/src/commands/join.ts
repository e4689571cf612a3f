import { defaultNodeId, joinToken } from '@rollcall/agent';
import { nodeAddress, parseNodeUrl } from '@rollcall/protocol';
import { Command } from 'commander';
import { JoinedNode } from '../run/joined-node.ts';
import {
  addNodeFlags,
  coordinatorsOf,
  describedBy,
  durationOf,
  type NodeFlags,
  nameOf,
  readyPathOf,
  usage,
  wholeOf,
} from '../run/node-flags.ts';
import { ProgramLoad } from '../run/program-load.ts';
import { onEndSignals } from '../run/signals.ts';

interface JoinFlags extends NodeFlags {
  readonly pid?: string;
}

/** Largest pid Linux gives. */
const MAX_PID = 4_194_304;

const HELP = `
The program is asked each second; while it does not answer, the node gets nothing. With --pid the node leaves, and this
command ends with 1, when that process has ended; its CPU and memory are reported as load.

  rollcall join http://127.0.0.1:3000 --balancer shop
  rollcall join http://10.0.0.5:8080 --balancer wiki --route wiki1 --pid $(cat /run/wiki.pid) --ready /health
`;

/** `rollcall join`: an agent beside a program that already runs. */
export function joinCommand(): Command {
  const command = new Command('join')
    .description('run an agent beside a program that already runs')
    .argument('<url>', 'where the proxy reaches the program, e.g. http://10.0.0.5:3000')
    .option('--pid <n>', 'process of the program: leave when it ends, report its load');
  return addNodeFlags(command)
    .addHelpText('after', HELP)
    .action(async (url: string, flags: JoinFlags) => {
      process.exitCode = await join(url, flags);
    });
}

async function join(text: string, flags: JoinFlags): Promise<number> {
  const url = parseNodeUrl(text);
  if (url === undefined)
    throw usage(`${JSON.stringify(text)} is no address of a node; write one like http://10.0.0.5:3000`);
  const { host, port, isTls } = nodeAddress(url);
  if (isTls) throw usage('join asks the program over http only; give an http address');
  const description = describedBy(flags);
  const pid = wholeOf('--pid', flags.pid, 1, MAX_PID);
  const readyPath = readyPathOf(flags.ready);
  const id = nameOf('--id', flags.id) ?? defaultNodeId(description.balancer ?? 'default', { slot: port });
  const node = new JoinedNode({
    description: { ...description, url },
    id,
    route: nameOf('--route', flags.route) ?? id,
    port,
    addresses: [host],
    ...(readyPath === undefined ? {} : { readyPath }),
    ...(pid === undefined ? {} : { pid, load: new ProgramLoad(pid) }),
    drainSessionsMs: durationOf('--drain-sessions', flags.drainSessions, 0),
    coordinators: coordinatorsOf(flags.coordinator, process.env),
    token: () => joinToken(undefined, process.env),
    say: (line) => process.stderr.write(`rollcall: ${line}\n`),
  });
  onEndSignals(node);
  return node.run();
}
