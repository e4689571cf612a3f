/**
 * The process that `rollcall up` is: it owns the proxy's listening sockets, keeps the control process and the workers
 * running, replaces workers when settings are read again, and does nothing else. When it ends, however it ends, its
 * children end too: they notice that their channel to it is closed.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { FEED_PATH } from '@rollcall/protocol';
import { type ListenAddress, localUrl } from '../address.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { lockStateDirectory } from '../state-directory.ts';
import type { StaticSite } from '../static/static-site.ts';
import { VERSION } from '../version.ts';
import { bindSockets, type NativeHandle } from './bound-socket.ts';
import { freeAddress, type Listener, openListener } from './listener.ts';
import type { ControlOptions, StaticProcessOptions, WorkerProcessOptions } from './process-options.ts';
import { type SupervisedOptions, SupervisedProcess } from './supervised-process.ts';
import { WorkerPool, type WorkerSettings } from './worker-pool.ts';

export interface SupervisorOptions {
  readonly proxy: ListenAddress;
  /** Where clients speak TLS; `undefined` for nowhere. */
  readonly tls: ListenAddress | undefined;
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
  /** How many workers. */
  readonly workers: number;
  readonly workerOptions: Omit<
    WorkerProcessOptions,
    'name' | 'feedUrl' | 'feedToken' | 'snapshotFile' | 'unavailableHint' | 'ticketKeys'
  >;
  /** How long replaced workers may finish what they have, milliseconds. */
  readonly graceMs: number;
  /** Directories to serve, in a process of their own. */
  readonly staticSites: readonly StaticSite[];
  readonly say: (line: string) => void;
  /** The settings as they are now, for a reload. Throws when they cannot be used. Default: they never change. */
  readonly readAgain?: () => SupervisorOptions;
}

/** How long children get to end in order, milliseconds. */
const CLOSE_GRACE_MS = 12_000;

/** What a reload cannot change, by the words of the command line. */
const FIXED = {
  proxy: '--proxy',
  tls: '--tls',
  control: '--control',
  store: '--store',
  workers: '--workers',
  staticSites: '--static',
} as const;

export class Supervisor {
  readonly stateDir: string;
  readonly controlUrl: string;
  #options: SupervisorOptions;
  readonly #unlock: () => void;
  readonly #feedToken = randomBytes(32).toString('base64url');
  readonly #ticketKeys = randomBytes(48).toString('base64');
  readonly #controlAddress: ListenAddress;
  /** Keeps a port that we chose ourselves from being somebody's outgoing connection while the control process is not there. */
  readonly #controlHold: NativeHandle | undefined;
  readonly #listeners: Listener[] = [];
  readonly #pool: WorkerPool;
  #control: SupervisedProcess | undefined;
  #static: SupervisedProcess | undefined;
  #loginUrl: string | undefined;
  #reload: Promise<string> | undefined;
  #isClosing = false;

