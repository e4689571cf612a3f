/**
 * One copy of a wrapped program, from its start to its end.
 *
 * ```
 *   start ─▶ waiting until ready ─▶ in the cluster ──stop──▶ draining ─▶ ending ─▶ ended
 *                │ not ready            │ program dies: leave at once          ▲
 *                └──────────────────────┴──────────────────────────────────────┘
 * ```
 */
import type { JoinToken, NodeDescription } from '@rollcall/agent';
import { NODE_VARIABLE, nodeUrlText, STOP_DEADLINE_MS } from '@rollcall/agent';
import type { Copies } from '@rollcall/protocol';
import { AgentBeside } from './agent-beside.ts';
import { freePort, isAccepting } from './port.ts';
import { localAddresses } from './probe.ts';
import { commandOf, holderOf } from './process-table.ts';
import { filledIn, Program } from './program.ts';
import { ProgramLoad } from './program-load.ts';
import { waitUntilReady, whyNotReady } from './readiness.ts';

export interface WrappedNodeOptions {
  readonly command: readonly string[];
  /** What flags say about the node; also handed to an agent inside the program. */
  readonly description: NodeDescription;
  readonly id: string;
  readonly route: string;
  /** Default: a free one for each start. */
  readonly port?: number;
  readonly address?: string;
  readonly readyPath?: string;
  readonly readyTimeoutMs: number;
  readonly drainSessionsMs: number;
  /** Between asking the program to end and killing it, in milliseconds. */
  readonly graceMs: number;
  readonly copies?: () => Copies;
  readonly onScale?: (count: number) => void;
  readonly coordinators: readonly string[];
  readonly token: () => JoinToken;
  readonly environment: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}

/** How one life of the program went. */
export interface WrappedEnd {
  /** The program's own; 1 when it was not ready in time. */
  readonly exitCode: number;
  /** Milliseconds it was ready; 0 when it never was. */
  readonly readyMs: number;
}

export class WrappedNode {
  readonly #options: WrappedNodeOptions;
  #program: Program | undefined;
  #agent: AgentBeside | undefined;
  #isStopping = false;

  constructor(options: WrappedNodeOptions) {
    this.#options = options;
  }

  /** Runs the program to its end; once per instance. Resolves when nothing of it is left and the node has left. */
  async run(): Promise<WrappedEnd> {
    const options = this.#options;
    const addresses = localAddresses(options.address);
    const port = options.port ?? (await freePort());
    if (options.port !== undefined && (await isAccepting(port, addresses))) {
      const holder = holderOf(port);
      const who = holder === undefined ? 'somebody' : `pid ${holder.pid} (${commandOf(holder.pid)})`;
      options.say(`port ${port} is taken by ${who}: end that, or use another --port`);
      return { exitCode: 1, readyMs: 0 };
    }
    if (this.#isStopping) return { exitCode: 0, readyMs: 0 };
    const url = options.address === undefined ? {} : { url: nodeUrlText(options.address, port, false) };
    const program = new Program(filledIn(options.command, { port, route: options.route, id: options.id }), {
      ...options.environment,
      PORT: String(port),
      ROLLCALL_ROUTE: options.route,
      ROLLCALL_NODE_ID: options.id,
      [NODE_VARIABLE]: JSON.stringify({ ...options.description, ...url }),
    });
    this.#program = program;
    const readiness = { port, addresses, path: options.readyPath ?? '/', timeoutMs: options.readyTimeoutMs };
    const ready = await waitUntilReady(readiness, () => program.hasEnded || this.#isStopping);
    if (!ready.isReady) {
      if (program.hasEnded || this.#isStopping) return this.#finish(program, 0);
      options.say(whyNotReady(readiness, ready.last, program.pid ?? 0));
      await program.end(options.graceMs);
      return { exitCode: 1, readyMs: 0 };
    }
    const readyAtMs = performance.now();
    if (!program.hasEnded && !this.#isStopping) this.#startAgent(program, port, addresses, ready.address);
    await program.ended;
    return this.#finish(program, performance.now() - readyAtMs);
  }

  /** Drains the node, its sessions for `drainSessionsMs`, and then ends the program; `run` resolves when all is over. A repeat changes nothing. */
  async stop(reason: string, drainSessionsMs: number = this.#options.drainSessionsMs): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const { graceMs } = this.#options;
    // An agent inside the program drains by itself when the program is asked to end, and needs the time for it.
    const ownDrainMs = this.#agent?.isSuperseded ? drainSessionsMs + STOP_DEADLINE_MS : 0;
    await this.#agent?.drain(reason, drainSessionsMs);
    await this.#agent?.leave();
    await this.#program?.end(graceMs + ownDrainMs);
  }

  /** Ends everything at once, without asking. */
  kill(): void {
    this.#isStopping = true;
    this.#program?.signal('SIGKILL');
  }

  #startAgent(program: Program, port: number, addresses: readonly string[], address: string): void {
    const options = this.#options;
    const load = new ProgramLoad(program.pid ?? 0, (name, reason) =>
      options.say(`metric ${name}: ${reason}; it is left out`),
    );
    this.#agent = new AgentBeside(
      {
        description: options.description,
        id: options.id,
        route: options.route,
        port,
        addresses,
        ...(options.address === undefined ? {} : { announcedAddress: options.address }),
        ...(options.readyPath === undefined ? {} : { readyPath: options.readyPath }),
        ...(options.copies === undefined ? {} : { copies: options.copies }),
        ...(options.onScale === undefined ? {} : { onScale: options.onScale }),
        coordinators: options.coordinators,
        token: options.token,
        load,
        say: options.say,
      },
      address,
    );
  }

  async #finish(program: Program, readyMs: number): Promise<WrappedEnd> {
    // The end of the program is told first: every request after its death is a request lost.
    const hasLeft = this.#agent?.leave();
    const { exitCode, problem } = await program.ended;
    if (problem !== undefined) this.#options.say(problem);
    await Promise.all([hasLeft, this.#isStopping ? program.end(this.#options.graceMs) : program.end()]);
    return { exitCode, readyMs };
  }
}
