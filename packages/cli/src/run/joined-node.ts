/**
 * An agent for a program that this command does not start or end. While the program answers, it is a node. If it refuses
 * connections, the node leaves at once, and registers as a new process of the same node when the program answers again.
 */
import { AgentBeside, type BesideOptions } from './agent-beside.ts';
import type { ProbeAnswer } from './probe.ts';
import { readProcess } from './process-table.ts';
import { type Readiness, type ReadinessOptions, waitUntilReady, whatAnswered } from './readiness.ts';

/** With `pid`, the node leaves and `run` ends when that process has ended. */
export interface JoinedNodeOptions extends BesideOptions {
  readonly drainSessionsMs: number;
  /** The program speaks AJP/1.3. Default false. */
  readonly isAjp?: boolean;
}

const LOOK_MS = 250;
/** Length of one wait for the program; each wait with a new result is logged. */
const ROUND_MS = 15_000;
const FIRST_ROUND_MS = 2_000;

export class JoinedNode {
  readonly #options: JoinedNodeOptions;
  readonly #startTicks: number | undefined;
  #agent: AgentBeside | undefined;
  #isOver = false;
  /** Last log line about a program that is not ready. */
  #waitsFor = '';

  constructor(options: JoinedNodeOptions) {
    this.#options = options;
    this.#startTicks = options.pid === undefined ? undefined : readProcess(options.pid)?.startTicks;
  }

  /** Resolves with the exit code: 0 after `stop`, 1 if the process has ended or the node must not register again. */
  async run(): Promise<number> {
    const { pid, id, say } = this.#options;
    if (pid !== undefined && this.#startTicks === undefined) {
      say(`there is no process ${pid}`);
      return 1;
    }
    while (!this.#isOver) {
      const ready = await this.#untilReady();
      if (!ready.isReady) {
        await this.#sayWaiting(ready.last);
        continue;
      }
      this.#waitsFor = '';
      const isFinal = await this.#whileAnswering(ready.address);
      if (isFinal) return 1;
    }
    if (this.#isProcessGone()) {
      say(`process ${pid} has ended; ${id} has left`);
      return 1;
    }
    return 0;
  }

  /** Drains the node and leaves; the program keeps running. */
  async stop(reason: string): Promise<void> {
    await this.#agent?.drain(reason, this.#options.drainSessionsMs);
    this.kill();
  }

  /** Leaves at once. */
  kill(): void {
    this.#isOver = true;
  }

  #untilReady(): Promise<Readiness> {
    return waitUntilReady(this.#readiness, () => this.#isEnding());
  }

  get #readiness(): ReadinessOptions {
    const { port, addresses, readyPath, isTls = false, isAjp = false } = this.#options;
    return {
      port,
      addresses,
      path: readyPath ?? '/',
      isTls,
      isAjp,
      timeoutMs: this.#waitsFor === '' ? FIRST_ROUND_MS : ROUND_MS,
    };
  }

  async #sayWaiting(last: ProbeAnswer): Promise<void> {
    if (this.#isEnding()) return;
    const found = await whatAnswered(this.#readiness, last);
    if (found === this.#waitsFor) return;
    this.#waitsFor = found;
    this.#options.say(`waiting for the program: ${found}`);
  }

  /** Resolves when the agent has left the cluster, with true if it must not register again. */
  async #whileAnswering(address: string): Promise<boolean> {
    const agent = new AgentBeside(this.#options, address);
    this.#agent = agent;
    let isRefused = false;
    agent.onRefused(() => {
      isRefused = true;
    });
    while (!isRefused && !agent.isEnded && !this.#isEnding())
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const isFinal = agent.isEnded;
    await agent.leave();
    return isFinal;
  }

  #isEnding(): boolean {
    this.#isOver ||= this.#isProcessGone();
    return this.#isOver;
  }

  #isProcessGone(): boolean {
    const { pid } = this.#options;
    return pid !== undefined && readProcess(pid)?.startTicks !== this.#startTicks;
  }
}
