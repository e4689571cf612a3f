/**
 * The listener for nodes of mod_cluster (MCMP): wires the package mcmp to the cluster. It admits peers, checks the addresses that they
 * announce, probes new nodes, and asks the workers for requests in flight.
 *
 * Peers on loopback and within the allowed ranges are admitted without a token, or for the token that a range names. Any other peer needs
 * a client certificate that a token of role `join` names. Nodes are then those of the token, and its bindings apply.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import {
  type Command,
  contextKey,
  type Event,
  type HostedContext,
  hostedContexts,
  type Rejection,
} from '@rollcall/core';
import {
  type Answer,
  Book,
  type Listener,
  listenMcmp,
  type Message,
  type Peer,
  type RegistryPort,
  type Reply,
} from '@rollcall/mcmp';
import type { Fault, NodeId } from '@rollcall/protocol';
import type { NodeAddressPolicy, PinnedAddress } from '../agents/node-address-policy.ts';
import type { Prober } from '../agents/prober.ts';
import { judgeAddress } from '../auth/bindings.ts';
import { tokenOfPeer } from '../auth/certificates.ts';
import { type Identity, ownerOf, standingOf } from '../auth/gate.ts';
import type { OpenConnections } from '../auth/open-connections.ts';
import { registrationRights } from '../auth/registration-rights.ts';
import { isAllowed } from '../auth/roles.ts';
import type { TokenRecord } from '../auth/token-record.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { Cluster } from '../cluster.ts';
import type { History } from '../events/history.ts';
import type { FeedServer } from '../feed/feed-server.ts';
import { type IpAddress, isLoopback, parseIp } from '../network/addresses.ts';
import { connectProbe, PROBE_TIMEOUT_MS } from '../network/connect-probe.ts';
import { type ControlTls, tlsServerOptions } from '../network/control-tls.ts';
import { AllowedPeers } from './allowed-peers.ts';
import type { McmpOptions } from './mcmp-options.ts';
import { requestsInFlight } from './requests-in-flight.ts';

export interface McmpDependencies {
  readonly cluster: Cluster;
  readonly policy: NodeAddressPolicy;
  readonly prober: Prober;
  readonly history: History;
  readonly tokens: Tokens;
  readonly open: OpenConnections;
  readonly feed: Pick<FeedServer, 'askAll'>;
  readonly log: { info(facts: object, text: string): void; error(facts: object, text: string): void };
  readonly tls: ControlTls | undefined;
}

/** Owner of nodes that need no token. No token has this name, because of the dot. */
const OWNER = 'mcmp.listener';
/** Time limit for the lists of the workers, milliseconds. */
const ASK_MS = 1_000;
/** A node sends STOP-APP when its request has ended; the end reaches the client a little later. Milliseconds. */
const SETTLE_MS = 100;
/** Addresses of nodes that are kept for their registration. */
const MAX_ADDRESSES = 2_000;

interface Client {
  readonly identity: Identity | undefined;
  readonly address: IpAddress | undefined;
  readonly peer: Peer;
}

export class McmpServer {
  readonly #dependencies: McmpDependencies;
  readonly #allow: AllowedPeers;
  readonly #book: Book;
  /** As last announced. */
  readonly #addresses = new Map<NodeId, PinnedAddress>();
  /** Of registered nodes. */
  readonly #held = new Map<NodeId, PinnedAddress>();
  #connections = 0;
  /** The node whose port has just refused a connect, while its route registers at another address. */
  #refusing: NodeId | undefined;
  /** The client whose message the book is taking. */
  #client: Client | undefined;
  #listener: Listener | undefined;
  readonly #stop: () => void;

