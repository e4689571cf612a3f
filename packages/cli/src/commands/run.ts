import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultNodeId, joinToken, type NodeDescription, newInstance } from '@rollcall/agent';
import { openPlainLog } from '@rollcall/logging';
import { printableUrl } from '@rollcall/protocol';
import { Command } from 'commander';
import { agentPlaces } from '../coordinator-tls.ts';
import { agentUrls } from '../coordinator-url.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { type LogFormatFlags, logFormatOption } from '../log-format.ts';
import { Copies } from '../run/copies.ts';
import {
  addNodeFlags,
  collect,
  describedBy,
  durationOf,
  type NodeFlags,
  nameOf,
  nodeOption,
  readyFlagsOf,
  usage,
  wholeOf,
} from '../run/node-flags.ts';
import { programEnvironment } from '../run/program-environment.ts';
import { onEndSignals } from '../run/signals.ts';
import { acquireSlot, defaultSlotDirectory, type Slot, writableSlotDirectory } from '../run/slot-lock.ts';
import { WrappedNode } from '../run/wrapped-node.ts';

interface RunFlags extends NodeFlags, LogFormatFlags {
  readonly count?: string;
  readonly port?: string;
  readonly address?: string;
  readonly readyTimeout?: string;
  readonly slotDir?: string;
  readonly https?: boolean;
  readonly grace?: string;
  readonly passEnv?: readonly string[];
}

/** Most copies of one wrapper. */
const MAX_COPIES = 64;
const READY_TIMEOUT_MS = 30_000;
/** Time from SIGTERM to SIGKILL. */
const GRACE_MS = 10_000;
const MAX_NAME_LENGTH = 64;

const HELP = `
COMMAND can contain {port}, {route} and {id}; its environment has PORT, ROLLCALL_ROUTE and ROLLCALL_NODE_ID. It does not have
ROLLCALL_ADMIN_TOKEN and ROLLCALL_JOIN_TOKEN, nor their _FILE forms, nor ROLLCALL_CLIENT_CERT and ROLLCALL_CLIENT_KEY.
rollcall run exits with the exit code of COMMAND. Ctrl-C drains the node first; a second Ctrl-C ends it at once.
The proxy forwards paths unchanged: with --context /wiki the program gets requests for /wiki and all paths below it.

  rollcall run -- python3 -m http.server {port}
  rollcall run --balancer shop --count 3 -- node shop.js
  rollcall run --balancer wiki --context /wiki --ready /wiki/health -- java -DjvmRoute={route} -jar wiki.jar {port}
`;

/** `rollcall run`: starts a program that speaks HTTP and makes it a node. */
export function runCommand(): Command {
  const command = new Command('run')
    .description('start a program and make it a node of the cluster')
    .usage('[options] -- COMMAND')
    .argument('<command...>', 'the program and its arguments, after --')
    .addOption(
      nodeOption('--count <n>', 'number of copies; with more than 1, copies that end are restarted (default: 1)'),
    )
    .addOption(
      nodeOption('--port <n>', 'port of the program; further copies get the next ports (default: a free port)'),
    )
    .addOption(nodeOption('--address <host>', 'host of the program, also for the coordinator (default: this machine)'))
    .addOption(nodeOption('--ready-timeout <duration>', 'time limit for the program to become ready (default: 30s)'))
    .addOption(nodeOption('--https', 'the program speaks TLS; the wrapper does not verify its certificate'))
    .addOption(
      nodeOption(
        '--grace <duration>',
        'time for requests in flight, then for the program to end after SIGTERM (default: 8s and 10s)',
      ),
    )
    .option('--pass-env <name>', 'pass this secret ROLLCALL_… variable to the program; repeatable', collect)
    .addOption(
      nodeOption('--slot-dir <directory>', 'directory of the locks on copy numbers (default: state directory)'),
    );
  return addNodeFlags(command)
    .addOption(logFormatOption())
    .addHelpText('after', HELP)
    .action(async (words: string[], flags: RunFlags) => {
      process.exitCode = await run(words, flags);
    });
}

