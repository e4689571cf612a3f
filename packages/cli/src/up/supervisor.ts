/**
 * The process that `rollcall up` is: it owns the proxy's listening socket, keeps the control process and the worker
 * running, and does nothing else. When it ends, however it ends, its children end too: they notice that their channel
 * to it is closed.
 */

import type { SendHandle } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { join } from 'node:path';
import { FEED_PATH } from '@rollcall/protocol';
import { addressText, type ListenAddress, localUrl } from '../address.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { lockStateDirectory } from '../state-directory.ts';
import type { StaticSite } from '../static/static-site.ts';
import { bindSocket } from './bound-socket.ts';
import { portHolder } from './port-holder.ts';
import type { ControlOptions, StaticProcessOptions, WorkerProcessOptions } from './process-options.ts';
import { SupervisedProcess } from './supervised-process.ts';

export interface SupervisorOptions {
  readonly proxy: ListenAddress;
  readonly control: ListenAddress;
  /** The state directory for a control port. */
  readonly stateDirFor: (controlPort: number) => string;
  /** What the control process is told, besides what the supervisor knows. */
  readonly controlOptions: Omit<
    ControlOptions,
    'listen' | 'stateDir' | 'feedToken' | 'proxyUrl' | 'ownListeners' | 'store'
  >;
  /** As `--store` spells it; `undefined`: a file in the state directory. */
  readonly store: string | undefined;
  readonly workerOptions: Omit<
    WorkerProcessOptions,
    'name' | 'feedUrl' | 'feedToken' | 'snapshotFile' | 'unavailableHint'
  >;
  /** Directories to serve, in a process of their own. */
  readonly staticSites: readonly StaticSite[];
  readonly say: (line: string) => void;
}

/** How long children get to end in order, milliseconds. */
const CLOSE_GRACE_MS = 12_000;

export interface Supervisor {
  readonly proxyUrl: string;
  readonly controlUrl: string;
  readonly stateDir: string;
  readonly loginUrl: string | undefined;
  pids(): { readonly supervisor: number; readonly control: number | undefined; readonly worker: number | undefined };
  /** Ends the children in order: static nodes leave, the worker finishes its requests, the control process ends. */
  close(): Promise<void>;
  /** Ends everything now. */
  kill(): void;
}

/** Starts everything; resolves when control process and worker serve. Rejects with one line when that cannot be. */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const control = await freeAddress(options.control, '--control');
  const proxy = await freeAddress(options.proxy, '--proxy');
  const stateDir = options.stateDirFor(control.port);
  const unlock = lockStateDirectory(stateDir);
  try {
    return await startChildren({ ...options, proxy, control }, stateDir, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

async function startChildren(options: SupervisorOptions, stateDir: string, unlock: () => void): Promise<Supervisor> {
  const { control } = options;
  const socket = bindSocket(options.proxy);
  const feedToken = randomBytes(32).toString('base64url');
  const proxyUrl = localUrl(socket.address);
  const controlUrl = localUrl(control);
  let loginUrl: string | undefined;
  const children: SupervisedProcess[] = [];
  const whenReady = (
    name: 'control' | 'worker' | 'static',
    message: object,
    handle?: SendHandle,
  ): Promise<SupervisedProcess> =>
    new Promise((resolve, reject) => {
      const child: SupervisedProcess = new SupervisedProcess({
        name,
        entry: entryOf(name),
        message,
        ...(handle === undefined ? {} : { handle }),
        onReady: (told) => {
          loginUrl = told.loginUrl ?? loginUrl;
          resolve(child);
        },
        onFailed: (told) => reject(new CliFailure(told.message, EXIT.failed)),
        say: options.say,
      });
      children.push(child);
    });
  try {
    const [controlProcess, workerProcess] = await Promise.all([
      whenReady('control', {
        ...options.controlOptions,
        listen: control,
        store: options.store ?? `file:${join(stateDir, 'cluster.json')}`,
        stateDir,
        feedToken,
        proxyUrl,
        ownListeners: [socket.address],
      } satisfies ControlOptions),
      whenReady(
        'worker',
        {
          ...options.workerOptions,
          name: 'local-0',
          feedUrl: `${controlUrl.replace('http:', 'ws:')}${FEED_PATH}`,
          feedToken,
          snapshotFile: join(stateDir, 'snapshot-local-0.json'),
          unavailableHint: `no node is up: add one with  rollcall run --coordinator ${controlUrl} -- YOUR PROGRAM {port}`,
        } satisfies WorkerProcessOptions,
        // Node's typings know net.Server and net.Socket; the bare handle is what those are sent as.
        socket.handle as unknown as SendHandle,
      ),
    ]);
    const { staticSites } = options;
    const { joinToken, logLevel } = options.controlOptions;
    const staticProcess =
      staticSites.length === 0
        ? undefined
        : await whenReady('static', {
            sites: staticSites,
            coordinatorUrl: controlUrl,
            logLevel,
            ...(joinToken === undefined ? {} : { joinToken }),
          } satisfies StaticProcessOptions);
    return {
      proxyUrl,
      controlUrl,
      stateDir,
      get loginUrl() {
        return loginUrl;
      },
      pids: () => ({ supervisor: process.pid, control: controlProcess.pid, worker: workerProcess.pid }),
      async close() {
        // Nodes leave while the worker is there to acknowledge it.
        await staticProcess?.close(CLOSE_GRACE_MS);
        await workerProcess.close(CLOSE_GRACE_MS);
        await controlProcess.close(CLOSE_GRACE_MS);
        socket.close();
        unlock();
      },
      kill() {
        for (const child of children) child.kill();
        unlock();
      },
    };
  } catch (error) {
    for (const child of children) child.kill();
    socket.close();
    throw error;
  }
}

/** The module of a child, beside this one, in the form we run in ourselves. */
function entryOf(name: string): URL {
  return new URL(`../processes/${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}

/**
 * The address with a port that is free right now, so that a taken one is reported, with its holder, before anything is
 * started: binding alone does not tell, because the system reports a taken port only when somebody listens.
 */
function freeAddress({ host, port }: ListenAddress, flag: string): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const holder = error.code === 'EADDRINUSE' ? portHolder(port) : undefined;
      const what =
        error.code === 'EADDRINUSE'
          ? `port ${port} is taken${holder ? ` by ${holder}` : ''}`
          : `cannot listen on ${addressText({ host, port })}: ${error.message}`;
      reject(new CliFailure(`${what}: choose another with ${flag}`, EXIT.failed));
    });
    probe.listen({ host, port, exclusive: true }, () => {
      const chosen = (probe.address() as net.AddressInfo).port;
      probe.close(() => resolve({ host, port: chosen }));
    });
  });
}
