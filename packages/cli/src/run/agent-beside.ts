/**
 * An agent that speaks for a program it is not part of. A heartbeat means that the program answers: each one is
 * preceded by a question, and a program that does not answer is not reported.
 */
import {
  Agent,
  type DrainOutcome,
  type JoinToken,
  LoadReports,
  type NodeDescription,
  newInstance,
  nodeUrlText,
  systemTimers,
  type Timers,
  toRegistration,
} from '@rollcall/agent';
import type { Copies } from '@rollcall/protocol';
import { acceptanceOf } from './acceptance.ts';
import { type ProbeAnswer, probe } from './probe.ts';
import type { ProgramLoad } from './program-load.ts';

export interface BesideOptions {
  readonly description: NodeDescription;
  readonly id: string;
  readonly route: string;
  readonly port: number;
  /** Addresses at which the program may listen on this machine, in order. */
  readonly addresses: readonly string[];
  /** Host to announce; default our end of the control connection. */
  readonly announcedAddress?: string;
  /**
   * Each heartbeat asks this path and wants an answer below 500. Without it the program has to take a connection off
   * its queue, or, where that cannot be seen, to react to `OPTIONS *`.
   */
  readonly readyPath?: string;
  readonly coordinators: readonly string[];
  readonly token: () => JoinToken;
  /** The copies this node is one of, asked for each registration; `undefined` for a program that nobody keeps. */
  readonly copies?: () => Copies;
  /** An operator wants so many copies. */
  readonly onScale?: (count: number) => void;
  /** Measures the program; without it heartbeats tell nothing but that it answers. */
  readonly load?: ProgramLoad;
  /** Tells people. */
  readonly say: (line: string) => void;
  readonly timers?: Timers;
}

/** A program that does not answer in this time is not reported; less than the silence that makes a node suspect. */
const QUESTION_TIMEOUT_MS = 2_000;

export class AgentBeside {
  readonly #options: BesideOptions;
  readonly #agent: Agent;
  readonly #reports: LoadReports | undefined;
  readonly #instance: string = newInstance();
  readonly #incarnation: number = Date.now();
  #address: string;
  #lastAnswer: ProbeAnswer['type'] | 'failing' = 'answered';
  #onRefused: () => void = () => {};
  #isSuperseded = false;

  /** `address` is where the program has answered already. Starts at once. */
  constructor(options: BesideOptions, address: string) {
    const { load, timers = systemTimers() } = options;
    this.#options = options;
    this.#address = address;
    this.#reports = load && new LoadReports(load, timers, () => this.#reportSoon());
    this.#agent = new Agent({
      coordinators: options.coordinators,
      token: options.token,
      registration: (localAddress) =>
        toRegistration(options.description, {
          id: options.id,
          route: options.route,
          url: options.description.url ?? nodeUrlText(this.#announced(localAddress), options.port, false),
          instance: this.#instance,
          incarnation: this.#incarnation,
          ...(options.copies === undefined ? {} : { copies: options.copies() }),
        }),
      report: async () => ((await this.#isAnswering()) ? (this.#reports?.report() ?? {}) : undefined),
      isAnswering: () => this.#isAnswering(),
      timers,
    });
    this.#agent.on('registered', ({ node }) => {
      load?.renewScales();
      options.say(`${node.id} is registered with balancer ${node.balancer} as ${node.url}`);
    });
    this.#agent.on('warning', ({ message }) => options.say(message));
    this.#agent.on('disconnected', ({ message }) => options.say(message));
    this.#agent.on('status', ({ status, reason }) =>
      options.say(`the operator wants ${options.id} ${status}${reason === undefined ? '' : ` (${reason})`}`),
    );
    this.#agent.on('scale', ({ count }) => options.onScale?.(count));
    this.#agent.on('error', ({ code, message }) => {
      this.#isSuperseded = code === 'superseded';
      this.#reports?.stop();
      options.say(`${options.id} is out of the cluster: ${message}; the program goes on`);
    });
    this.#reports?.start();
    this.#agent.start();
  }

  /** Somebody else speaks for the node now: usually an agent inside the program itself. */
  get isSuperseded(): boolean {
    return this.#isSuperseded;
  }

  /** Out of the cluster for good. */
  get isEnded(): boolean {
    return this.#agent.isEnded;
  }

  /** Calls `listener` each time the program refuses a connection instead of a heartbeat. */
  onRefused(listener: () => void): void {
    this.#onRefused = listener;
  }

  drain(reason: string, sessionsMs: number): Promise<DrainOutcome> {
    return this.#agent.drain({ reason, sessionsMs });
  }

  leave(): Promise<void> {
    this.#reports?.stop();
    return this.#agent.leave();
  }

  /** A program that listens on IPv6 loopback only cannot be reached at the 127.0.0.1 our connection came from. */
  #announced(localAddress: string): string {
    if (this.#options.announcedAddress !== undefined) return this.#options.announcedAddress;
    return this.#address === '::1' && localAddress === '127.0.0.1' ? '::1' : localAddress;
  }

  /** One that has stopped answering is asked again when its heartbeat is due, and not with each sample. */
  #reportSoon(): void {
    if (this.#lastAnswer === 'answered') this.#agent.reportSoon();
  }

  async #isAnswering(): Promise<boolean> {
    const { readyPath, addresses, port } = this.#options;
    if (readyPath === undefined && (await acceptanceOf(port, this.#address)) === 'accepted') {
      this.#tell('answered', { type: 'answered', address: this.#address, status: 0 });
      return true;
    }
    const answer = await probe({
      port,
      addresses: [this.#address, ...addresses.filter((address) => address !== this.#address)],
      method: readyPath === undefined ? 'OPTIONS' : 'GET',
      path: readyPath ?? '*',
      timeoutMs: QUESTION_TIMEOUT_MS,
    });
    if (answer.type === 'answered') this.#address = answer.address;
    const isFailing = answer.type === 'answered' && readyPath !== undefined && !isReady(answer);
    this.#tell(isFailing ? 'failing' : answer.type, answer);
    if (answer.type === 'refused') this.#onRefused();
    return answer.type === 'answered' && !isFailing;
  }

  #tell(now: ProbeAnswer['type'] | 'failing', answer: ProbeAnswer): void {
    if (now === this.#lastAnswer) return;
    this.#lastAnswer = now;
    const { say, id, port, readyPath } = this.#options;
    if (now === 'answered') say(`${id} answers again`);
    if (now === 'refused') say(`${id} refuses connections on port ${port}; no heartbeats until it accepts them`);
    if (now === 'silent') say(`${id} does not answer on port ${port}; no heartbeats until it does`);
    if (now === 'failing' && answer.type === 'answered') {
      say(`${id} answers ${answer.status || 'no HTTP'} at ${readyPath}; no heartbeats until it is below 500`);
    }
  }
}

/** Ready means: HTTP, and below 500. */
export function isReady(answer: ProbeAnswer): boolean {
  return answer.type === 'answered' && answer.status > 0 && answer.status < 500;
}