async function run(words: readonly string[], flags: RunFlags): Promise<number> {
  const description = describedBy(flags);
  const count = wholeOf('--count', flags.count, 1, MAX_COPIES) ?? 1;
  const port = wholeOf('--port', flags.port, 1, 65_535);
  if (port !== undefined && port + count - 1 > 65_535) throw usage(`--port ${port} leaves no room for ${count} copies`);
  const address = addressOf(flags.address);
  const environment = programEnvironment(process.env, flags.passEnv ?? []);
  const shared = {
    command: words,
    description,
    ...(address === undefined ? {} : { address }),
    isTls: flags.https === true,
    ...readyFlagsOf(flags),
    readyTimeoutMs: durationOf('--ready-timeout', flags.readyTimeout, READY_TIMEOUT_MS),
    drainSessionsMs: durationOf('--drain-sessions', flags.drainSessions, 0),
    graceMs: durationOf('--grace', flags.grace, GRACE_MS),
    ...(flags.grace === undefined ? {} : { drainRequestsMs: durationOf('--grace', flags.grace, GRACE_MS) }),
    ...agentPlaces(agentUrls(flags.coordinator, process.env), flags, process.env),
    token: () => joinToken(undefined, process.env),
    environment:
      flags.coordinator === undefined ? environment : { ...environment, ROLLCALL_URL: flags.coordinator.join(',') },
  };
  const id = nameOf('--id', flags.id);
  const route = nameOf('--route', flags.route);
  const slots = new Map<number, Slot>();
  if (id === undefined) takeSlots(slots, count, description, flags.slotDir);
  const wrapper = newInstance();
  const say = openPlainLog({ isInherited: true, format: flags.logFormat });
  const copies: Copies = new Copies({
    count,
    newCopy: (index) => {
      if (port !== undefined && port + index > 65_535) throw new Error(`there is no port ${port + index}`);
      if (id === undefined && !slots.has(index)) takeSlots(slots, 1, description, flags.slotDir, index);
      const nodeId = numbered(id, index, count) ?? slotId(description, slots.get(index)!);
      return new WrappedNode({
        ...shared,
        ...(port === undefined ? {} : { port: port + index }),
        copies: () => ({ wrapper, kept: Math.max(1, copies.kept), most: MAX_COPIES }),
        onScale: (number) => copies.scale(number),
        onRemoved: () => copies.removed(index),
        failing: () => copies.failing(),
        id: nodeId,
        isIdDerived: id === undefined,
        route: numbered(route, index, count) ?? nodeId,
        say: count === 1 && index === 0 ? say : (line) => say(`[${index + 1}] ${line}`),
      });
    },
    say,
    rng: Math.random,
    nowMs: () => performance.now(),
    wait: waitOrCancelled,
  });
  onEndSignals(copies);
  try {
    return await copies.run();
  } finally {
    for (const slot of slots.values()) slot.release();
  }
}

/** Locks the numbers of `count` copies, from `first` on. Throws, and holds no lock, if there are not enough free numbers. */
function takeSlots(
  slots: Map<number, Slot>,
  count: number,
  description: NodeDescription,
  directory: string | undefined,
  first = 0,
): void {
  try {
    const options = {
      directory: directory ?? writableSlotDirectory(defaultSlotDirectory(process.env), tmpdir()),
      balancer: description.balancer ?? 'default',
      workingDirectory: workingDirectory(),
    };
    for (let index = first; index < first + count; index += 1) {
      const slot = acquireSlot(options);
      if (slot === undefined) throw new CliFailure(`all slots in ${options.directory} are held; use --id`, EXIT.failed);
      slots.set(index, slot);
    }
  } catch (error) {
    for (let index = first; index < first + count; index += 1) slots.get(index)?.release();
    if (error instanceof CliFailure) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliFailure(`cannot lock a slot: ${reason}; use --slot-dir or --id`, EXIT.failed);
  }
}

function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    throw new CliFailure('the working directory no longer exists; start in another directory', EXIT.failed);
  }
}

function slotId(description: NodeDescription, slot: Slot): string {
  return defaultNodeId(description.balancer ?? 'default', { slot: slot.number });
}

/** Copies of a node with an id get a number: `shop-1`, `shop-2`. */
function numbered(name: string | undefined, index: number, count: number): string | undefined {
  if (name === undefined || (count === 1 && index === 0)) return name;
  const suffix = `-${index + 1}`;
  return `${name.slice(0, MAX_NAME_LENGTH - suffix.length)}${suffix}`;
}

function addressOf(text: string | undefined): string | undefined {
  const address = text?.replace(/^\[(.*)\]$/, '$1');
  if (address === undefined || /^[A-Za-z0-9.:_-]{1,253}$/.test(address)) return address;
  throw usage(
    `--address ${JSON.stringify(printableUrl(text ?? ''))}: write a host name or an address, without scheme and port`,
  );
}

async function waitOrCancelled(delayMs: number, cancelled: Promise<void>): Promise<void> {
  const abort = new AbortController();
  await Promise.race([sleep(delayMs, undefined, { signal: abort.signal }).catch(() => {}), cancelled]);
  abort.abort();
}
