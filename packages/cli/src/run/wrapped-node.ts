/**
 * One run of a wrapped program, from its start to its end.
 *
 * ```
 *   start ─▶ waiting until ready ─▶ in the cluster ──stop──▶ draining ─▶ ending ─▶ ended
 *                │ not ready            │ program dies: leave at once          ▲
 *                └──────────────────────┴──────────────────────────────────────┘
 * ```
 */
import type { ClientTls, JoinToken, NodeDescription } from '@rollcall/agent';
import { NODE_VARIABLE } from '@rollcall/agent';
import { type Copies, type FailingCopy, nodeAddress } from '@rollcall/protocol';
import { AgentBeside } from './agent-beside.ts';
import { freePort, isAccepting } from './port.ts';
import { localAddresses } from './probe.ts';
import { commandOf, holderOf } from './process-table.ts';
import { filledIn, Program } from './program.ts';
import { askedAddress, boundAddress } from './program-address.ts';
import { ProgramLoad } from './program-load.ts';
import { ProgramSdk } from './program-sdk.ts';
import { type Readiness, type ReadinessOptions, waitUntilReady, whyNotReady } from './readiness.ts';

export interface WrappedNodeOptions {
  readonly command: readonly string[];
  /** Description of the node by flags. */
  readonly description: NodeDescription;
  readonly id: string;
  /** The id was derived. */
  readonly isIdDerived: boolean;
  readonly route: string;
  /** Default: a free port for each start. */
  readonly port?: number;
  readonly address?: string;
  /** The program speaks TLS. Default false. */
  readonly isTls?: boolean;
  readonly readyPath?: string;
  readonly readyTimeoutMs: number;
  readonly readyLateMs?: number;
  readonly readyIntervalMs?: number;
  readonly drainSessionsMs: number;
  /** Time for requests in flight at the end, in milliseconds; default that of the agent. */
  readonly drainRequestsMs?: number;
  /** Time from SIGTERM to SIGKILL, in milliseconds. */
  readonly graceMs: number;
  readonly copies?: () => Copies;
  readonly onScale?: (count: number) => void;
  /** Called after an operator has removed the node. */
  readonly onRemoved?: () => void;
  /** Failing copies of the wrapper, for each heartbeat. */
  readonly failing?: () => readonly FailingCopy[];
  readonly coordinators: readonly string[];
  /** See `AgentOptions`. */
  readonly areAlternatives?: boolean;
  readonly token: () => JoinToken;
  readonly tls?: (url: string) => ClientTls;
  readonly environment: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}

/** Outcome of one run of the program. */
export interface WrappedEnd {
  /** Exit code of the program; 1 if it was not ready in time. */
  readonly exitCode: number;
  /** Time that the program was ready, milliseconds; 0 if it never was. */
  readonly readyMs: number;
  /** In one sentence. */
  readonly cause: string;
  readonly remedy?: string;
}

export class WrappedNode {
  readonly #options: WrappedNodeOptions;
  #program: Program | undefined;
  #agent: AgentBeside | undefined;
  #sdk: ProgramSdk | undefined;
  #readyAtMs: number | undefined;
  #isStopping = false;
  /** The drain of a stop is running and can be withdrawn. */
  #isDraining = false;

  constructor(options: WrappedNodeOptions) {
    this.#options = options;
  }

  /** Time since the program became ready, milliseconds; 0 before. */
  get readyMs(): number {
    return this.#readyAtMs === undefined ? 0 : performance.now() - this.#readyAtMs;
  }

  /** Runs the program to its end; once per instance. Resolves when all its processes have ended and the node has left. */
  async run(): Promise<WrappedEnd> {
    try {
      return await this.#run();
    } finally {
      this.#sdk?.close();
    }
  }

