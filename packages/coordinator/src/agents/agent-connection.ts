/**
 * One agent connection: frames in, commands to the registry, answers out. Any invalid input on a WebSocket is handled here and
 * affects only this connection.
 */
import { randomBytes } from 'node:crypto';
import type { ConnectionId, QuotaStanding, Rejection } from '@rollcall/core';
import type { NodeReach } from '@rollcall/feed';
import type {
  AgentMessage,
  CoordinatorMessage,
  ErrorCode,
  ErrorCodeEntry,
  Fault,
  NodeId,
  RegisterMessage,
} from '@rollcall/protocol';
import { CLOSE_NORMAL, decodeAgentMessage, ERROR_CODES, encode } from '@rollcall/protocol';
import type { RawData, WebSocket } from 'ws';
import type { Identity } from '../auth/gate.ts';
import type { RegistrationRights } from '../auth/registration-rights.ts';
import type { Cluster, Origin } from '../cluster.ts';
import type { IpAddress } from '../network/addresses.ts';
import { TokenBucket } from '../network/token-bucket.ts';
import type { AnnouncedCoordinators } from './announced-coordinators.ts';
import type { NodeAddressPolicy, PinnedAddress } from './node-address-policy.ts';
import type { RegistrationPace } from './registration-pace.ts';

/** Dependencies of an agent connection. */
export interface AgentDependencies {
  readonly cluster: Cluster;
  readonly policy: NodeAddressPolicy;
  readonly registrations: RegistrationPace;
  readonly pace: { readonly heartbeatMs: number; readonly suspectMs: number; readonly leaseMs: number };
  readonly epoch: string;
  /** Random id of this coordinator. */
  readonly coordinatorId: string;
  /** The address of this coordinator that is announced to agents. */
  readonly coordinatorUrl: string | undefined;
  readonly announced: Pick<AnnouncedCoordinators, 'urls'>;
  /** Limits of the token on registrations of this connection. */
  rights(connection: AgentConnection, node: RegisterMessage['node']): RegistrationRights | Fault;
  onRegistered(connection: AgentConnection, id: NodeId, address: PinnedAddress, needsProbe: boolean): void;
  onRefused(what: string, fault: Fault, connection: AgentConnection): void;
  onClosed(connection: AgentConnection): void;
}

/** Identity of the peer. */
export interface AgentPeer {
  /** Name of the token, which owns the ids. */
  readonly owner: string;
  /** Owner of the quotas. */
  readonly standing: QuotaStanding;
  readonly address: IpAddress | undefined;
  readonly identity: Identity;
}

const REGISTER_WITHIN_MS = 5_000;
/** Messages per second of one connection, or four times the announced rate of heartbeats if that is more. */
const MIN_MESSAGES_PER_SECOND = 10;
/** Excess messages after which the connection is closed. The count is reset when the bucket is full. */
const MAX_EXCESS = 200;
const BAD_MESSAGES = 3;
const BAD_WINDOW_MS = 60_000;
/** Upper bound of messages queued while a registration waits for its turn or for the resolution of a name. */
const MAX_WAITING = 16;
/** Upper bound of unsent bytes; beyond it the connection is destroyed. */
const MAX_BUFFERED_BYTES = 262_144;
/** Time limit for the answer to a close, milliseconds; then the connection is destroyed. */
const CLOSE_WITHIN_MS = 1_000;
const CLOSE_POLICY = 1008;

export class AgentConnection {
  readonly connection: ConnectionId;
  readonly peer: AgentPeer;
  readonly #socket: WebSocket;
  readonly #dependencies: AgentDependencies;
  readonly #perSecond: number;
  readonly #rate: TokenBucket;
  readonly #registerTimer: NodeJS.Timeout;
  readonly #badAtMs: number[] = [];
  readonly #waiting: string[] = [];
  #closeTimer: NodeJS.Timeout | undefined;
  #excess = 0;
  #turnTimer: NodeJS.Timeout | undefined;
  /** Stalls of this process that are already in the rate. */
  #stalledMs: number;
  #tooFastAtMs = Number.NEGATIVE_INFINITY;
  #isResolving = false;
  #isEnding = false;
  /** True: the end of this socket is not reported to the registry. */
  #isDisconnectTold = false;
  #id: NodeId | undefined;
  #claimed: NodeId | undefined;
  #instance: string | undefined;

