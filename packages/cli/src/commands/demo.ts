import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openOutput, openPlainLog } from '@rollcall/logging';
import { DEFAULT_CONTROL_PORT, DEFAULT_PROXY_PORT } from '@rollcall/protocol';
import { Command } from 'commander';
import { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { supervisorOptions } from '../settings/up-settings.ts';
import { createDemoStateDirectory } from '../state-directory.ts';
import { Terminal } from '../terminal.ts';
import { Supervisor } from '../up/supervisor.ts';
import { untilSignalled } from './up.ts';

const NODES = 3;
/** Time limit for the start of the sample nodes, milliseconds. */
const READY_MS = 15_000;
const HOST = '127.0.0.1';

/** `rollcall demo`: coordinator, proxy and three sample nodes on this machine. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('start a coordinator, a proxy and three sample nodes on this machine')
    .option('--log-level <level>', 'lowest level that is logged to standard error', 'error')
    .action((flags: { readonly logLevel: string }) => demo(flags.logLevel));
}

async function demo(logLevel: string): Promise<void> {
  const say = openPlainLog();
  const print = openOutput(say);
  const [proxyPort, controlPort] = [await freePort(DEFAULT_PROXY_PORT), await freePort(DEFAULT_CONTROL_PORT)];
  const taken = [
    proxyPort === DEFAULT_PROXY_PORT ? '' : `${DEFAULT_PROXY_PORT} is taken, using ${proxyPort}`,
    controlPort === DEFAULT_CONTROL_PORT ? '' : `${DEFAULT_CONTROL_PORT} is taken, using ${controlPort}`,
  ].filter((text) => text !== '');
  print(
    `starting a coordinator, a proxy and ${NODES} nodes${taken.length > 0 ? ` (port ${taken.join(', port ')})` : ''}\n`,
  );
  const { path: stateDir, isFound } = createDemoStateDirectory(controlPort, process.env);
  const supervisor = new Supervisor(
    supervisorOptions(
      {
        proxy: `${HOST}:${proxyPort}`,
        control: `${HOST}:${controlPort}`,
        store: 'memory',
        stateDir,
        logLevel,
        logFormat: 'auto',
      },
      [],
      say,
    ),
  );
  const nodes: ChildProcess[] = [];
  let isEnding = false;
  const close = async (): Promise<void> => {
    isEnding = true;
    await Promise.all(nodes.map(endNode));
    await supervisor.close();
    rmSync(stateDir, { recursive: true, force: true });
  };
  const kill = (): void => {
    for (const node of nodes) node.kill('SIGKILL');
    supervisor.kill();
    rmSync(stateDir, { recursive: true, force: true });
  };
  // Before the first child is started: children must end before the demo does.
  const ended = untilSignalled({ close, kill });
  const terminal = new Terminal();
  process.on('SIGHUP', () => {
    if (terminal.hangup() !== 'detached') process.kill(process.pid, 'SIGTERM');
  });
  const isServing = await supervisor.start().catch((error: unknown) => {
    kill();
    throw error;
  });
  if (!isServing || isEnding) return await ended;
  for (let number = 1; number <= NODES; number++) nodes.push(startNode(`demo-${number}`, supervisor));
  await Promise.race([ended, whenUp(supervisor)]).catch(async (error: unknown) => {
    if (isEnding) return;
    await close();
    throw error;
  });
  if (!isEnding) print(usageLines(supervisor, controlPort, isFound ? undefined : stateDir));
  await ended;
}

function startNode(id: string, { controlUrl }: Supervisor): ChildProcess {
  const program = new URL(`../demo/sample-node${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
  // A process group of its own: the demo handles Ctrl-C, so that nodes drain while the proxy still serves.
  return spawn(process.execPath, [...process.execArgv, fileURLToPath(program)], {
    // No messages: the node exits when this channel closes, which also happens if the demo is killed.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    detached: true,
    env: { ...process.env, ROLLCALL_URL: controlUrl, ROLLCALL_NODE_ID: id, ROLLCALL_ROUTE: id },
  });
}

async function endNode(node: ChildProcess): Promise<void> {
  if (node.exitCode !== null || node.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => node.once('exit', () => resolve()));
  node.kill('SIGTERM');
  const killer = setTimeout(() => node.kill('SIGKILL'), 10_000);
  await exited;
  clearTimeout(killer);
}

/** Resolves when all sample nodes are up in the view of every worker. */
async function whenUp({ controlUrl, stateDir }: Supervisor): Promise<void> {
  const client = await AdminClient.connect({ coordinator: controlUrl, stateDir });
  const endMs = performance.now() + READY_MS;
  while (performance.now() < endMs) {
    const { nodes, workers } = await client.call('getStatus');
    if (nodes.up >= NODES && workers.length > 0 && workers.every((worker) => worker.isCurrent)) return;
    await sleep(50);
  }
  throw new CliFailure(
    `the sample nodes did not come up within ${READY_MS / 1_000} s; try --log-level debug`,
    EXIT.failed,
  );
}

/** The addresses of the demo, and commands to try. `stateDir` is set if commands need the flag. */
export function usageLines(
  { proxyUrl, controlUrl, loginUrl }: Pick<Supervisor, 'proxyUrl' | 'controlUrl' | 'loginUrl'>,
  controlPort: number,
  stateDir: string | undefined,
): string {
  const rollcall = 'npx rollcall';
  const where = controlPort === DEFAULT_CONTROL_PORT ? '' : ` --coordinator ${controlUrl}`;
  const operator = `${where}${stateDir === undefined ? '' : ` --state-dir ${stateDir}`}`;
  const clone = cloneOf(fileURLToPath(import.meta.url));
  return [
    `site              ${proxyUrl}`,
    `balancer-manager  ${loginUrl ?? `${controlUrl}/balancer-manager`}`,
    `another login     ${rollcall} login${operator}           (each link works once)`,
    `drain a node      ${rollcall} drain demo-1 --deadline 10s --wait${operator}`,
    `add your program  ${rollcall} run --balancer mine --context /mine${where} -- YOUR PROGRAM {port}`,
    `scale             ${rollcall} run --balancer mine --context /mine --count 3${where} -- YOUR PROGRAM {port}`,
    ...(clone === undefined ? [] : [`run commands in   ${clone}`]),
    'stop              Ctrl-C',
    '',
  ].join('\n');
}

/** The clone that `module` is in, where `npx rollcall` finds the command; `undefined` for an installed package. */
function cloneOf(module: string): string | undefined {
  const [root, ...rest] = module.split('/packages/cli/');
  return rest.length === 0 || module.includes('/node_modules/') ? undefined : root;
}

/** `port`, or the next free port after it. */
async function freePort(port: number): Promise<number> {
  for (let candidate = port; candidate < port + 100; candidate++) if (await isFree(candidate)) return candidate;
  return 0;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: HOST, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