  async #run(): Promise<WrappedEnd> {
    const options = this.#options;
    const addresses = localAddresses(options.address);
    const port = options.port ?? (await freePort());
    if (options.port !== undefined && (await isAccepting(port, addresses))) {
      const holder = holderOf(port);
      const who = holder === undefined ? 'another process' : `pid ${holder.pid} (${commandOf(holder.pid)})`;
      const remedy = 'end that process, or use another --port';
      return { exitCode: 1, readyMs: 0, cause: `port ${port} is taken by ${who}`, remedy };
    }
    if (this.#isStopping) return { exitCode: 0, readyMs: 0, cause: 'it was stopped before its program was started' };
    const { isTls = false } = options;
    const sdk = await this.#openSdk(port);
    const program = new Program(filledIn(options.command, { port, route: options.route, id: options.id }), {
      ...options.environment,
      PORT: String(port),
      ROLLCALL_ROUTE: options.route,
      ROLLCALL_NODE_ID: options.id,
      [NODE_VARIABLE]: sdk?.variable,
    });
    this.#program = program;
    const readiness = { port, addresses, path: options.readyPath ?? '/', isTls, timeoutMs: options.readyTimeoutMs };
    const ready = await this.#untilReady(readiness, program);
    if (ready.isReady) await sdk?.settle();
    if (!ready.isReady) {
      if (program.hasEnded || this.#isStopping) return this.#finish(program, earlyEnd(port));
      const cause = await whyNotReady(readiness, ready.last, program.pid ?? 0);
      await program.end(options.graceMs);
      return { exitCode: 1, readyMs: 0, cause };
    }
    this.#readyAtMs = performance.now();
    if (!program.hasEnded && !this.#isStopping) this.#startAgent(program, port, addresses, ready.address);
    await program.ended;
    return this.#finish(program, '');
  }

  /**
   * Drains the node, its sessions for `drainSessionsMs`, then ends the program; `run` resolves at the end. Further calls can only
   * shorten the drain. `drainSessionsMs` is given if an operator has requested the stop: then no budget holds the node.
   */
  async stop(reason: string, drainSessionsMs?: number): Promise<void> {
    const { graceMs, drainRequestsMs } = this.#options;
    const isRequested = drainSessionsMs !== undefined;
    const sessionsMs = drainSessionsMs ?? this.#options.drainSessionsMs;
    const drained = this.#agent?.drain(reason, sessionsMs, drainRequestsMs, isRequested);
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#isDraining = drained !== undefined;
    if ((await drained) === 'withdrawn') return;
    this.#isDraining = false;
    await this.#agent?.leave();
    await this.#program?.end(graceMs);
  }

  /** Withdraws a stop, so that the node serves again. Returns false if the drain is already over, or never began. */
  withdrawStop(): boolean {
    if (!this.#isDraining || this.#program?.hasEnded !== false) return false;
    this.#isDraining = false;
    this.#isStopping = false;
    this.#agent?.withdrawDrain();
    return true;
  }

  /** Registers again, so that the coordinator knows the present number of copies. */
  renew(): void {
    this.#agent?.renew();
  }

  /** Kills the program at once. */
  kill(): void {
    this.#isStopping = true;
    this.#program?.signal('SIGKILL');
  }

  /** Without a socket for the SDK the program is a node anyway. */
  async #openSdk(port: number): Promise<ProgramSdk | undefined> {
    try {
      this.#sdk = await ProgramSdk.open(port);
    } catch (error) {
      this.#options.say(`no local socket for an SDK in the program: ${(error as Error).message}`);
    }
    return this.#sdk;
  }

  /** A program is ready if its ready path answers, or if its SDK reports that it listens. */
  async #untilReady(readiness: ReadinessOptions, program: Program): Promise<Readiness> {
    let isListening = false;
    const waiting = waitUntilReady(readiness, () => program.hasEnded || this.#isStopping || isListening);
    const sdk = this.#sdk;
    if (sdk === undefined) return waiting;
    const listening = sdk.untilRegistered().then((): Readiness => {
      isListening = true;
      return { isReady: true, address: nodeAddress(sdk.node!.url).host };
    });
    return Promise.race([waiting, listening]);
  }

  #startAgent(program: Program, port: number, addresses: readonly string[], answered: string): void {
    const options = this.#options;
    const address = askedAddress(boundAddress(program.pid ?? 0, port, answered), answered);
    const load = new ProgramLoad(program.pid ?? 0, (name, reason) =>
      options.say(`metric ${name}: ${reason}; it is left out`),
    );
    this.#agent = new AgentBeside(
      {
        description: options.description,
        id: options.id,
        isIdDerived: options.isIdDerived,
        route: options.route,
        port,
        addresses,
        ...(this.#sdk === undefined ? {} : { sdk: this.#sdk }),
        isTls: options.isTls === true || this.#sdk?.node?.url.startsWith('https:') === true,
        ...(options.address === undefined ? {} : { announcedAddress: options.address }),
        ...(options.readyPath === undefined ? {} : { readyPath: options.readyPath }),
        ...(options.readyLateMs === undefined ? {} : { readyLateMs: options.readyLateMs }),
        ...(options.readyIntervalMs === undefined ? {} : { readyIntervalMs: options.readyIntervalMs }),
        ...(options.copies === undefined ? {} : { copies: options.copies }),
        ...(options.onScale === undefined ? {} : { onScale: options.onScale }),
        ...(options.onRemoved === undefined ? {} : { onRemoved: options.onRemoved }),
        ...(options.failing === undefined ? {} : { failing: options.failing }),
        coordinators: options.coordinators,
        ...(options.areAlternatives === undefined ? {} : { areAlternatives: options.areAlternatives }),
        token: options.token,
        ...(options.tls === undefined ? {} : { tls: options.tls }),
        load,
        ...(program.pid === undefined ? {} : { pid: program.pid }),
        say: options.say,
      },
      address,
    );
  }

  /** `when` follows "the program has ended with 1". */
  async #finish(program: Program, when: string): Promise<WrappedEnd> {
    const { readyMs } = this;
    // The end of the program is reported first: every request after its death is lost.
    const hasLeft = this.#agent?.leave();
    const { exitCode, problem } = await program.ended;
    await Promise.all([hasLeft, this.#isStopping ? program.end(this.#options.graceMs) : program.end()]);
    return { exitCode, readyMs, cause: problem ?? `the program has ended with ${exitCode}${when}` };
  }
}

/** A command that ends at once may have started a daemon, which is not a node. */
function earlyEnd(port: number): string {
  const daemon = holderOf(port);
  const remedy =
    daemon === undefined
      ? ''
      : `; pid ${daemon.pid} (${commandOf(daemon.pid)}) listens on port ${port}: start it in the foreground, or use rollcall join --pid ${daemon.pid}`;
  return ` before it was ready${remedy}`;
}
