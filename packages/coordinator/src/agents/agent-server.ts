/** The agents' side of the control port: admits agents, keeps their connections, and forwards messages of the registry to them. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ConnectionId, Event } from '@rollcall/core';
import type { CoordinatorResource, Fault, NodeId } from '@rollcall/protocol';
import {
  AGENT_SUBPROTOCOL,
  COORDINATOR_ID_HEADER,
  chooseSubprotocol,
  MAX_FRAME_BYTES,
  quotaText,
} from '@rollcall/protocol';
import { WebSocketServer } from 'ws';
import { type Gate, ownerOf, peerOf, standingOf } from '../auth/gate.ts';
import type { OpenConnections } from '../auth/open-connections.ts';
import { registrationRights } from '../auth/registration-rights.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { Cluster } from '../cluster.ts';
import { budgetSentence } from '../events/event-sentence.ts';
import type { History } from '../events/history.ts';
import { limitKey } from '../network/addresses.ts';
import { refuseUpgrade } from '../network/refuse-upgrade.ts';
import { KeyedBuckets } from '../network/token-bucket.ts';
import { Admission } from './admission.ts';
import { AgentConnection, type AgentDependencies, type AgentPeer } from './agent-connection.ts';
import type { AnnouncedCoordinators } from './announced-coordinators.ts';
import { listeningQuestion } from './listening-question.ts';
import type { NodeAddressPolicy, PinnedAddress } from './node-address-policy.ts';
import type { Prober } from './prober.ts';
import type { RegistrationPace } from './registration-pace.ts';

export interface AgentServerOptions {
  readonly cluster: Cluster;
  readonly gate: Gate;
  readonly tokens: Tokens;
  readonly open: OpenConnections;
  readonly policy: NodeAddressPolicy;
  readonly prober: Prober;
  readonly history: History;
  readonly epoch: string;
  /** Random id of this coordinator. */
  readonly coordinatorId: string;
  readonly pace: AgentDependencies['pace'];
  /** The address of this coordinator that is announced to agents. */
  readonly coordinatorUrl: string | undefined;
  readonly announced: AnnouncedCoordinators;
  /** Upper bound of open connections, registered or not. */
  readonly maxConnections: number;
  readonly registrations: RegistrationPace;
  /** Upper bound of open connections without a token from one address. */
  readonly maxTokenlessConnections: number;
}

/**
 * Rate of upgrades from one address. All nodes of a coordinator may be behind one address and reconnect at once. `Admission`
 * bounds their rate then.
 */
const UPGRADES = { burst: 10_000, perSecond: 500 };
const SHUTTING_DOWN: Fault = { code: 'shutting-down', message: 'the coordinator is shutting down' };
const MAX_ADDRESSES = 10_000;
const MAX_FRAGMENTS = 64;

export class AgentServer {
  readonly #options: AgentServerOptions;
  readonly #server: WebSocketServer;
  readonly #upgrades = new KeyedBuckets(UPGRADES, MAX_ADDRESSES);
  readonly #connections = new Map<ConnectionId, AgentConnection>();
  /** Connections without a token, by address. */
  readonly #tokenless = new Map<string, number>();
  readonly #byNode = new Map<NodeId, AgentConnection>();
  readonly #dependencies: AgentDependencies;
  readonly #admission: Admission;
  /** Sockets that wait for admission to their upgrade. */
  readonly #waiting = new Set<Duplex>();
  #isClosing = false;
  #onAllClosed: (() => void) | undefined;