  constructor(socket: WebSocket, connection: ConnectionId, peer: AgentPeer, dependencies: AgentDependencies) {
    this.connection = connection;
    this.peer = peer;
    this.#socket = socket;
    this.#dependencies = dependencies;
    this.#perSecond = Math.max(MIN_MESSAGES_PER_SECOND, Math.ceil(4_000 / dependencies.pace.heartbeatMs));
    const rate = { burst: 2 * this.#perSecond, perSecond: this.#perSecond };
    this.#rate = new TokenBucket(rate, dependencies.cluster.clocks.nowMs());
    this.#stalledMs = dependencies.cluster.stalls.totalMs(dependencies.cluster.clocks.nowMs());
    this.#registerTimer = setTimeout(() => {
      this.#fail({ code: 'register-timeout', message: `no registration within ${REGISTER_WITHIN_MS} ms` });
    }, REGISTER_WITHIN_MS);
    socket.on('message', (data, isBinary) => this.#onFrame(data, isBinary));
    // ws answers pings itself; they count as messages.
    for (const type of ['ping', 'pong'] as const) socket.on(type, () => this.#isWithinRate());
    // ws closes the connection itself with 1002, 1007 or 1009 and a reason.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  /** Id of the node that the connection has registered. */
  get id(): NodeId | undefined {
    return this.#id;
  }

  /** Id of the registered node, or else of the last requested registration. */
  get claimed(): NodeId | undefined {
    return this.#id ?? this.#claimed;
  }

  send(message: CoordinatorMessage): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#socket.terminate();
      return;
    }
    this.#socket.send(encode(message));
  }

  /** Sends the fault to the agent, and closes with its close code. */
  refuse(fault: Fault): void {
    this.#dependencies.onRefused('agent', fault, this);
    this.#fail(fault);
  }

  /** Destroys a connection that is assumed dead, because a close would wait for an answer. */
  terminate(): void {
    this.#isEnding = true;
    this.#socket.terminate();
  }

  /** Closes at shutdown of the coordinator. The node keeps its liveness, because the coordinator causes its silence. */
  goAway(): void {
    this.#isDisconnectTold = true;
    this.#close(ERROR_CODES['shutting-down'].close, 'the coordinator is shutting down');
  }

