/**
 * The process that `rollcall up` is: it owns the proxy's listening sockets, keeps the control process and the workers
 * running, replaces workers when settings are read again, and does nothing else. When it ends, however and whenever it
 * ends, its children end too: from their first statement on they notice that their channel to it is closed.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { FEED_PATH } from '@rollcall/protocol';
import { type ListenAddress, localUrl } from '../address.ts';
import { controlCertificatePath } from '../control-certificate.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { defaultStateDirectory, lockStateDirectory } from '../state-directory.ts';
import type { StaticSite } from '../static/static-site.ts';
import { VERSION } from '../version.ts';
import { bindSockets, type NativeHandle } from './bound-socket.ts';
import { freeAddress, type Listener, openListener } from './listener.ts';
import { ProcessLedger, type Replacement } from './process-ledger.ts';
import type { ControlOptions, StaticProcessOptions, WorkerProcessOptions } from './process-options.ts';
import { type SupervisedOptions, SupervisedProcess } from './supervised-process.ts';
import { within } from './within.ts';
import { START_MS, WorkerPool, type WorkerSettings } from './worker-pool.ts';

export interface SupervisorOptions {
  readonly proxy: ListenAddress;
  /** Where clients speak TLS; `undefined` for nowhere. */
  readonly tls: ListenAddress | undefined;
  readonly control: ListenAddress;
  /** The control port speaks TLS. */
  readonly isControlTls: boolean;
  /** The state directory for a control port. */
  readonly stateDirFor: (controlPort: number) => string;
  /** What the control process is told, besides what the supervisor knows. */
  readonly controlOptions: Omit<
    ControlOptions,
    'listen' | 'stateDir' | 'feedToken' | 'ownNodeToken' | 'proxyUrl' | 'ownListeners' | 'store'
  >;
  /** As `--store` spells it; `undefined`: a file in the state directory. */
  readonly store: string | undefined;
  /** How many workers. */
  readonly workers: number;
  readonly workerOptions: Omit<
    WorkerProcessOptions,
    | 'name'
    | 'feedUrl'
    | 'feedToken'
    | 'feedCertificateFiles'
    | 'snapshotFile'
    | 'ownListeners'
    | 'unavailableHint'
    | 'ticketKeys'
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
/** The same while they start, when there is nothing to finish, milliseconds. */
const START_GRACE_MS = 2_000;

/** What a reload cannot change, by the words of the command line. */
const FIXED = {
  proxy: '--proxy',
  tls: '--tls',
  control: '--control',
  isControlTls: 'whether the control port speaks TLS (--control-cert)',
  store: '--store',
  workers: '--workers',
  staticSites: '--static',
} as const;

