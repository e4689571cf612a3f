/** Membership of a `node:cluster` worker in the group of workers that serve its port: it reports to the leader, or leads. */
import type { Fault, NodeRegistration } from '@rollcall/protocol';
import { Agent, type AgentOptions } from '../agent.ts';
import type { Notice } from '../agent-codes.ts';
import type { Timers } from '../timers.ts';
import { LeaderElection } from './leader-election.ts';
import type { NodeSocket } from './node-socket.ts';
import { instanceOf, type NodeSocketName } from './node-socket-name.ts';
import { relay } from './relay.ts';

export interface PortGroupOptions extends Pick<AgentOptions, 'coordinators' | 'areAlternatives' | 'token' | 'tls'> {
  readonly directory: string;
  /** Number of this worker, unique in its group. */
  readonly number: number;
  /** Returns the registration of the node with `count` workers. */
  readonly registration: (
    addresses: Parameters<AgentOptions['registration']>,
    count: number,
  ) => NodeRegistration | Fault;
  readonly timers: Timers;
  /** Receives notices about the connection to the coordinators while this worker leads. */
  readonly onNotice: (notice: Notice) => void;
}

/** Delay of a registration with a changed number of workers, in milliseconds: workers start one after the other. */
const COUNT_AGAIN_MS = 1_000;
/** Interval of `LeaderElection.touch`, in milliseconds. */
const TOUCH_MS = 3_600_000;

export class PortGroup {
  readonly #options: PortGroupOptions;
  readonly #election: LeaderElection;
  #socket: NodeSocket | undefined;
  #agent: Agent | undefined;
  #left: Promise<void> | undefined;
  #nodeLeft: Promise<void> | undefined;
  #cancelCount: () => void = () => {};
  #cancelTouch: () => void = () => {};

  /** Throws if the directory of the group is unusable. */
  constructor(options: PortGroupOptions) {
    this.#options = options;
    const { directory, number, timers } = options;
    this.#election = new LeaderElection({
      directory,
      number,
      timers,
      listener: {
        judge: () => undefined,
        onRegistered: () => this.#countAgain(),
        onEnd: (hasLeft) => {
          this.#countAgain();
          if (hasLeft && this.#socket?.nodes.length === 0) void this.#leaveNode();
          else this.#passRequestedStatus();
        },
        onNews: () => this.#agent?.reportNow(),
        onRequestedStatus: () => this.#passRequestedStatus(),
      },
      onLead: (socket, name) => this.#lead(socket, name),
    });
  }

  get name(): NodeSocketName {
    return this.#election.name;
  }

  /** Resolves when the group has a leader. Awaited before each connection to the socket of the leader. */
  async hasLeader(): Promise<boolean> {
    if (this.#left === undefined) await this.#election.elect();
    return true;
  }

  /**
   * Removes this worker from the group. If it was the leader, another worker becomes the leader. If it was the last, the node
   * leaves. A repeated call waits for the first. Never rejects.
   */
  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    if (this.#socket?.nodes.length === 0) await this.#leaveNode();
    else await this.#stopLeading();
    this.#election.close();
  }

  #lead(socket: NodeSocket, name: NodeSocketName): void {
    const { coordinators, areAlternatives = false, token, tls, registration, timers, onNotice } = this.#options;
    const agent = new Agent({
      coordinators,
      areAlternatives,
      token,
      ...(tls === undefined ? {} : { tls }),
      registration: (...addresses) => {
        const node = registration(addresses, Math.max(1, socket.nodes.length));
        return 'code' in node ? node : { ...node, instance: instanceOf(name) };
      },
      report: () => socket.report() ?? {},
      timers,
    });
    this.#socket = socket;
    this.#agent = agent;
    relay(agent, socket);
    agent.on('warning', onNotice);
    agent.on('disconnected', onNotice);
    agent.on('error', ({ code, message }) => {
      // Superseded by workers of this port in a new directory: the workers of this group join them.
      if (code === 'superseded' && !this.#election.isCurrent)
        void this.#stopLeading().then(() => this.#election.close());
      else {
        socket.refuse({ code, message, holderConnected: true });
        this.#election.remove();
      }
    });
    this.#touchAgain();
    agent.start();
  }

  async #stopLeading(): Promise<void> {
    this.#cancelCount();
    this.#cancelTouch();
    this.#socket = undefined;
    await this.#agent?.disconnect();
  }

  #leaveNode(): Promise<void> {
    this.#nodeLeft ??= (async () => {
      this.#cancelCount();
      this.#cancelTouch();
      await this.#agent?.leave();
      this.#election.remove();
    })();
    return this.#nodeLeft;
  }

  #passRequestedStatus(): void {
    const { status, reason, deadlineMs } = this.#socket?.requestedStatus ?? {
      status: 'enabled',
      reason: '',
      deadlineMs: 0,
    };
    this.#agent?.requestStatus(status, reason, deadlineMs);
  }

  #countAgain(): void {
    this.#cancelCount();
    this.#cancelCount = this.#options.timers.after(COUNT_AGAIN_MS, () => this.#agent?.renew());
  }

  #touchAgain(): void {
    this.#cancelTouch = this.#options.timers.after(TOUCH_MS, () => {
      this.#election.touch();
      this.#touchAgain();
    });
  }
}
