/**
 * Holds the connections that a token or a login opened, and ends those that it does not allow any more: revoked, expired, secret
 * replaced, bindings changed, logged out. One timer for all of them; a look is one comparison unless something has changed, and
 * one look-up for each connection of a login.
 *
 * Nodes of a token that is over leave the cluster, because a node that is only disconnected keeps its names and sessions for as
 * long as its port answers. A secret that was replaced ends the connection only: the agent returns with the new one.
 */
import type { Fault, NodeRegistration } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import type { IpAddress } from '../network/addresses.ts';
import { judgeRegistration } from './bindings.ts';
import type { Gate, Identity } from './gate.ts';
import type { Tokens } from './tokens.ts';

export interface OpenConnection {
  readonly identity: Identity;
  /** Of the peer. */
  readonly address: IpAddress | undefined;
  /** The node that it has registered; absent: none, or it registers none. */
  node?(): NodeRegistration | undefined;
  /** Closes it; `fault` is `unauthenticated` or `forbidden`. `isFinal`: its node has to leave, the token allows it no longer. */
  end(fault: Fault, isFinal: boolean): void;
}

/** Between two looks, milliseconds. Changes through the API are in force at once. */
const LOOK_MS = 1_000;

export class OpenConnections {
  readonly #gate: Gate;
  readonly #tokens: Tokens;
  readonly #cluster: Cluster;
  readonly #open = new Set<OpenConnection>();
  /** Those of them that a login opened: each may end at any time. */
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

  /** Keeps a connection until the returned function is called. */
  add(connection: OpenConnection): () => void {
    this.#open.add(connection);
    if (connection.identity.login !== undefined) this.#byLogin.add(connection);
    return () => this.#forget(connection);
  }

  /** Ends what is not allowed any more. Costs nothing while no token has changed or ended. */
  look(): void {
    const nowUnixMs = this.#cluster.clocks.nowUnixMs();
    const { revision } = this.#tokens;
    const isChanged = revision !== this.#seenRevision || nowUnixMs >= this.#nextEndUnixMs;
    this.#seenRevision = revision;
    if (isChanged) this.#nextEndUnixMs = this.#tokens.nextEndUnixMs(nowUnixMs);
    this.#endConnections(isChanged ? this.#open : this.#byLogin);
    this.#expelNodes();
  }

  #endConnections(connections: ReadonlySet<OpenConnection>): void {
    const nodesByToken = new Map<string, number>();
    for (const connection of [...connections]) {
      const fault = this.#faultOf(connection, nodesByToken);
      if (!fault) continue;
      this.#forget(connection);
      const { token } = connection.identity;
      connection.end(fault, fault.code === 'forbidden' || token === undefined || this.#tokens.isOver(token));
    }
  }

  /** Nodes without a connection: registered by PUT, disconnected before, or read from the store. */
  #expelNodes(): void {
    const { registry } = this.#cluster;
    const ended = this.#tokens.takeEndedNames();
    if (![...ended].some((name) => registry.presentOf(name) > 0)) return;
    for (const { id, owner, liveness, connection } of [...registry.nodes()])
      if (liveness !== 'gone' && ended.has(owner))
        this.#cluster.apply(
          { type: 'leave', id, connection, isExpelled: true },
          { reason: `the token ${owner} has ended` },
        );
  }

  #forget(connection: OpenConnection): void {
    this.#open.delete(connection);
    this.#byLogin.delete(connection);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Of more nodes than the token may have, those that came first stay. */
  #faultOf(connection: OpenConnection, nodesByToken: Map<string, number>): Fault | undefined {
    const { identity, address } = connection;
    const fault = this.#gate.recheck(identity, address);
    const node = connection.node?.();
    const token = identity.token && this.#tokens.current(identity.token);
    if (fault || !node || !token) return fault;
    const otherNodes = nodesByToken.get(token.id) ?? 0;
    const broken = judgeRegistration(token, { node, otherNodes });
    if (!broken) nodesByToken.set(token.id, otherNodes + 1);
    return broken;
  }
}
