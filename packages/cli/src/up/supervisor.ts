/**
 * The main process of `rollcall up`. It owns the listening sockets of the proxy, keeps the control process and the workers
 * running, and replaces workers at a reload. When it ends for any reason, its children end too: they detect the closed
 * channel from their first statement on.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { FEED_PATH } from '@rollcall/feed';
import { isRedisAddress } from '@rollcall/store-redis';
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
  /** TLS listener for clients; `undefined` for none. */
  readonly tls: ListenAddress | undefined;
  readonly control: ListenAddress;
  /** The control port speaks TLS. */
  readonly isControlTls: boolean;
  /** The state directory for a control port. */
  readonly stateDirFor: (controlPort: number) => string;
  /** Options of the control process, without the options that the supervisor adds. */
  readonly controlOptions: Omit<
    ControlOptions,
    'listen' | 'stateDir' | 'feedToken' | 'ownNodeToken' | 'proxyUrl' | 'ownListeners' | 'store'
  >;
  /** Value of `--store`; `undefined`: a file in the state directory. */
  readonly store: string | undefined;
  /** Number of workers. */
  readonly workers: number;
  readonly workerOptions: Omit<
    WorkerProcessOptions,
    'name' | 'feedUrl' | 'feedToken' | 'feedCertificateFiles' | 'snapshotFile' | 'ownListeners' | 'ticketKeys'
  >;
  /** Time for replaced workers to finish their requests, milliseconds. */
  readonly graceMs: number;
  /** Directories that a separate process serves. */
  readonly staticSites: readonly StaticSite[];
  readonly say: (line: string) => void;
  /** Reads the current settings, for a reload. Throws if they are invalid. Default: settings never change. */
  readonly readAgain?: () => SupervisorOptions;
}

/** Time for a graceful end of children, milliseconds. */
const CLOSE_GRACE_MS = 12_000;
/** The same while children start, when there is nothing to finish, milliseconds. */
const START_GRACE_MS = 2_000;

