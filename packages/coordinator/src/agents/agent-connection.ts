/**
 * One agent: frames in, commands out, and back. Everything a stranger can do wrong on a WebSocket ends here and concerns
 * this connection only.
 */
import { randomBytes } from 'node:crypto';
import type { ConnectionId, QuotaStanding, Rejection } from '@rollcall/core';
import type {
  AgentMessage,
  CoordinatorMessage,
  ErrorCode,
  ErrorCodeEntry,
  Fault,
  NodeId,
  NodeReach,
  RegisterMessage,
} from '@rollcall/protocol';
import { CLOSE_NORMAL, decodeAgentMessage, ERROR_CODES, encode } from '@rollcall/protocol';
import type { RawData, WebSocket } from 'ws';
import type { Identity } from '../auth/gate.ts';
import type { RegistrationRights } from '../auth/registration-rights.ts';
import type { Cluster, Origin } from '../cluster.ts';
import type { IpAddress } from '../network/addresses.ts';
import { TokenBucket } from '../network/token-bucket.ts';
import type { NodeAddressPolicy, PinnedAddress } from './node-address-policy.ts';
import type { RegistrationPace } from './registration-pace.ts';

/** What an agent connection needs of its surroundings. */
export interface AgentSurroundings {
  readonly cluster: Cluster;
  readonly policy: NodeAddressPolicy;
  readonly registrations: RegistrationPace;
  readonly pace: { readonly heartbeatMs: number; readonly suspectMs: number; readonly leaseMs: number };
  readonly epoch: string;
  /** Addresses of coordinators that agents may also go to. */
  readonly coordinators: readonly string[];
  /** What the token of the connection lets it register. */
  rights(connection: AgentConnection, node: RegisterMessage['node']): RegistrationRights | Fault;
  onRegistered(connection: AgentConnection, id: NodeId, address: PinnedAddress, needsProbe: boolean): void;
  onRefused(what: string, fault: Fault, connection: AgentConnection): void;
  onClosed(connection: AgentConnection): void;
}

/** Who is at the other end. */
export interface AgentPeer {
  /** Name of the token, which owns the ids. */
  readonly owner: string;
  /** Whose quotas count. */
  readonly standing: QuotaStanding;
  readonly address: IpAddress | undefined;
  readonly identity: Identity;
}

const REGISTER_WITHIN_MS = 5_000;
/** Messages a second of one connection, unless four times the announced rate of heartbeats is more. */
const MIN_MESSAGES_PER_SECOND = 10;
/** Excess messages after which the connection is closed. They are forgotten once the bucket is full again. */
const MAX_EXCESS = 200;
const BAD_MESSAGES = 3;
const BAD_WINDOW_MS = 60_000;
/** Messages that may wait while a registration waits for its turn, or the name in it is being resolved. */
const MAX_WAITING = 16;
/** An agent that does not read is given up beyond this, bytes. */
const MAX_BUFFERED_BYTES = 262_144;
/** A peer that does not answer a close is cut off after this, milliseconds. */
const CLOSE_WITHIN_MS = 1_000;
const CLOSE_POLICY = 1008;

export class AgentConnection {
  readonly connection: ConnectionId;
  readonly peer: AgentPeer;
  readonly #socket: WebSocket;
  readonly #around: AgentSurroundings;
  readonly #perSecond: number;
  readonly #rate: TokenBucket;
  readonly #registerTimer: NodeJS.Timeout;
  readonly #badAtMs: number[] = [];
  readonly #waiting: string[] = [];
  #closeTimer: NodeJS.Timeout | undefined;
  #excess = 0;
  #turnTimer: NodeJS.Timeout | undefined;
  /** Stalls of this process that the rate allows for already. */
  #stalledMs: number;
  #tooFastAtMs = Number.NEGATIVE_INFINITY;
  #isResolving = false;
  #isEnding = false;
  /** The registry need not hear of the end of this socket. */
  #isDisconnectTold = false;
  #id: NodeId | undefined;
  #claimed: NodeId | undefined;
  #instance: string | undefined;