  private constructor(options: McmpOptions, dependencies: McmpDependencies) {
    this.#dependencies = dependencies;
    this.#allow = new AllowedPeers(options.allow ?? []);
    const startedUs = Math.floor(dependencies.cluster.clocks.nowUnixMs() * 1_000);
    this.#book = new Book(this.#port(), {
      id: String(startedUs),
      ...(options.hasAliases !== undefined && { hasAliases: options.hasAliases }),
    });
    this.#stop = dependencies.cluster.onEvent((event) => {
      if (event.type === 'gone') this.#held.delete(event.id);
    });
  }

  /** Starts to listen. Rejects if the address is taken. */
  static async start(options: McmpOptions, dependencies: McmpDependencies): Promise<McmpServer> {
    const server = new McmpServer(options, dependencies);
    const { tls } = dependencies;
    server.#listener = await listenMcmp({
      ...options.listen,
      ...(tls && { tls: tlsServerOptions(tls) }),
      admit: (socket) => server.#admit(socket),
      onBug: (error) =>
        dependencies.log.error({ err: error }, 'MCMP message failed with an internal error; its connection was closed'),
    });
    return server;
  }

  get listener(): Listener {
    return this.#listener!;
  }

  /** The text of INFO or DUMP, one character per octet. */
  listing(type: 'INFO' | 'DUMP', isXml: boolean): string {
    return this.#book.listing(type, isXml).body;
  }

  async close(): Promise<void> {
    this.#stop();
    await this.#listener?.close();
  }

  #admit(socket: Socket): { answer(message: Message): Promise<Answer>; closed(): void } | undefined {
    const address = parseIp(socket.remoteAddress ?? '');
    const identity = this.#identify(socket, address);
    if (identity !== undefined && 'code' in identity) {
      this.#dependencies.history.refused('MCMP connection', identity, addressed(address));
      return undefined;
    }
    const connection = ++this.#connections;
    const { policy, open } = this.#dependencies;
    const client: Client = {
      identity,
      address,
      peer: {
        connection,
        owner: identity ? ownerOf(identity) : OWNER,
        standing: identity ? standingOf(identity) : 'token',
        reach: policy.reachOf({ peer: address, mayNameAnywhere: false }),
        // The bindings of a token are judged with the whole registration, in `#apply`.
        mayServe: () => true,
      },
    };
    const forget = identity && open.add({ identity, address, end: () => socket.destroy() });
    return {
      answer: (message) => this.#answer(message, client),
      closed: () => {
        forget?.();
        this.#book.closed(connection);
      },
    };
  }

  /** `undefined` for a peer that needs no token. A client certificate counts before that, so that its token's bindings apply. */
  #identify(socket: Socket, address: IpAddress | undefined): Identity | Fault | undefined {
    const { tokens } = this.#dependencies;
    const request = { socket } as Pick<IncomingMessage, 'socket'> as IncomingMessage;
    const token = tokenOfPeer(request, (name) => tokens.findByCertificate(name));
    if (token !== undefined && !('code' in token)) return identityOf(token, address);
    const allowed = this.#allow.find(address);
    if (allowed?.token !== undefined) {
      const named = tokens.findByName(allowed.token);
      const message = `--mcmp-allow names the token ${allowed.token}, which does not exist; create it with \`rollcall token create ${allowed.token} --role join\``;
      return named ? identityOf(named, address) : { code: 'unauthenticated', message };
    }
    if (isLoopback(address) || allowed !== undefined) return undefined;
    return (
      token ?? {
        code: 'unauthenticated',
        message: `${address?.toString() ?? 'the peer'} is not within --mcmp-allow and has no client certificate`,
      }
    );
  }

  async #answer(message: Message, client: Client): Promise<Answer> {
    if (message.type === 'CONFIG') {
      const announced = this.#book.addressOf(message);
      const fault = announced && (await this.#check(announced, client));
      if (fault) {
        this.#refused('CONFIG', fault, client, announced.id);
        return { type: 'fault', kind: 'GENERAL', mess: `GENERAL: ${fault.message}` };
      }
    }
    const refusing = message.type === 'CONFIG' ? await this.#refusedElsewhere(message) : undefined;
    const reply = this.#take(message, client, refusing);
    if (reply.type === 'answer') {
      if (reply.note !== undefined) this.#dependencies.log.info(addressed(client.address), `MCMP: ${reply.note}`);
      return reply.answer;
    }
    return reply.answer(await this.#requests(reply.id, reply.contexts));
  }

  #take(message: Message, client: Client, refusing: NodeId | undefined): Reply {
    this.#client = client;
    this.#refusing = refusing;
    try {
      return this.#book.take(message, client.peer);
    } finally {
      this.#client = undefined;
      this.#refusing = undefined;
    }
  }

  /**
   * The node of the same route at another address, when that address refuses connections: workers do not probe a node that reports. A
   * restarted node would otherwise be refused until its earlier self is suspect.
   */
  async #refusedElsewhere(message: Extract<Message, { type: 'CONFIG' }>): Promise<NodeId | undefined> {
    const announced = this.#book.addressOf(message);
    const held = announced && this.#dependencies.cluster.registry.node(announced.id);
    if (!announced || !held || held.liveness === 'gone' || held.registration.url === announced.url) return undefined;
    const address = this.#held.get(held.id);
    if (address === undefined) return undefined;
    const problem = await connectProbe(address.host, address.port, AbortSignal.timeout(PROBE_TIMEOUT_MS));
    return problem === undefined ? undefined : held.id;
  }

  /** Checks an address, and keeps it for the probe of the node. */
  async #check({ id, url }: NonNullable<ReturnType<Book['addressOf']>>, { peer }: Client): Promise<Fault | undefined> {
    const address = await this.#dependencies.policy.check(url, peer.reach!);
    if ('code' in address) return address;
    this.#addresses.delete(id);
    this.#addresses.set(id, address);
    const [oldest] = this.#addresses.keys();
    if (this.#addresses.size > MAX_ADDRESSES && oldest !== undefined) this.#addresses.delete(oldest);
    return undefined;
  }

  /** The count in the answer must be exact: after it the node waits for the end of that many requests. */
  async #requests(id: NodeId, contexts: readonly HostedContext[]): Promise<number> {
    const first = await this.#count(id, contexts);
    if (first === 0) return 0;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    return this.#count(id, contexts);
  }

  async #count(id: NodeId, contexts: readonly HostedContext[]): Promise<number> {
    const { cluster, feed } = this.#dependencies;
    const registration = cluster.registry.registration(id);
    const all = registration === undefined ? [] : [...hostedContexts(registration)];
    const answers = await feed.askAll({ type: 'scoreboard' }, ASK_MS);
    const lists = answers.filter((answer) => answer.type === 'scoreboard');
    return (
      requestsInFlight({ id, all, keys: new Set(contexts.map(contextKey)) }, lists) ??
      cluster.registry.unfinished(id).inFlight
    );
  }

  #port(): RegistryPort {
    const { cluster } = this.#dependencies;
    const { registry, clocks } = cluster;
    return {
      apply: (command) => this.#apply(command),
      node: (id) => registry.node(id),
      portOf: (id) => {
        if (id === this.#refusing) return 'refused';
        const ports = registry.ports(id).map(({ port }) => port);
        if (ports.includes('answers')) return 'answers';
        return ports.includes('refused') ? 'refused' : 'unknown';
      },
      numbersOf: (id) => {
        const { requests, bytesFromNode, bytesToNode, inFlight } = registry.traffic(id);
        return { elected: requests, read: bytesFromNode, transferred: bytesToNode, connected: inFlight };
      },
      settingsOf: (balancer) => registry.balancerResource(balancer),
      nextConnection: () => cluster.nextConnection(),
      hasEnded: (id) => registry.hasEnded(id),
      digest: (text) => createHash('sha256').update(text).digest('hex').slice(0, 32),
      nowUnixMs: () => clocks.nowUnixMs(),
    };
  }

  #apply(command: Command): readonly Event[] | Rejection {
    const { cluster, prober, tokens } = this.#dependencies;
    const client = this.#client!;
    let allowed = command;
    if (command.type === 'register' && client.identity !== undefined) {
      const rights = registrationRights({ tokens, registry: cluster.registry }, client.identity, command.node);
      if ('code' in rights) return this.#rejected(rights, client, command.node.id);
      allowed = { ...command, mayShadow: rights.mayShadow };
    }
    const outcome = cluster.apply(allowed, addressed(client.address));
    if ('type' in outcome) {
      if (command.type === 'register') this.#refused('register', outcome, client, command.node.id);
      return outcome;
    }
    for (const event of outcome) {
      const address = event.type === 'registered' && event.needsProbe ? this.#addresses.get(event.id) : undefined;
      if (event.type !== 'registered' || !address) continue;
      this.#held.set(event.id, address);
      prober.watch(event.id, event.connection, address);
    }
    return outcome;
  }

  #rejected(fault: Fault, client: Client, node: NodeId): Rejection {
    this.#refused('register', fault, client, node);
    return { type: 'rejected', ...fault };
  }

  #refused(what: string, fault: Fault, { identity, address }: Client, node: NodeId): void {
    this.#dependencies.history.refused(`MCMP ${what}`, fault, {
      node,
      by: identity?.name ?? OWNER,
      ...addressed(address),
    });
  }
}

/** A peer for a token, without its secret. */
function identityOf(token: TokenRecord, address: IpAddress | undefined): Identity | Fault {
  const { name, role } = token;
  if (!isAllowed(role, 'join'))
    return { code: 'forbidden', message: `the token ${name} has the role ${role}; MCMP needs the role join` };
  return judgeAddress(token, address) ?? { name, role, by: 'certificate', token };
}

function addressed(address: IpAddress | undefined): { readonly address?: string } {
  return address === undefined ? {} : { address: address.toString() };
}
