import { defaultNodeId, joinToken, NODE_VARIABLE, parseNodeSocket } from '@rollcall/agent';
import { openPlainLog } from '@rollcall/logging';
import { nodeAddress, parseNodeUrl, printableUrl } from '@rollcall/protocol';
import { Command } from 'commander';
import { agentPlaces } from '../coordinator-tls.ts';
import { agentUrls } from '../coordinator-url.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { type LogFormatFlags, logFormatOption } from '../log-format.ts';
import { JoinedNode } from '../run/joined-node.ts';
import {
  addNodeFlags,
  describedBy,
  durationOf,
  type NodeFlags,
  nameOf,
  readyFlagsOf,
  usage,
  wholeOf,
} from '../run/node-flags.ts';
import { ProgramLoad } from '../run/program-load.ts';
import { ProgramSdk } from '../run/program-sdk.ts';
import { onEndSignals } from '../run/signals.ts';

interface JoinFlags extends NodeFlags, LogFormatFlags {
  readonly pid?: string;
}

/** Largest pid Linux gives. */
const MAX_PID = 4_194_304;

const HELP = `
The command connects to the program before each heartbeat. If the program refuses connections, the node leaves until the
program accepts them again.
With --pid the node leaves, and this command ends with 1, when that process has ended; its CPU and memory are reported as
load. With --ready PATH the node gets new work only while that path answers below 500; its sessions stay.

  rollcall join http://127.0.0.1:3000 --balancer shop
  rollcall join http://10.0.0.5:8080 --balancer wiki --route wiki1 --pid $(cat /run/wiki.pid) --ready /health
`;

/** `rollcall join`: runs an agent for a program that already runs. */
export function joinCommand(): Command {
  const command = new Command('join')
    .description('run an agent for a program that already runs')
    .argument('<url>', 'address of the program for the proxy, e.g. http://10.0.0.5:3000 or ajp://10.0.0.5:8009')
    .option('--pid <n>', 'pid of the program: the node reports its load and leaves when it ends');
  return addNodeFlags(command)
    .addOption(logFormatOption())
    .addHelpText('after', HELP)
    .action(async (url: string, flags: JoinFlags) => {
      process.exitCode = await join(url, flags);
    });
}

async function join(text: string, flags: JoinFlags): Promise<number> {
  const url = parseNodeUrl(text);
  if (url === undefined)
    throw usage(
      `${JSON.stringify(printableUrl(text))} is not the address of a node; use one like http://10.0.0.5:3000`,
    );
  const { host, port, isTls, isAjp } = nodeAddress(url);
  if (isAjp && flags.ready !== undefined)
    throw usage('--ready is for http and https addresses; a node over AJP is probed by CPING');
  const description = describedBy(flags);
  const pid = wholeOf('--pid', flags.pid, 1, MAX_PID);
  const givenId = nameOf('--id', flags.id);
  const id = givenId ?? defaultNodeId(description.balancer ?? 'default', { slot: port });
  const sdk = await sdkOf(port, process.env);
  const node = new JoinedNode({
    description: { ...description, url },
    id,
    isIdDerived: givenId === undefined,
    ...(sdk === undefined ? {} : { sdk }),
    route: nameOf('--route', flags.route) ?? id,
    port,
    isTls,
    isAjp,
    addresses: [host],
    ...readyFlagsOf(flags),
    ...(pid === undefined ? {} : { pid, load: new ProgramLoad(pid) }),
    drainSessionsMs: durationOf('--drain-sessions', flags.drainSessions, 0),
    ...agentPlaces(agentUrls(flags.coordinator, process.env), flags, process.env),
    token: () => joinToken(undefined, process.env),
    say: openPlainLog({ format: flags.logFormat }),
  });
  onEndSignals(node);
  try {
    return await node.run();
  } finally {
    sdk?.close();
  }
}

/** If `ROLLCALL_NODE` names a socket that the program also has, the SDK in the program reports to this command. */
async function sdkOf(
  port: number,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ProgramSdk | undefined> {
  const text = environment[NODE_VARIABLE];
  if (!text) return undefined;
  const name = parseNodeSocket(text);
  if (name === undefined)
    throw usage(
      `${NODE_VARIABLE} does not name a local socket: write unix:/PATH#SECRET, 16 to 128 characters of secret`,
    );
  try {
    return await ProgramSdk.open(port, name);
  } catch (error) {
    throw new CliFailure(`cannot listen at ${name.path}: ${(error as Error).message}`, EXIT.failed);
  }
}
