/**
 * An agent beside a program that somebody else starts and ends. While the program answers it is a node; when it
 * refuses connections the node leaves at once, and comes back as a new process of the same node when it answers again.
 */
import { AgentBeside, type BesideOptions } from './agent-beside.ts';
import { readProcess } from './process-table.ts';
import { type Readiness, waitUntilReady } from './readiness.ts';

export interface JoinedNodeOptions extends BesideOptions {
  /** The node leaves, and `run` ends, when this process has ended. */
  readonly pid?: number;
  readonly drainSessionsMs: number;
}

const LOOK_MS = 250;
/** One round of waiting for the program; there is another after it. */
const ROUND_MS = 60_000;

export class JoinedNode {
  readonly #options: JoinedNodeOptions;
  readonly #startTicks: number | undefined;
  #agent: AgentBeside | undefined;
  #isOver = false;

  constructor(options: JoinedNodeOptions) {
    this.#options = options;
    this.#startTicks = options.pid === undefined ? undefined : readProcess(options.pid)?.startTicks;
  }

  /** Resolves with the exit code: 0 after `stop`, 1 when the process has ended or the node may not come back. */
  async run(): Promise<number> {
    const { pid, id, say } = this.#options;
    if (pid !== undefined && this.#startTicks === undefined) {
      say(`there is no process ${pid}`);
      return 1;
    }
    while (!this.#isOver) {
      const ready = await this.#untilReady();
      if (!ready.isReady) continue;
      const isFinal = await this.#whileAnswering(ready.address);
      if (isFinal) return 1;
    }
    if (this.#isProcessGone()) {
      say(`process ${pid} has ended; ${id} has left`);
      return 1;
    }
    return 0;
  }

  /** Drains the node and leaves; the program goes on. */
  async stop(reason: string): Promise<void> {
    await this.#agent?.drain(reason, this.#options.drainSessionsMs);
    this.kill();
  }

  /** Leaves at once. */
  kill(): void {
    this.#isOver = true;
  }

  #untilReady(): Promise<Readiness> {
    const { port, addresses, readyPath } = this.#options;
    const readiness = { port, addresses, path: readyPath ?? '/', timeoutMs: ROUND_MS };
    return waitUntilReady(readiness, () => this.#isEnding());
  }

  /** Ends with the agent out of the cluster; true when it may not come back. */
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