  /** Starts everything; resolves when all of it serves. Rejects with one line when that cannot be. */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const control = await freeAddress(options.control, '--control');
    const proxy = await freeAddress(options.proxy, '--proxy');
    const tls = options.tls && (await freeAddress(options.tls, '--tls'));
    const supervisor = new Supervisor(options, control, options.control.port === 0 ? hold(control) : undefined);
    try {
      await supervisor.#start(proxy, tls);
      return supervisor;
    } catch (error) {
      supervisor.kill();
      throw error;
    }
  }

  private constructor(options: SupervisorOptions, control: ListenAddress, controlHold: NativeHandle | undefined) {
    this.#options = options;
    this.#controlHold = controlHold;
    this.#controlAddress = control;
    this.controlUrl = localUrl(control);
    this.stateDir = options.stateDirFor(control.port);
    this.#unlock = lockStateDirectory(this.stateDir);
    this.#pool = new WorkerPool({
      entry: entryOf('worker'),
      slots: options.workers,
      handlesOf: (slot) =>
        this.#listeners.map((listener) => listener.handleOf(slot)).filter((handle): handle is NativeHandle => !!handle),
      say: options.say,
    });
  }

  async #start(proxy: ListenAddress, tls: ListenAddress | undefined): Promise<void> {
    const { workers, staticSites, controlOptions } = this.#options;
    this.#listeners.push(await openListener(proxy, workers, (socket) => this.#pool.hand(socket, false)));
    if (tls) this.#listeners.push(await openListener(tls, workers, (socket) => this.#pool.hand(socket, true)));
    await Promise.all([this.#startControl(this.#options), this.#pool.start(this.#workerSettings(this.#options))]);
    if (staticSites.length === 0) return;
    const { joinToken, logLevel } = controlOptions;
    const message: StaticProcessOptions = {
      sites: staticSites,
      coordinatorUrl: this.controlUrl,
      logLevel,
      ...(joinToken === undefined ? {} : { joinToken }),
    };
    await this.#supervise('static', message, (child) => {
      this.#static = child;
    });
  }

  async #startControl({ controlOptions, store }: SupervisorOptions): Promise<void> {
    const message: ControlOptions = {
      ...controlOptions,
      listen: this.#controlAddress,
      store: store ?? `file:${join(this.stateDir, 'cluster.json')}`,
      stateDir: this.stateDir,
      feedToken: this.#feedToken,
      proxyUrl: this.proxyUrl,
      ownListeners: this.#listeners.map(({ address }) => address),
    };
    await this.#supervise('control', message, (child) => {
      this.#control = child;
    });
  }

  /** Keeps a child running; `keep` is given it at once, and the promise resolves when it serves. */
  #supervise(name: 'control' | 'static', message: object, keep: (child: SupervisedProcess) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const options: SupervisedOptions = {
        name,
        entry: entryOf(name),
        message,
        onReady: ({ loginUrl }) => {
          this.#loginUrl = loginUrl ?? this.#loginUrl;
          resolve();
        },
        onFailed: (told) => reject(new CliFailure(told.message, EXIT.failed)),
        onReloadWanted: () => this.#reloadForControl(),
        say: this.#options.say,
      };
      keep(new SupervisedProcess(options));
    });
  }

  #workerSettings({ workerOptions }: SupervisorOptions): WorkerSettings {
    return (name, slot) => ({
      ...workerOptions,
      name,
      feedUrl: `${this.controlUrl.replace('http:', 'ws:')}${FEED_PATH}`,
      feedToken: this.#feedToken,
      snapshotFile: join(this.stateDir, `snapshot-local-${slot}.json`),
      ticketKeys: this.#ticketKeys,
      unavailableHint: `no node is up: add one with  rollcall run --coordinator ${this.controlUrl} -- YOUR PROGRAM {port}`,
    });
  }

  get proxyUrl(): string {
    return localUrl(this.#listeners[0]!.address);
  }

  /** `undefined` without a TLS port. */
  get tlsUrl(): string | undefined {
    const [, tls] = this.#listeners;
    return tls && localUrl(tls.address).replace('http:', 'https:');
  }

  get loginUrl(): string | undefined {
    return this.#loginUrl;
  }

  pids(): {
    readonly supervisor: number;
    readonly control: number | undefined;
    readonly worker: number | undefined;
    readonly workers: readonly (number | undefined)[];
  } {
    const workers = this.#pool.pids;
    return { supervisor: process.pid, control: this.#control?.pid, worker: workers[0], workers };
  }

  /**
   * Reads the settings again and starts workers with them, which take over while the old ones finish. Resolves with
   * what has changed, in one line. Rejects with one line, and leaves everything as it is, when that cannot be.
   */
  reload(): Promise<string> {
    if (this.#isClosing) return Promise.reject(new CliFailure('rollcall is ending', EXIT.failed));
    this.#reload ??= this.#reloadNow().finally(() => {
      this.#reload = undefined;
    });
    return this.#reload;
  }

  async #reloadNow(): Promise<string> {
    const before = this.#options;
    const options = before.readAgain?.() ?? before;
    for (const key of Object.keys(FIXED) as (keyof typeof FIXED)[])
      if (!isDeepStrictEqual(options[key], before[key]))
        throw new CliFailure(`${FIXED[key]} cannot change while rollcall runs: start it again`, EXIT.failed);
    const version = await this.#pool.replace(this.#workerSettings(options), options.graceMs);
    this.#options = options;
    const workers = `${options.workers === 1 ? 'a new worker serves' : `${options.workers} new workers serve`}`;
    const hasOtherControl = version !== VERSION || !isDeepStrictEqual(options.controlOptions, before.controlOptions);
    if (hasOtherControl) setImmediate(() => void this.#replaceControl(options, before));
    return `${workers}; the old ${options.workers === 1 ? 'one finishes what it has' : 'ones finish what they have'}, for ${options.graceMs / 1_000} s at most${hasOtherControl ? '; the control process starts again' : ''}`;
  }

  async #replaceControl(options: SupervisorOptions, before: SupervisorOptions): Promise<void> {
    await this.#control?.close(CLOSE_GRACE_MS);
    if (this.#isClosing) return;
    try {
      await this.#startControl(options);
    } catch (error) {
      this.#options.say(`${(error as Error).message}: the control process goes on with its old settings`);
      this.#control?.kill();
      await this.#startControl(before);
    }
  }

  /** The control process was asked to have everything read again. */
  #reloadForControl(): void {
    const { say } = this.#options;
    this.reload().then(
      (message) => {
        say(`reloaded: ${message}`);
        this.#control?.tell({ type: 'reloaded', message });
      },
      (error: Error) => {
        say(`not reloaded, everything stays as it was: ${error.message}`);
        this.#control?.tell({ type: 'reloaded', message: error.message, error: error.message });
      },
    );
  }

  reopenLogs(): void {
    this.#pool.reopenLogs();
  }

  /** Ends the children in order: static nodes leave, the workers finish their requests, the control process ends. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#reload?.catch(() => undefined);
    // Nodes leave while the workers are there to acknowledge it.
    await this.#static?.close(CLOSE_GRACE_MS);
    await this.#pool.close(CLOSE_GRACE_MS);
    await this.#control?.close(CLOSE_GRACE_MS);
    this.#closeListeners();
    this.#unlock();
  }

  /** Ends everything now. */
  kill(): void {
    this.#isClosing = true;
    for (const child of [this.#static, this.#control]) child?.kill();
    this.#pool.kill();
    this.#closeListeners();
    this.#unlock();
  }

  #closeListeners(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
    this.#controlHold?.close();
  }
}

/** A socket that is bound and never listens: others that allow it, as ours do, can listen on its address. */
function hold(address: ListenAddress): NativeHandle {
  return bindSockets(address, 1)[0]!.handle;
}

/** The module of a child, beside this one, in the form we run in ourselves. */
function entryOf(name: string): URL {
  return new URL(`../processes/${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}