  #onFrame(data: RawData, isBinary: boolean): void {
    if (this.#isEnding) return;
    if (isBinary) {
      this.#fail({ code: 'binary-frame', message: 'only text frames are understood' });
      return;
    }
    if (!this.#isWithinRate()) return;
    const text = data.toString();
    // While a node waits to register again, its heartbeats count: it is alive.
    const isBeat = this.#isResolving && this.#id !== undefined && decodeAgentMessage(text).type === 'heartbeat';
    if (!this.#isResolving || isBeat) this.#take(text);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(text);
    else this.#error({ code: 'too-fast', message: 'wait for registered; the message was dropped' });
  }

  /**
   * Counts messages against the rate. A sender that stays above the rate never lets the bucket fill, so even a small excess adds
   * up to the bound. A sender that was only delayed pauses afterwards, and the bucket fills.
   */
  #isWithinRate(): boolean {
    if (this.#isEnding) return false;
    const { clocks, stalls } = this.#dependencies.cluster;
    const nowMs = clocks.nowMs();
    const stalledMs = stalls.totalMs(nowMs);
    if (stalledMs > this.#stalledMs) this.#rate.catchUp(stalledMs - this.#stalledMs, nowMs);
    this.#stalledMs = stalledMs;
    if (this.#rate.available(nowMs) >= 2 * this.#perSecond) this.#excess = 0;
    if (this.#rate.take(nowMs)) return true;
    this.#excess += 1;
    if (nowMs - this.#tooFastAtMs >= 1_000) {
      this.#tooFastAtMs = nowMs;
      const message = `more than ${this.#perSecond} messages a second; the excess was dropped`;
      this.#dependencies.onRefused('message', { code: 'too-fast', message }, this);
      this.#error({ code: 'too-fast', message });
    }
    if (this.#excess > MAX_EXCESS) this.#close(CLOSE_POLICY, 'too fast');
    return false;
  }

  #take(text: string): void {
    const message = decodeAgentMessage(text);
    if (message.type === 'malformed') this.#bad(message);
    else if (message.type === 'register') this.#register(message);
    else if (this.#id === undefined) this.#bad({ code: 'not-registered', message: 'register first' });
    else this.#command(message, this.#id);
  }

  #command(message: Exclude<AgentMessage, RegisterMessage>, id: NodeId): void {
    const { cluster } = this.#dependencies;
    const { connection } = this;
    switch (message.type) {
      case 'heartbeat':
        this.#answer(cluster.apply({ ...message, id, connection }));
        break;
      case 'status':
        this.#answer(cluster.apply({ ...message, type: 'node-status', id, connection }));
        break;
      case 'leave':
        this.#answer(cluster.apply({ type: 'leave', id, connection }));
        this.#isDisconnectTold = true;
        this.#close(CLOSE_NORMAL, 'left');
        break;
      default:
        message satisfies never;
    }
  }

  #answer(outcome: readonly unknown[] | Rejection): void {
    if ('type' in outcome) this.#bad(outcome);
  }

  #register({ node }: RegisterMessage): void {
    if (this.#id !== undefined && this.#id !== node.id) {
      this.#bad({ code: 'already-registered', message: `this connection has registered node ${this.#id}` });
      return;
    }
    this.#claimed = node.id;
    this.#isResolving = true;
    clearTimeout(this.#registerTimer);
    this.#inTurn(node);
  }

  /** A node that registers too often waits; none of its messages is lost. */
  #inTurn(node: RegisterMessage['node']): void {
    const delayMs = this.#dependencies.registrations.delayMs(this.peer.owner, node.id);
    if (delayMs > 0) this.#turnTimer = setTimeout(() => this.#inTurn(node), delayMs);
    else this.#resolve(node);
  }

  #resolve(node: RegisterMessage['node']): void {
    const { policy } = this.#dependencies;
    const reach = policy.reachOf({ peer: this.peer.address, mayNameAnywhere: false });
    void policy.check(node.url, reach).then((address) => {
      this.#isResolving = false;
      if (this.#isEnding || this.#socket.readyState !== this.#socket.OPEN) return;
      if ('code' in address) this.#refuseRegistration(address);
      else this.#enter(node, address, reach);
      while (!this.#isResolving && !this.#isEnding && this.#waiting.length > 0) this.#take(this.#waiting.shift()!);
    });
  }

  #enter(node: RegisterMessage['node'], address: PinnedAddress, reach: NodeReach): void {
    const { cluster } = this.#dependencies;
    const rights = this.#dependencies.rights(this, node);
    if ('code' in rights) {
      this.#refuseRegistration(rights);
      return;
    }
    this.#instance ??= node.instance ?? randomBytes(16).toString('hex');
    const outcome = cluster.apply(
      {
        type: 'register',
        node: {
          ...node,
          instance: node.instance ?? this.#instance,
          // An agent can prove only an instance that it knows.
          ...(node.instance === undefined && node.proves && { proves: false }),
        },
        nowUnixMs: cluster.clocks.nowUnixMs(),
        connection: this.connection,
        owner: this.peer.owner,
        reach,
        standing: this.peer.standing,
        kind: 'agent',
        mayShadow: rights.mayShadow,
      },
      this.#origin,
    );
    if ('type' in outcome) {
      this.#refuseRegistration(outcome);
      return;
    }
    this.#id = node.id;
    const registered = outcome.find((event) => event.type === 'registered');
    const accepted = cluster.registry.registration(node.id);
    if (!registered || !accepted) return;
    const { pace, epoch, coordinatorId, coordinatorUrl, announced } = this.#dependencies;
    const { warnings } = registered;
    const own = { coordinatorId, ...(coordinatorUrl === undefined ? {} : { coordinatorUrl }) };
    this.send({ type: 'registered', node: accepted, ...pace, epoch, ...own, coordinators: announced.urls, warnings });
    // The requested status of an operator survives reconnects.
    if (cluster.registry.node(node.id)?.operatorStatus.status !== 'enabled') this.sendOperatorStatus(node.id);
    this.#dependencies.onRegistered(this, node.id, address, registered.needsProbe);
  }

  #refuseRegistration(fault: Fault): void {
    if (closeCodeOf(fault.code) === undefined) {
      this.#bad(fault);
      return;
    }
    this.#dependencies.onRefused('register', fault, this);
    this.#fail(fault);
  }

  /** Sends the operator's requested status. `request`: the last one, without the parts that it left as they are. */
  sendOperatorStatus(
    id: NodeId,
    request: { readonly reason?: string; readonly deadlineMs?: number | null } = {},
  ): void {
    const requestedStatus = this.#dependencies.cluster.registry.node(id)?.operatorStatus;
    if (!requestedStatus) return;
    const { status, deadlineAtMs } = requestedStatus;
    const reason = request.reason ?? requestedStatus.reason;
    const nowMs = this.#dependencies.cluster.clocks.nowMs();
    this.send({
      type: 'status',
      status,
      ...(reason !== undefined && { reason }),
      ...(deadlineAtMs !== undefined && { deadlineMs: request.deadlineMs ?? Math.max(0, deadlineAtMs - nowMs) }),
    });
  }

  /** Reports a dropped message to the agent. The third within a minute closes the connection. */
  #bad(fault: Fault): void {
    this.#dependencies.onRefused('message', fault, this);
    this.#error(fault);
    const nowMs = this.#dependencies.cluster.clocks.nowMs();
    while (this.#badAtMs.length > 0 && nowMs - this.#badAtMs[0]! >= BAD_WINDOW_MS) this.#badAtMs.shift();
    this.#badAtMs.push(nowMs);
    if (this.#badAtMs.length >= BAD_MESSAGES)
      this.#fail({
        code: 'too-many-errors',
        message: `${BAD_MESSAGES} bad messages within ${BAD_WINDOW_MS / 1_000} s`,
      });
  }

  #error({ code, message, holderConnected }: Fault): void {
    this.send({
      type: 'error',
      code,
      message: message.slice(0, 1_000),
      ...(holderConnected !== undefined && { holderConnected }),
    });
  }

  #fail(fault: Fault): void {
    this.#error(fault);
    this.#close(closeCodeOf(fault.code) ?? ERROR_CODES['too-many-errors'].close, fault.code);
  }

  #close(code: number, reason: string): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#socket.close(code, reason);
    this.#closeTimer = setTimeout(() => this.#socket.terminate(), CLOSE_WITHIN_MS);
  }

  #onClose(): void {
    this.#isEnding = true;
    clearTimeout(this.#registerTimer);
    clearTimeout(this.#turnTimer);
    clearTimeout(this.#closeTimer);
    if (this.#id !== undefined && !this.#isDisconnectTold)
      this.#dependencies.cluster.apply({ type: 'disconnect', id: this.#id, connection: this.connection }, this.#origin);
    this.#dependencies.onClosed(this);
  }

  get #origin(): Origin {
    const { address } = this.peer;
    return address === undefined ? {} : { address: address.toString() };
  }
}

function closeCodeOf(code: ErrorCode): number | undefined {
  const entry: ErrorCodeEntry = ERROR_CODES[code];
  return entry.close;
}