  constructor(socket: WebSocket, connection: ConnectionId, peer: AgentPeer, around: AgentSurroundings) {
    this.connection = connection;
    this.peer = peer;
    this.#socket = socket;
    this.#around = around;
    this.#perSecond = Math.max(MIN_MESSAGES_PER_SECOND, Math.ceil(4_000 / around.pace.heartbeatMs));
    const rate = { burst: 2 * this.#perSecond, perSecond: this.#perSecond };
    this.#rate = new TokenBucket(rate, around.cluster.clocks.nowMs());
    this.#stalledMs = around.cluster.stalls.totalMs(around.cluster.clocks.nowMs());
    this.#registerTimer = setTimeout(() => {
      this.#fail({ code: 'register-timeout', message: `no registration within ${REGISTER_WITHIN_MS} ms` });
    }, REGISTER_WITHIN_MS);
    socket.on('message', (data, isBinary) => this.#onFrame(data, isBinary));
    // ws answers pings by itself; they cost as much as messages.
    for (const type of ['ping', 'pong'] as const) socket.on(type, () => this.#isWithinRate());
    // ws closes by itself with 1002, 1007 or 1009 and tells why; there is nothing to add.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  /** The node it has registered. */
  get id(): NodeId | undefined {
    return this.#id;
  }

  /** The node it has registered, or wanted to register last. */
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

  /** Tells the agent why, and closes with the code that belongs to it. */
  refuse(fault: Fault): void {
    this.#around.onRefused('agent', fault, this);
    this.#fail(fault);
  }

  /** Cuts a connection that is believed dead: a close would wait for an answer. */
  terminate(): void {
    this.#isEnding = true;
    this.#socket.terminate();
  }

  /** The coordinator goes away. The node keeps its liveness: its silence from now on is our doing. */
  goAway(): void {
    this.#isDisconnectTold = true;
    this.#close(ERROR_CODES['shutting-down'].close, 'the coordinator goes away');
  }

  #onFrame(data: RawData, isBinary: boolean): void {
    if (this.#isEnding) return;
    if (isBinary) {
      this.#fail({ code: 'binary-frame', message: 'only text frames are understood' });
      return;
    }
    if (!this.#isWithinRate()) return;
    const text = data.toString();
    // Heartbeats of a node that registers again count while it waits: it is alive.
    const isBeat = this.#isResolving && this.#id !== undefined && decodeAgentMessage(text).type === 'heartbeat';
    if (!this.#isResolving || isBeat) this.#take(text);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(text);
    else this.#error({ code: 'too-fast', message: 'wait for registered; the message was dropped' });
  }

  /**
   * A sender that stays above the rate never lets the bucket fill, so its excess adds up to the bound however little it
   * is; one that was only delayed is silent afterwards, and its excess is forgotten.
   */
  #isWithinRate(): boolean {
    if (this.#isEnding) return false;
    const { clocks, stalls } = this.#around.cluster;
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
      this.#around.onRefused('message', { code: 'too-fast', message }, this);
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
    const { cluster } = this.#around;
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
      this.#bad({ code: 'already-registered', message: `this connection speaks for node ${this.#id}` });
      return;
    }
    this.#claimed = node.id;
    this.#isResolving = true;
    clearTimeout(this.#registerTimer);
    this.#inTurn(node);
  }

  /** A node that registers again and again waits; nothing of what it sends is lost. */
  #inTurn(node: RegisterMessage['node']): void {
    const delayMs = this.#around.registrations.delayMs(this.peer.owner, node.id);
    if (delayMs > 0) this.#turnTimer = setTimeout(() => this.#inTurn(node), delayMs);
    else this.#resolve(node);
  }

  #resolve(node: RegisterMessage['node']): void {
    const { policy } = this.#around;
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
    const { cluster } = this.#around;
    const rights = this.#around.rights(this, node);
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
          // Only an instance that the agent knows can be proved.
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
    const { pace, epoch, coordinators } = this.#around;
    this.send({ type: 'registered', node: accepted, ...pace, epoch, coordinators, warnings: registered.warnings });
    this.#tellOperatorWish(node.id);
    this.#around.onRegistered(this, node.id, address, registered.needsProbe);
  }

  #refuseRegistration(fault: Fault): void {
    if (closeCodeOf(fault.code) === undefined) {
      this.#bad(fault);
      return;
    }
    this.#around.onRefused('register', fault, this);
    this.#fail(fault);
  }

  /** An operator's wish survives reconnects; the node learns of it when it comes. */
  #tellOperatorWish(id: NodeId): void {
    const wish = this.#around.cluster.registry.node(id)?.operatorWish;
    if (!wish || wish.status === 'enabled') return;
    const nowMs = this.#around.cluster.clocks.nowMs();
    this.send({
      type: 'status',
      status: wish.status,
      ...(wish.reason !== undefined && { reason: wish.reason }),
      ...(wish.deadlineAtMs !== undefined && { deadlineMs: Math.max(0, wish.deadlineAtMs - nowMs) }),
    });
  }

  /** A message that was dropped: the agent is told, and the third within a minute ends the connection. */
  #bad(fault: Fault): void {
    this.#around.onRefused('message', fault, this);
    this.#error(fault);
    const nowMs = this.#around.cluster.clocks.nowMs();
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
      this.#around.cluster.apply({ type: 'disconnect', id: this.#id, connection: this.connection }, this.#origin);
    this.#around.onClosed(this);
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