/** Settings that a reload cannot change, named as on the command line. */
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
  /** Reserves the auto-chosen control port, so that the system does not use it for an outgoing connection during a restart. */
  #controlHold: NativeHandle | undefined;
  readonly #listeners: Listener[] = [];
  readonly #pool: WorkerPool;
  readonly #ledger = new ProcessLedger();
  #control: SupervisedProcess | undefined;
  #static: SupervisedProcess | undefined;
  #loginUrl: string | undefined;
  #warnings: readonly string[] = [];
  /** Options and version of the running control process. */
  #controlOptions: SupervisorOptions;
  #controlVersion = VERSION;
  #needsControl = false;
  /** The control process is being replaced by one with other settings. */
  #isReplacingControl = false;
  /** Settles after all reloads so far; never rejects. */
  #reloads: Promise<void> = Promise.resolve();
  /** A queued reload that has not begun to read the settings. */
  #nextReload: Promise<string> | undefined;
  /** Requests of the control process that are not answered, by their number there. */
  readonly #requested = new Map<number, Promise<string>>();
  #isServing = false;
  #isClosing = false;
  #closed: Promise<void> | undefined;
  /** Aborts the wait for a start. */
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
   * Starts all children. Resolves with true when all of them serve, and with false if `close` was called before. If one cannot
   * serve, ends all of them and rejects with one line.
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
      ...(controlOptions.logFormat === undefined ? {} : { logFormat: controlOptions.logFormat }),
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

  /** Resolves when the control process serves. Rejects if it cannot start; it is restarted anyway. */
  async #startControl(options: SupervisorOptions): Promise<void> {
    const { controlOptions, store } = options;
    this.#controlOptions = options;
    const message: ControlOptions = {
      ...controlOptions,
      name: controlOptions.name ?? `${hostname()}:${this.#controlAddress.port}`,
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

  /** Keeps a child running. `keep` gets it at once; the promise resolves when the child serves. */
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
          resolve();
        },
        onFailed: (message) => reject(new CliFailure(message.message, EXIT.failed)),
        onReloadRequest: (id) => this.#reloadForControl(id),
        onRotateRequest: () => this.#control?.send({ type: 'rotated', ...this.reopenLogs() }),
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
    this.#control.send({ type: 'processes', processes: this.#ledger.resources(children), replaced });
  }

  #workerSettings({
    workerOptions,
    controlOptions: { controlTls, agentsListen, mcmp },
  }: SupervisorOptions): WorkerSettings {
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
        ...(mcmp ? [mcmp.listen] : []),
        ...this.#listeners.map(({ address }) => address),
      ],
      ticketKeys: this.#ticketKeys,
    });
  }

  /** The `--ca` flag that commands need with a custom state directory to trust the control port; begins with a space. */
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

  /** URL of the TLS port; `undefined` without one. */
  get tlsUrl(): string | undefined {
    const [, tls] = this.#listeners;
    return tls && localUrl(tls.address).replace('http:', 'https:');
  }

  /** Warnings of the control process about the configuration. */
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
   * Reads the settings again and starts workers with them, which take over while the old workers finish. Resolves with one line
   * about the changes. On failure it rejects with one line and changes nothing.
   *
   * One reload runs at a time, including the start of a new control process. A request during a reload is served by the next
   * one, because the settings may have changed since they were read.
   */
  reload(): Promise<string> {
    if (this.#isClosing) return Promise.reject(new CliFailure('rollcall is shutting down', EXIT.failed));
    if (!this.#isServing) return Promise.reject(new CliFailure('rollcall is still starting', EXIT.failed));
    if (this.#nextReload !== undefined) return this.#nextReload;
    const reload = this.#reloads.then(() => {
      this.#nextReload = undefined;
      return this.#reloadNow();
    });
    this.#nextReload = reload;
    this.#reloads = reload.then(
      // After the answer, which may pass through the process that is replaced.
      () =>
        this.#replaceControl().catch((error: Error) =>
          this.#options.say(`the control process does not serve: ${error.message}; restarting it until it does`),
        ),
      () => undefined,
    );
    return reload;
  }

  async #reloadNow(): Promise<string> {
    if (this.#isClosing) throw new CliFailure('rollcall is shutting down', EXIT.failed);
    const before = this.#options;
    const options = before.readAgain?.() ?? before;
    for (const key of Object.keys(FIXED) as (keyof typeof FIXED)[])
      if (!isDeepStrictEqual(options[key], before[key]) && !isOtherRedis(key, options, before))
        throw new CliFailure(`${FIXED[key]} cannot change while rollcall runs: restart rollcall up`, EXIT.failed);
    const version = await this.#pool.replace(this.#workerSettings(options), options.graceMs);
    this.#options = options;
    this.#reportProcesses();
    // The content of the files may have changed, but not their names.
    this.#control?.send({ type: 'read-certificates' });
    this.#needsControl =
      version !== this.#controlVersion ||
      options.store !== this.#controlOptions.store ||
      !isDeepStrictEqual(options.controlOptions, this.#controlOptions.controlOptions);
    const isOne = options.workers === 1;
    const workers = isOne ? 'a new worker serves' : `${options.workers} new workers serve`;
    const old = isOne ? 'worker finishes its requests' : 'workers finish their requests';
    const control = this.#needsControl ? '; the control process restarts' : '';
    return `${workers}; the old ${old}, for ${options.graceMs / 1_000} s at most${control}`;
  }

  /** Restarts the control process if its settings or version differ from those of the workers. */
  async #replaceControl(): Promise<void> {
    if (!this.#needsControl || this.#isClosing) return;
    this.#needsControl = false;
    const before = this.#controlOptions;
    this.#isReplacingControl = true;
    // The old control process may have requested the next reload; it would wait for an answer that cannot reach it.
    for (const [id, reload] of this.#requested) if (reload === this.#nextReload) this.#answerEarly(id);
    await this.#control?.close(CLOSE_GRACE_MS);
    this.#isReplacingControl = false;
    if (this.#isClosing) return;
    try {
      await within(this.#startControl(this.#options), START_MS, 'the new control process does not serve');
    } catch (error) {
      if (this.#isClosing) return;
      this.#options.say(`${(error as Error).message}: the control process continues with its old settings`);
      this.#control?.kill();
      await within(this.#startControl(before), START_MS, 'it does not serve');
    }
  }

  #answerEarly(id: number): void {
    this.#requested.delete(id);
    const message = 'the control process restarts for another reload; this one follows, and its outcome is in the log';
    this.#control?.send({ type: 'reloaded', id, message });
  }

  /** Handles the reload request of the control process. */
  #reloadForControl(id: number): void {
    const { say } = this.#options;
    const reload = this.reload();
    this.#requested.set(id, reload);
    if (this.#isReplacingControl) this.#answerEarly(id);
    const answer = (message: string, error?: string): void => {
      // Without an entry it is answered, by a control process that is gone.
      if (!this.#requested.delete(id)) return;
      this.#control?.send({ type: 'reloaded', id, message, ...(error !== undefined && { error }) });
    };
    reload.then(
      (message) => {
        say(`reloaded: ${message}`);
        answer(message);
      },
      (error: Error) => {
        const failure = `reload failed, nothing changed: ${error.message}`;
        say(failure);
        answer(failure, failure);
      },
    );
  }

  /** Makes all workers reopen the access log. Returns one line for the operator; `error` if there is no log file. */
  reopenLogs(): { readonly message: string; readonly error?: string } {
    const path = this.#options.workerOptions.accessLog?.path ?? 'off';
    if (path === '-' || path === 'off') {
      const message = `there is no log file to reopen: --access-log is ${path}`;
      return { message, error: message };
    }
    this.#pool.reopenLogs();
    return { message: `${path} is reopened` };
  }

  /**
   * Ends the children in this order: the ports close, the workers finish their requests, static nodes leave, the control
   * process ends. During the start there is nothing to finish, and all end at once. Further calls wait for the first one.
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
      // Until here the workers still had requests for its nodes.
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

  /** Kills all children now. */
  kill(): void {
    this.#isClosing = true;
    this.#interrupt();
    for (const child of [this.#static, this.#control]) child?.kill();
    this.#pool.kill();
    void this.#releaseListeners();
    this.#controlHold?.close();
    this.#unlock();
  }

  /** Closes the supervisor's ends of the proxy sockets. Connections that the supervisor has accepted are handed over first. */
  async #releaseListeners(): Promise<void> {
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
  }
}

/** A Redis with another address or password: what is in the state directory stays, and goes to it. */
function isOtherRedis(
  key: keyof typeof FIXED,
  { store: now }: SupervisorOptions,
  { store: before }: SupervisorOptions,
) {
  return key === 'store' && [now, before].every((store) => store !== undefined && isRedisAddress(store));
}

/** A socket that is bound but never listens. Sockets with the same option, as in this program, can listen on its address. */
function hold(address: ListenAddress): NativeHandle {
  return bindSockets(address, 1)[0]!.handle;
}