  constructor(options: AgentServerOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: MAX_FRAME_BYTES,
      maxFragments: MAX_FRAGMENTS,
      perMessageDeflate: false,
      handleProtocols: (offered) => chooseSubprotocol(offered) ?? false,
    });
    const { cluster, tokens, policy, registrations, pace, epoch, coordinatorId, coordinatorUrl, announced } = options;
    this.#server.on('headers', (headers) => headers.push(`${COORDINATOR_ID_HEADER}: ${coordinatorId}`));
    this.#dependencies = {
      cluster,
      policy,
      registrations,
      pace,
      epoch,
      coordinatorId,
      coordinatorUrl,
      announced,
      rights: ({ peer }, node) => registrationRights({ tokens, registry: cluster.registry }, peer.identity, node),
      onRegistered: (connection, id, address, needsProbe) => this.#onRegistered(connection, id, address, needsProbe),
      onRefused: (what, fault, connection) => this.#onRefused(what, fault, connection),
      onClosed: (connection) => this.#onClosed(connection),
    };
    cluster.onEvent((event) => this.#pass(event));
    this.#admission = new Admission({
      clocks: cluster.clocks,
      onHeld: (heldMs) => cluster.apply({ type: 'agents-held', heldMs }),
    });
  }

  /** Open agent connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** Number of agents that wait for admission. */
  get waiting(): number {
    return this.#admission.size;
  }

  /** Answers an upgrade request for the agents' path. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const admitted = this.#admit(request);
    if ('code' in admitted) {
      const address = peerOf(request)?.toString();
      this.#options.history.refused('agent upgrade', admitted, address === undefined ? {} : { address });
      refuseUpgrade(socket, admitted);
      return;
    }
    this.#waiting.add(socket);
    let stopWatching = (): void => {};
    this.#admission.enter({
      isGone: () => socket.destroyed && (this.#waiting.delete(socket) || true),
      admit: () => {
        this.#waiting.delete(socket);
        stopWatching();
        this.#accept(request, socket, head, admitted);
      },
      defer: (retryMs) => {
        this.#waiting.delete(socket);
        stopWatching();
        const message = `${this.#admission.size} agents wait to be admitted; come back in ${Math.ceil(retryMs / 1_000)} s`;
        refuseUpgrade(socket, { code: 'rate-limited', message }, retryMs);
      },
    });
    if (this.#waiting.has(socket)) stopWatching = watchEnd(socket);
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer, peer: AgentPeer): void {
    const { identity } = peer;
    // While the agent waited, its token may have become invalid, or connections without a token may have reached their bound.
    const fault = this.#options.gate.recheck(identity, peer.address) ?? this.#tooManyTokenless(peer);
    if (fault) {
      refuseUpgrade(socket, fault);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (client) => {
      const { cluster, open } = this.#options;
      const connection = new AgentConnection(client, cluster.nextConnection(), peer, this.#dependencies);
      const release = open.add({
        identity,
        address: peer.address,
        node: () => connection.id && cluster.registry.registration(connection.id),
        end: (fault, isFinal) => {
          const { id } = connection;
          if (isFinal && id !== undefined)
            cluster.apply(
              { type: 'leave', id, connection: connection.connection, isExpelled: true },
              { reason: fault.message },
            );
          connection.refuse(fault);
        },
      });
      client.once('close', release);
      this.#connections.set(connection.connection, connection);
      this.#countTokenless(peer, 1);
      if (this.#isClosing) connection.goAway();
    });
  }

  /** Takes all coordinators of the cluster that are known now, and sends a changed list to the registered agents. */
  announce(coordinators: readonly CoordinatorResource[]): void {
    const { announced, cluster } = this.#options;
    if (!announced.take(coordinators, cluster.clocks.nowMs())) return;
    for (const connection of this.#byNode.values())
      connection.send({ type: 'coordinators', coordinators: announced.urls });
  }

  /** Asks every agent to reconnect later, and resolves when all connections are closed. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#admission.close();
    for (const socket of this.#waiting) refuseUpgrade(socket, SHUTTING_DOWN);
    this.#waiting.clear();
    if (this.#connections.size === 0) return;
    const allClosed = new Promise<void>((resolve) => {
      this.#onAllClosed = resolve;
    });
    for (const connection of this.#connections.values()) connection.goAway();
    await allClosed;
  }

  #admit(request: IncomingMessage): AgentPeer | Fault {
    if (this.#isClosing) return SHUTTING_DOWN;
    const { cluster, gate, maxConnections } = this.#options;
    if (!this.#upgrades.take(limitKey(peerOf(request)), cluster.clocks.nowMs()))
      return { code: 'rate-limited', message: 'too many connections from this address in a second; come back later' };
    if (this.#connections.size + this.#waiting.size >= maxConnections)
      return {
        code: 'rate-limited',
        message: `the coordinator holds ${maxConnections} agent connections, the maximum; come back later`,
      };
    const identity = gate.admitUpgrade(request, 'join');
    if ('code' in identity) return identity;
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (chooseSubprotocol(offered) === undefined)
      return { code: 'unsupported-version', message: `ask for the WebSocket subprotocol ${AGENT_SUBPROTOCOL}` };
    const peer = { owner: ownerOf(identity), standing: standingOf(identity), address: peerOf(request), identity };
    return this.#tooManyTokenless(peer) ?? peer;
  }

  #tooManyTokenless({ standing, address }: AgentPeer): Fault | undefined {
    const { maxTokenlessConnections: most } = this.#options;
    const used = this.#tokenless.get(limitKey(address)) ?? 0;
    if (standing !== 'tokenless' || used < most) return undefined;
    const use = { holder: 'this address has', used, limit: most, what: 'agent connections without a token' };
    const message = `${quotaText({ ...use, quota: 'tokenless-connections' })}. Agents with a token do not count (ROLLCALL_JOIN_TOKEN)`;
    return { code: 'rate-limited', message };
  }

  #countTokenless({ standing, address }: AgentPeer, by: 1 | -1): void {
    if (standing !== 'tokenless') return;
    const key = limitKey(address);
    const count = (this.#tokenless.get(key) ?? 0) + by;
    if (count === 0) this.#tokenless.delete(key);
    else this.#tokenless.set(key, count);
  }

  /** The address with the most connections without a token, and their number. */
  mostTokenless(): readonly [address: string | undefined, connections: number] {
    let most: readonly [string | undefined, number] = [undefined, 0];
    for (const [address, count] of this.#tokenless) if (count > most[1]) most = [address, count];
    return most;
  }

  #onRegistered(connection: AgentConnection, id: NodeId, address: PinnedAddress, needsProbe: boolean): void {
    this.#byNode.set(id, connection);
    if (needsProbe) this.#options.prober.watch(id, connection.connection, address);
  }

  #onRefused(what: string, fault: Fault, { peer, claimed }: AgentConnection): void {
    this.#options.history.refused(what, fault, {
      by: peer.owner,
      ...(peer.address !== undefined && { address: peer.address.toString() }),
      ...(claimed !== undefined && { node: claimed }),
    });
  }

  #onClosed(connection: AgentConnection): void {
    if (this.#connections.delete(connection.connection)) this.#countTokenless(connection.peer, -1);
    if (connection.id !== undefined && this.#byNode.get(connection.id) === connection)
      this.#byNode.delete(connection.id);
    if (this.#connections.size === 0) this.#onAllClosed?.();
  }

  #pass(event: Event): void {
    switch (event.type) {
      case 'connection-refused':
        this.#connections.get(event.connection)?.refuse(event);
        break;
      case 'status': {
        // The protocol has no operator's status of single contexts; agents do not need it.
        if (event.side !== 'operator' || event.contexts !== undefined) return;
        this.#byNode.get(event.id)?.sendOperatorStatus(event.id, event);
        break;
      }
      case 'scale':
        this.#byNode.get(event.id)?.send({ type: 'scale', count: event.count });
        break;
      case 'budget':
        this.#byNode.get(event.id)?.send({ type: 'budget', holdMs: event.holdMs, message: budgetSentence(event) });
        break;
      case 'drained':
        // Of a node that is gone, its drain has ended with it.
        if (event.side === 'node' && event.cause !== 'killed') this.#byNode.get(event.id)?.send({ type: 'drained' });
        break;
      case 'unreachable': {
        const url = this.#options.cluster.registry.node(event.id)?.registration.url;
        const message = `the coordinator cannot connect to ${event.detail}; it keeps trying. ${listeningQuestion([url])}`;
        this.#byNode.get(event.id)?.send({ type: 'error', code: 'unreachable', message });
        break;
      }
      case 'gone':
        // Its agent may be alive behind a frozen process or link; it then registers again on a new connection.
        if (event.isConnected) this.#byNode.get(event.id)?.terminate();
        break;
      default:
    }
  }
}

/**
 * Destroys the socket of an agent that gives up while it waits, because no other code reads it then. Early data stays in the
 * buffer of the socket. Returns a function that ends this.
 */
function watchEnd(socket: Duplex): () => void {
  const destroy = (): void => {
    socket.destroy();
  };
  // Reading zero bytes makes the end of the stream visible.
  const look = (): void => {
    if (socket.readableLength === 0) socket.read();
  };
  socket.on('error', destroy);
  socket.on('end', destroy);
  socket.on('readable', look);
  return () => {
    socket.removeListener('error', destroy);
    socket.removeListener('end', destroy);
    socket.removeListener('readable', look);
  };
}
