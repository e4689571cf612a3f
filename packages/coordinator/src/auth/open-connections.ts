/**
 * Keeps the connections of tokens and logins, and ends a connection that is no longer allowed. Causes are a revoked or expired
 * token, a replaced secret, changed bindings and a logout. One timer serves all connections. A check is one comparison unless
 * something has changed, plus one look-up for each connection of a login.
 *
 * Nodes of a revoked or expired token leave the cluster. A node that is only disconnected keeps its names and sessions while its
 * port answers. A replaced secret only closes the connection: the agent reconnects with the new one.
 */
import type { NodeView } from '@rollcall/core';
import type { Fault, NodeId, NodeRegistration } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import type { IpAddress } from '../network/addresses.ts';
import { judgeRegistration } from './bindings.ts';
import type { Gate, Identity } from './gate.ts';
import type { Tokens } from './tokens.ts';

export interface OpenConnection {
  readonly identity: Identity;
  /** Address of the peer. */
  readonly address: IpAddress | undefined;
  /** The node that the connection has registered; absent without a node. */
  node?(): NodeRegistration | undefined;
  /**
   * Closes the connection; `fault` is `unauthenticated` or `forbidden`. `isFinal`: its node has to leave, because the token no
   * longer allows it.
   */
  end(fault: Fault, isFinal: boolean): void;
}

/** Ids of the nodes that a change of a token affects, in order of registration. */
export interface TokenEffect {
  /** Nodes that leave the cluster. */
  readonly leave: readonly NodeId[];
  /** Nodes that stay while their connection is closed. */
  readonly disconnect: readonly NodeId[];
}

/** A connection that its token or login does not allow, with the fault. */
interface Verdict {
  readonly connection: OpenConnection;
  readonly fault: Fault;
  readonly isFinal: boolean;
}

/** Interval of the checks, milliseconds. Changes through the API are in force at once. */
const LOOK_MS = 1_000;

export class OpenConnections {
  readonly #gate: Gate;
  readonly #tokens: Tokens;
  readonly #cluster: Cluster;
  readonly #open = new Set<OpenConnection>();
  /** Connections of logins: each may end at any time. */
  readonly #byLogin = new Set<OpenConnection>();
  readonly #timer: NodeJS.Timeout;
  #seenRevision = -1;
  #nextEndUnixMs = 0;

  constructor({ gate, tokens, cluster }: { readonly gate: Gate; readonly tokens: Tokens; readonly cluster: Cluster }) {
    this.#gate = gate;
    this.#tokens = tokens;
    this.#cluster = cluster;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Adds a connection until the returned function is called. */
  add(connection: OpenConnection): () => void {
    this.#open.add(connection);
    if (connection.identity.login !== undefined) this.#byLogin.add(connection);
    return () => this.#forget(connection);
  }

  /** Ends connections that are no longer allowed. Costs nothing while no token has changed or ended. */
  look(): void {
    const nowUnixMs = this.#cluster.clocks.nowUnixMs();
    const { revision } = this.#tokens;
    const isChanged = revision !== this.#seenRevision || nowUnixMs >= this.#nextEndUnixMs;
    this.#seenRevision = revision;
    if (isChanged) this.#nextEndUnixMs = this.#tokens.nextEndUnixMs(nowUnixMs);
    this.#endConnections(isChanged ? this.#open : this.#byLogin);
    this.#expelNodes();
  }

  /** The effect of `look` on nodes of the token `name` once `tokens` are in force. It uses the same checks. */
  effectOf(tokens: Tokens, name: string): TokenEffect {
    const leave = new Set<NodeId>();
    const disconnect = new Set<NodeId>();
    for (const { connection, isFinal } of this.#verdicts(this.#open, tokens)) {
      const id = connection.identity.token?.name === name ? connection.node?.()?.id : undefined;
      const isPresent = id !== undefined && this.#cluster.registry.node(id)?.liveness !== 'gone';
      if (isPresent) (isFinal ? leave : disconnect).add(id);
    }
    if (tokens.endedNames.has(name)) for (const { id } of this.#nodesOf(new Set([name]))) leave.add(id);
    return { leave: [...leave], disconnect: [...disconnect].filter((id) => !leave.has(id)) };
  }

  #endConnections(connections: ReadonlySet<OpenConnection>): void {
    for (const { connection, fault, isFinal } of this.#verdicts(connections, this.#tokens)) {
      this.#forget(connection);
      connection.end(fault, isFinal);
    }
  }

  #verdicts(connections: ReadonlySet<OpenConnection>, tokens: Tokens): Verdict[] {
    const nodesByToken = new Map<string, number>();
    return [...connections].flatMap((connection) => {
      const fault = this.#faultOf(connection, tokens, nodesByToken);
      if (!fault) return [];
      const { token } = connection.identity;
      return [
        { connection, fault, isFinal: fault.code === 'forbidden' || token === undefined || tokens.isOver(token) },
      ];
    });
  }

  /** Nodes without a connection: registered by PUT, disconnected before, or read from the store. */
  #expelNodes(): void {
    const ended = this.#tokens.takeEndedNames();
    for (const { id, owner, connection } of this.#nodesOf(ended))
      this.#cluster.apply(
        { type: 'leave', id, connection, isExpelled: true },
        { reason: `the token ${owner} has ended` },
      );
  }

  /** Present nodes of tokens. Costs a look-up for each name while they have none. */
  #nodesOf(names: ReadonlySet<string>): readonly NodeView[] {
    const { registry } = this.#cluster;
    if (![...names].some((name) => registry.presentOf(name) > 0)) return [];
    return [...registry.nodes()].filter(({ owner, liveness }) => liveness !== 'gone' && names.has(owner));
  }

  #forget(connection: OpenConnection): void {
    this.#open.delete(connection);
    this.#byLogin.delete(connection);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** If the token has too many nodes, the nodes that registered first stay. */
  #faultOf(connection: OpenConnection, tokens: Tokens, nodesByToken: Map<string, number>): Fault | undefined {
    const { identity, address } = connection;
    const fault = this.#gate.recheck(identity, address, tokens);
    const node = connection.node?.();
    const token = identity.token && tokens.current(identity.token);
    if (fault || !node || !token) return fault;
    const otherNodes = nodesByToken.get(token.id) ?? 0;
    const broken = judgeRegistration(token, { node, otherNodes });
    if (!broken) nodesByToken.set(token.id, otherNodes + 1);
    return broken;
  }
}