export class Supervisor {
  #options: SupervisorOptions;
  #stateDir = '';
  #unlock: () => void = () => {};
  readonly #feedToken = randomBytes(32).toString('base64url');
  readonly #nodeToken = randomBytes(32).toString('base64url');
  readonly #ticketKeys = randomBytes(48).toString('base64');
  #controlAddress: ListenAddress;
  /** Keeps a port that we chose ourselves from being somebody's outgoing connection while the control process is not there. */
  #controlHold: NativeHandle | undefined;
  readonly #listeners: Listener[] = [];
  readonly #pool: WorkerPool;
  readonly #ledger = new ProcessLedger();
  #control: SupervisedProcess | undefined;
  #static: SupervisedProcess | undefined;
  #loginUrl: string | undefined;
  #warnings: readonly string[] = [];
  /** What the control process was started with, and its version. */
  #controlOptions: SupervisorOptions;
  #controlVersion = VERSION;
  #needsControl = false;
  /** The control process ends, and another with other settings takes its place. */
  #isReplacingControl = false;
  /** All reloads so far; never rejects. */
  #reloads: Promise<void> = Promise.resolve();
  /** A reload that has not begun to read the settings. */
  #nextReload: Promise<string> | undefined;
  #isServing = false;
  #isClosing = false;
  #closed: Promise<void> | undefined;
  /** Ends the wait for a start. */
  #interrupt: () => void = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#controlOptions = options;
    this.#controlAddress = options.control;
    this.#pool = new WorkerPool({
      slots: options.workers,
      handlesOf: (slot) =>
        this.#listeners.map((listener) => listener.handleOf(slot)).filter((handle): handle is NativeHandle => !!handle),
      onChange: (replaced) => this.#onChildChange(replaced),
      say: options.say,
    });
  }

  get stateDir(): string {
    return this.#stateDir;
  }

  get controlUrl(): string {
    return localUrl(this.#controlAddress, this.#options.isControlTls ? 'https' : 'http');
  }

  /**
   * Starts everything. Resolves with true when all of it serves, with false when `close` was called before. Rejects with
   * one line when it cannot serve; nothing is left of it then.
   */
  async start(): Promise<boolean> {
    try {
      const interrupted = new Promise<void>((resolve) => {
        this.#interrupt = resolve;
      });
      await Promise.race([this.#startAll(), interrupted]);
      this.#isServing = !this.#isClosing;
      return this.#isServing;
    } catch (error) {
      if (this.#isClosing) return false;
      this.kill();
      throw error;
    }
  }

  async #startAll(): Promise<void> {
    const { staticSites, controlOptions } = this.#options;
    this.#controlAddress = await freeAddress(this.#options.control, '--control');
    const proxy = await freeAddress(this.#options.proxy, '--proxy');
    const tls = this.#options.tls && (await freeAddress(this.#options.tls, '--tls'));
    if (this.#isClosing) return;
    this.#stateDir = this.#options.stateDirFor(this.#controlAddress.port);
    this.#unlock = lockStateDirectory(this.#stateDir, this.#options.say);
    if (this.#options.control.port === 0) this.#controlHold = hold(this.#controlAddress);
    await this.#listen(proxy, false);
    if (tls) await this.#listen(tls, true);
    if (this.#isClosing) return;
    await Promise.all([this.#startControl(this.#options), this.#pool.start(this.#workerSettings(this.#options))]);
    if (staticSites.length === 0 || this.#isClosing) return;
    const message: StaticProcessOptions = {
      sites: staticSites,
      coordinatorUrl: this.controlUrl,
      logLevel: controlOptions.logLevel,
      joinToken: this.#nodeToken,
      ...(this.#options.isControlTls ? { coordinatorCa: controlCertificatePath(this.stateDir) } : {}),
    };
    await this.#supervise('static', message, (child) => {
      this.#static = child;
    });
  }

  async #listen(address: ListenAddress, isTls: boolean): Promise<void> {
    const listener = await openListener(address, this.#options.workers, (socket) => this.#pool.hand(socket, isTls));
    if (this.#isClosing) await listener.close();
    else this.#listeners.push(listener);
  }

  /** Resolves when the control process serves. Rejects when it cannot start; it is started again all the same. */
  async #startControl(options: SupervisorOptions): Promise<void> {
    const { controlOptions, store } = options;
    this.#controlOptions = options;
    const message: ControlOptions = {
      ...controlOptions,
      listen: this.#controlAddress,
      store: store ?? `file:${join(this.stateDir, 'cluster.json')}`,
      stateDir: this.stateDir,
      feedToken: this.#feedToken,
      ownNodeToken: this.#nodeToken,
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
        child: name,
        message,
        onReady: ({ version, loginUrl, warnings }) => {
          this.#loginUrl = loginUrl ?? this.#loginUrl;
          this.#warnings = warnings ?? this.#warnings;
          if (name === 'control') this.#controlVersion = version;
          this.#reportProcesses();
          resolve();
        },
        onFailed: (told) => reject(new CliFailure(told.message, EXIT.failed)),
        onReloadWanted: () => this.#reloadForControl(),
        onRotateWanted: () => this.#control?.tell({ type: 'rotated', ...this.reopenLogs() }),
        onNoted: (number) => this.#ledger.noted(number),
        onChange: (replaced) => this.#onChildChange(replaced),
        say: this.#options.say,
      };
      keep(new SupervisedProcess(options));
    });
  }

  #onChildChange(replaced: Replacement | undefined): void {
    if (replaced !== undefined) this.#ledger.replaced(replaced, performance.now());
    this.#reportProcesses();
  }

  #reportProcesses(): void {
    if (this.#control?.isReady !== true) return;
    const children = [this.#control.now, ...this.#pool.now, ...(this.#static ? [this.#static.now] : [])];
    const replaced = this.#ledger.waiting(performance.now());
    this.#control.tell({ type: 'processes', processes: this.#ledger.resources(children), replaced });
  }

  #workerSettings({ workerOptions, controlOptions: { controlTls, agentsListen } }: SupervisorOptions): WorkerSettings {
    return (name, slot) => ({
      ...workerOptions,
      name,
      feedUrl: `${this.controlUrl.replace('http', 'ws')}${FEED_PATH}`,
      feedToken: this.#feedToken,
      ...(controlTls && { feedCertificateFiles: [controlCertificatePath(this.stateDir), controlTls.cert] }),
      snapshotFile: join(this.stateDir, `snapshot-local-${slot}.json`),
      ownListeners: [
        this.#controlAddress,
        ...(agentsListen ? [agentsListen] : []),
        ...this.#listeners.map(({ address }) => address),
      ],
      ticketKeys: this.#ticketKeys,
      unavailableHint: `no node is up: add one with  rollcall run --coordinator ${this.controlUrl}${this.caFlag} -- YOUR PROGRAM {port}`,
    });
  }

  /** What commands of another directory need besides the address to trust the control port; begins with a space. */
  get caFlag(): string {
    const { host, port } = this.#controlAddress;
    const isFound =
      this.#stateDir === defaultStateDirectory(port, process.env) ||
      !/^127\.|^(?:localhost|::1?|0\.0\.0\.0)$/.test(host);
    return !this.#options.isControlTls || isFound ? '' : ` --ca ${controlCertificatePath(this.#stateDir)}`;
  }

  get proxyUrl(): string {
    return localUrl(this.#listeners[0]!.address);
  }

  /** `undefined` without a TLS port. */
  get tlsUrl(): string | undefined {
    const [, tls] = this.#listeners;
    return tls && localUrl(tls.address).replace('http:', 'https:');
  }

  /** Of the control process, about how it was started. */
  get warnings(): readonly string[] {
    return this.#warnings;
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
   *
   * One reload runs at a time, the new control process included. A request that comes while one runs gets the one after
   * it, because the settings may have changed since they were read.
   */
  reload(): Promise<string> {
    if (this.#isClosing) return Promise.reject(new CliFailure('rollcall is ending', EXIT.failed));
    if (!this.#isServing) return Promise.reject(new CliFailure('rollcall is still starting', EXIT.failed));
    if (this.#nextReload !== undefined) return this.#nextReload;
    const reload = this.#reloads.then(() => {
      this.#nextReload = undefined;
      return this.#reloadNow();
    });
    this.#nextReload = reload;
    this.#reloads = reload.then(
      // After the answer, which may go through the process that is replaced.
      () =>
        this.#replaceControl().catch((error: Error) =>
          this.#options.say(`the control process does not serve: ${error.message}; starting it again until it does`),
        ),
      () => undefined,
    );
    return reload;
  }

  async #reloadNow(): Promise<string> {
    if (this.#isClosing) throw new CliFailure('rollcall is ending', EXIT.failed);
    const before = this.#options;
    const options = before.readAgain?.() ?? before;
    for (const key of Object.keys(FIXED) as (keyof typeof FIXED)[])
      if (!isDeepStrictEqual(options[key], before[key]))
        throw new CliFailure(`${FIXED[key]} cannot change while rollcall runs: start it again`, EXIT.failed);
    const version = await this.#pool.replace(this.#workerSettings(options), options.graceMs);
    this.#options = options;
    this.#reportProcesses();
    // The files may have changed while their names have not.
    this.#control?.tell({ type: 'read-certificates' });
    this.#needsControl =
      version !== this.#controlVersion ||
      !isDeepStrictEqual(options.controlOptions, this.#controlOptions.controlOptions);
    const isOne = options.workers === 1;
    const workers = isOne ? 'a new worker serves' : `${options.workers} new workers serve`;
    const old = isOne ? 'one finishes what it has' : 'ones finish what they have';
    const control = this.#needsControl ? '; the control process starts again' : '';
    return `${workers}; the old ${old}, for ${options.graceMs / 1_000} s at most${control}`;
  }

  /** Starts the control process again where it has other settings, or is of another version, than the workers. */
  async #replaceControl(): Promise<void> {
    if (!this.#needsControl || this.#isClosing) return;
    this.#needsControl = false;
    const before = this.#controlOptions;
    this.#isReplacingControl = true;
    // A request for the next reload may have come through it; it would wait for an answer that cannot reach it.
    if (this.#nextReload !== undefined) this.#answerEarly();
    await this.#control?.close(CLOSE_GRACE_MS);
    this.#isReplacingControl = false;
    if (this.#isClosing) return;
    try {
      await within(this.#startControl(this.#options), START_MS, 'the new control process does not serve');
    } catch (error) {
      if (this.#isClosing) return;
      this.#options.say(`${(error as Error).message}: the control process goes on with its old settings`);
      this.#control?.kill();
      await within(this.#startControl(before), START_MS, 'it does not serve');
    }
  }

  #answerEarly(): void {
    this.#control?.tell({ type: 'reloaded', message: 'a reload is under way; this one follows it' });
  }

  /** The control process was asked to have everything read again. */
  #reloadForControl(): void {
    const { say } = this.#options;
    if (this.#isReplacingControl) this.#answerEarly();
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

  /** Has all workers open the access log again. Returns one line for people; `error` when there is no such file. */
  reopenLogs(): { readonly message: string; readonly error?: string } {
    const path = this.#options.workerOptions.accessLog?.path ?? 'off';
    if (path === '-' || path === 'off') {
      const message = `there is no log file to open again: --access-log is ${path}`;
      return { message, error: message };
    }
    this.#pool.reopenLogs();
    return { message: `${path} is opened again` };
  }

  /**
   * Ends the children in order: the ports close, the workers finish their requests, static nodes leave, the control
   * process ends. During the start there is nothing to finish, and all end at once. A repeat waits for the first.
   */
  close(): Promise<void> {
    this.#isClosing = true;
    this.#closed ??= this.#closeNow();
    return this.#closed;
  }

  async #closeNow(): Promise<void> {
    this.#interrupt();
    if (this.#isServing) {
      await this.#releaseListeners();
      await this.#pool.close(CLOSE_GRACE_MS);
      // Until then the workers still had requests for its nodes.
      await this.#static?.close(CLOSE_GRACE_MS);
      await this.#control?.close(CLOSE_GRACE_MS);
    } else {
      await Promise.all([
        this.#static?.close(START_GRACE_MS),
        this.#pool.close(START_GRACE_MS),
        this.#control?.close(START_GRACE_MS),
      ]);
      await this.#releaseListeners();
    }
    this.#controlHold?.close();
    this.#unlock();
  }

  /** Ends everything now. */
  kill(): void {
    this.#isClosing = true;
    this.#interrupt();
    for (const child of [this.#static, this.#control]) child?.kill();
    this.#pool.kill();
    void this.#releaseListeners();
    this.#controlHold?.close();
    this.#unlock();
  }

  /** Closes our ends of the proxy's sockets; what has arrived on those that we accept on is handed over. */
  async #releaseListeners(): Promise<void> {
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
  }
}

/** A socket that is bound and never listens: others that allow it, as ours do, can listen on its address. */
function hold(address: ListenAddress): NativeHandle {
  return bindSockets(address, 1)[0]!.handle;
}
