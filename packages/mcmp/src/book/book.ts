/**
 * The book: what nodes have announced over MCMP, and its translation to registry commands. A pure state machine: a message goes in,
 * commands go to the registry, the answer comes out.
 *
 * The registry decides who is alive, whose name counts and who gets requests. The book has only what the registry does not have:
 * aliases, states per alias, the loads and parameters that INFO and DUMP repeat.
 *
 * The trap of a resync: a node removes itself (`REMOVE-APP /*`) and sends CONFIG on the same connection. It may assume that its contexts
 * are still enabled, and never name them again. Its next STATUS without any context is therefore answered once with MEM. The node then
 * registers with all its contexts. Only once, because a node may have no applications.
 *
 * After a restart the registry has the nodes from its store, and the book is empty. A node then names its contexts one by one. Until its
 * STATUS the earlier registration stays in force: with the first context alone, the sessions of all others would be moved.
 */
import type { HeartbeatCommand, HostedContext, NodeView } from '@rollcall/core';
import type { NodeId, NodeUrl } from '@rollcall/protocol';
import { type Answer, type BodyAnswer, DONE, type FaultAnswer, faults, text } from '../answers/answer.ts';
import { dump, info, type ListedNode, version } from '../answers/listings.ts';
import type { AppMessage, ConfigMessage, Message, PingMessage, StatusMessage } from '../messages/message.ts';
import type { NodeConfig } from '../messages/node-config.ts';
import type { BookHost, BookNode, ContextState } from './book-node.ts';
import { withAllApps, withApps } from './book-node.ts';
import { processName } from './process-name.ts';
import { type Names, namesOf, stepsTo } from './registration.ts';
import type { BalancerPolicy, Peer, RegistryPort } from './registry-port.ts';
import { placesOfCommand, unroutedNote } from './routed-places.ts';

/** Bounds of the book. */
export interface BookOptions {
  /** Identifies this start of the listener in STATUS-RSP and PING-RSP. */
  readonly id: string;
  /** Default 1,000. */
  readonly maxNodes?: number;
  /** Aliases of one node. Default 64. */
  readonly maxAliases?: number;
  /** Contexts of one node, over all its aliases. Default 256; as many are routed as a registration may have. */
  readonly maxContexts?: number;
  /** Requests are matched with the aliases, as with `UseAlias On`. Default false: with paths only. */
  readonly hasAliases?: boolean;
}

interface AnswerReply {
  readonly type: 'answer';
  readonly answer: Answer;
  /** For the log. */
  readonly note?: string;
}

/** The answer, or the question whose result completes it. */
export type Reply =
  | AnswerReply
  | {
      /** How many requests for `contexts` are in flight at the node? */
      readonly type: 'count';
      readonly id: NodeId;
      readonly contexts: readonly HostedContext[];
      answer(requests: number): Answer;
    };

const STATES = { 'ENABLE-APP': 'ENABLED', 'DISABLE-APP': 'DISABLED', 'STOP-APP': 'STOPPED' } as const;

export class Book {
  readonly #registry: RegistryPort;
  readonly #id: string;
  readonly #maxNodes: number;
  readonly #maxAliases: number;
  readonly #maxContexts: number;
  readonly #hasAliases: boolean;
  /** By route as sent. */
  readonly #nodes = new Map<string, BookNode>();
  /** Routes that have removed themselves with contexts, and the connection: the beginning of a resync. */
  readonly #removed = new Map<string, number>();
  #lastIndex = 0;

  constructor(
    registry: RegistryPort,
    { id, maxNodes = 1_000, maxAliases = 64, maxContexts = 256, hasAliases = false }: BookOptions,
  ) {
    this.#registry = registry;
    this.#id = id;
    this.#maxNodes = maxNodes;
    this.#maxAliases = maxAliases;
    this.#maxContexts = maxContexts;
    this.#hasAliases = hasAliases;
  }

  /** Number of nodes. */
  get size(): number {
    return this.#nodes.size;
  }

  /** The address that a CONFIG announces, for a check before `take`; `undefined` when the message is refused anyway. */
  addressOf({ config }: ConfigMessage): { readonly id: NodeId; readonly url: NodeUrl } | undefined {
    const names = namesOf(config);
    return 'type' in names ? undefined : names;
  }

  /** Carries out a message of `peer`. */
  take(message: Message, peer: Peer): Reply {
    switch (message.type) {
      case 'CONFIG':
        return this.#config(message, peer);
      case 'STATUS':
        return this.#status(message, peer);
      case 'PING':
        return answered(this.#ping(message));
      case 'INFO':
      case 'DUMP':
        return answered(this.listing(message.type, message.isXml));
      case 'VERSION':
        return answered(version(message.isXml));
      default:
        return this.#app(message, peer);
    }
  }

  /** The nodes that have registered here. */
  listing(type: 'INFO' | 'DUMP', isXml: boolean): BodyAnswer {
    return type === 'INFO' ? info(this.#listed(false), isXml) : dump(this.#listed(true), isXml);
  }

  /** A connection has closed: its removals are no resync. The nodes stay, because a node may use a connection per message. */
  closed(connection: number): void {
    for (const [route, one] of this.#removed) if (one === connection) this.#removed.delete(route);
  }

  #config({ config, aliases, contexts }: ConfigMessage, peer: Peer): Reply {
    const { route } = config;
    const names = namesOf(config);
    if ('type' in names) return answered(names);
    const refused = forbidden(peer, route, aliases, contexts);
    if (refused) return answered(refused);
    const known = this.#present(route);
    if (known !== undefined && known.owner !== peer.owner) return answered(ofOther(route));
    const rival = this.#atSameAddress(config);
    if (known !== undefined ? !isSamePlace(known.config, config) && this.#isLiving(known) : this.#isElsewhere(names))
      return answered(faults.otherAddress(route));
    if (rival !== undefined && this.#isLiving(rival)) return answered(faults.otherRoute);
    if (known === undefined && this.#nodes.size - Number(rival !== undefined) >= this.#maxNodes)
      return answered(faults.noNode(route));
    if (rival !== undefined) this.#nodes.delete(rival.config.route);
    const isResync = this.#removed.get(route) === peer.connection;
    this.#removed.delete(route);
    const earlier = known !== undefined && isSamePlace(known.config, config) ? known : undefined;
    const node: BookNode = {
      ...(earlier ?? this.#newNode(names, peer.owner, known)),
      config,
      isStranded: isResync || earlier?.isStranded === true,
    };
    return this.#change(node, withoutKnown(node.hosts, aliases, contexts), peer);
  }

  /** A node, or the node that replaces one under the same route: another process, which has named no contexts. */
  #newNode(
    { id, url }: { readonly id: NodeId; readonly url: NodeUrl },
    owner: string,
    replaced: BookNode | undefined,
  ): Omit<BookNode, 'config' | 'isStranded'> {
    const held = this.#registry.node(id);
    return {
      id,
      owner,
      index: replaced?.index ?? ++this.#lastIndex,
      hosts: [],
      load: undefined,
      connection: this.#registry.nextConnection(),
      process: undefined,
      registered: undefined,
      hasLeft: false,
      isGathering: held !== undefined && held.liveness !== 'gone' && held.registration.url === url,
    };
  }

  #app(message: AppMessage, peer: Peer): Reply {
    const { type, route, isNodeWide, aliases, contexts } = message;
    const node = this.#present(route);
    // As in 1.3.x: a node that leaves twice is no fault.
    if (node === undefined) return answered(type === 'REMOVE-APP' ? DONE : faults.unknownNode(route));
    if (node.owner !== peer.owner) return answered(ofOther(route));
    if (type === 'REMOVE-APP' && isNodeWide) return answered(this.#remove(node, peer));
    const refused = type === 'REMOVE-APP' ? undefined : forbidden(peer, route, aliases, contexts);
    if (refused) return answered(refused);
    const state: ContextState | undefined = type === 'REMOVE-APP' ? undefined : STATES[type];
    const hosts = isNodeWide ? withAllApps(node.hosts, state!) : withApps(node.hosts, aliases, contexts, state);
    const isGathering = node.isGathering && type === 'ENABLE-APP';
    const reply = this.#change({ ...node, isStranded: false, isGathering }, hosts, peer);
    if (type !== 'STOP-APP' || isNodeWide || reply.answer.type === 'fault') return reply;
    return {
      type: 'count',
      id: node.id,
      contexts: placesOfCommand(hosts, message, this.#hasAliases),
      answer: (requests) =>
        text(`Type=STOP-APP-RSP&JvmRoute=${route}&Alias=${aliases[0]}&Context=${contexts[0]}&Requests=${requests}\n`),
    };
  }

  #remove(node: BookNode, peer: Peer): Answer {
    const { route } = node.config;
    if (node.registered && this.#joined(node, peer))
      this.#registry.apply({ type: 'leave', id: node.id, connection: node.connection });
    this.#nodes.delete(route);
    if (node.hosts.length > 0 && this.#removed.size < this.#maxNodes) this.#removed.set(route, peer.connection);
    return DONE;
  }

  #status(message: StatusMessage, peer: Peer): Reply {
    const { route } = message;
    const node = this.#present(route);
    if (node === undefined) return answered(faults.unknownNode(route));
    if (node.owner !== peer.owner) return answered(ofOther(route));
    if (!node.isGathering) return answered(this.#reported(node, message, peer));
    const reply = this.#change({ ...node, isGathering: false }, node.hosts, peer);
    if (reply.type !== 'answer' || reply.answer.type === 'fault') return reply;
    return { ...reply, answer: this.#reported(this.#nodes.get(route)!, message, peer) };
  }

  #reported(node: BookNode, { route, load }: StatusMessage, peer: Peer): Answer {
    if (node.isStranded && node.hosts.length === 0) {
      this.#nodes.set(route, { ...node, isStranded: false });
      return faults.unknownNode(route);
    }
    if (node.registered) {
      const isHeard = this.#joined(node, peer) && !('type' in this.#registry.apply(heartbeat(node, load)));
      if (!isHeard) {
        this.#nodes.delete(route);
        return faults.unknownNode(route);
      }
    }
    if (load !== undefined) this.#nodes.set(route, { ...this.#nodes.get(route)!, load });
    return text(`Type=STATUS-RSP&JVMRoute=${route}&State=${this.#stateOf(node)}&id=${this.#id}\n`);
  }

  /** Without a better knowledge a node that speaks is OK. */
  #stateOf({ id, registered }: BookNode): 'OK' | 'NOTOK' {
    if (registered === undefined) return 'OK';
    const isUnreachable = this.#registry.node(id)?.livenessReason === 'unreachable';
    return isUnreachable || this.#registry.portOf(id) === 'refused' ? 'NOTOK' : 'OK';
  }

  #ping({ route, address }: PingMessage): Answer {
    const node = route === undefined ? undefined : this.#present(route);
    if (route !== undefined && node === undefined) return faults.unknownNode(route);
    const name = route === undefined ? '' : `&JVMRoute=${route}`;
    let state: 'OK' | 'NOTOK' = 'OK';
    if (node !== undefined) state = this.#stateOf(node);
    else if (address !== undefined) {
      const known = [...this.#nodes.values()].find(
        ({ config }) =>
          config.typeText === address.scheme && config.host === address.host && String(config.port) === address.port,
      );
      // As in httpd: only known nodes count, so that no client scans ports through the proxy.
      state = known === undefined ? 'NOTOK' : this.#stateOf(known);
    }
    return text(`Type=PING-RSP${name}&State=${state}&id=${this.#id}\n`);
  }

  /** Brings node and registry to `hosts`, or changes nothing and returns the fault. */
  #change(node: BookNode, hosts: readonly BookHost[], peer: Peer): AnswerReply {
    const { route } = node.config;
    const aliases = hosts.reduce((sum, host) => sum + host.aliases.length, 0);
    const contexts = hosts.reduce((sum, host) => sum + host.contexts.size, 0);
    if (aliases > this.#maxAliases) return answered(faults.noAlias(route));
    if (contexts > this.#maxContexts) return answered(faults.noContext(route));
    if (node.isGathering) {
      this.#nodes.set(route, { ...node, hosts });
      return answered(DONE);
    }
    const next = this.#named({ ...node, hosts });
    const steps = stepsTo(next, peer, { nowUnixMs: this.#registry.nowUnixMs(), hasAliases: this.#hasAliases });
    if ('type' in steps) return answered(steps);
    for (const command of steps.commands) {
      const outcome = this.#registry.apply(command);
      if ('type' in outcome) return { type: 'answer', answer: rejection(outcome.code, route), note: outcome.message };
    }
    const hasLeft = steps.registered === undefined && (next.hasLeft || next.registered !== undefined);
    this.#nodes.set(route, { ...next, registered: steps.registered, hasLeft });
    const unrouted = unroutedNote(hosts, steps.registered?.keys ?? new Set(), this.#hasAliases);
    if (unrouted === undefined) return answered(DONE);
    return { ...answered(DONE), note: `node ${node.id} gets no requests for ${unrouted}` };
  }

  /** `node` with the name of its process, which is found anew whenever it has to register. */
  #named(node: BookNode): BookNode {
    if (node.registered !== undefined && this.#isHeld(node)) return node;
    const names = namesOf(node.config);
    if ('type' in names) return node;
    const held = this.#registry.node(node.id);
    const earlier = held && { registration: held.registration, hasEnded: this.#registry.hasEnded(node.id) };
    return {
      ...node,
      registered: undefined,
      hasLeft: node.hasLeft || held !== undefined,
      process: processName(names, earlier, this.#registry),
    };
  }

  /** Brings a registered node back that the registry does not take for connected. False when the registry refuses it. */
  #joined(node: BookNode, peer: Peer): boolean {
    if (this.#isHeld(node)) return true;
    return this.#change(node, node.hosts, peer).answer.type === 'body';
  }

  /** The registry takes the node for connected to this coordinator: it was neither silent nor replaced. */
  #isHeld({ id, connection }: BookNode): boolean {
    const held = this.#registry.node(id);
    return held?.isConnected === true && held.connection === connection;
  }

  /**
   * The node of a route, unless the registry has ended it: it is then dropped, so that the node registers again. It stays while another
   * coordinator has it at the same address.
   */
  #present(route: string): BookNode | undefined {
    const node = this.#nodes.get(route);
    if (node?.registered === undefined) return node;
    const held = this.#registry.node(node.id);
    const isPresent = held !== undefined && held.liveness !== 'gone';
    if (isPresent && (held.connection === node.connection || isAt(held, node))) return node;
    this.#nodes.delete(route);
    return undefined;
  }

  /** Another coordinator has the node, alive and at another address. */
  #isElsewhere({ id, url }: Names): boolean {
    const held = this.#registry.node(id);
    if (held?.liveness !== 'up' || held.isConnected || held.reportedBy.length === 0) return false;
    return held.registration.url !== url && this.#registry.portOf(id) !== 'refused';
  }

  #atSameAddress(config: NodeConfig): BookNode | undefined {
    for (const node of this.#nodes.values())
      if (node.config.route !== config.route && isSamePlace(node.config, config))
        return this.#present(node.config.route);
    return undefined;
  }

  /** True for a node that holds its names: it reports, and its port does not refuse. One without contexts holds none. */
  #isLiving({ id, registered }: BookNode): boolean {
    if (registered === undefined || this.#registry.portOf(id) === 'refused') return false;
    const held = this.#registry.node(id);
    return held !== undefined && held.liveness !== 'gone' && held.livenessReason !== 'silent';
  }

  /** `withPolicies`: for DUMP. Each node that registers asks for INFO, which has none. */
  #listed(withPolicies: boolean): ListedNode[] {
    const nodes = [...this.#nodes.keys()].map((route) => this.#present(route)).filter((node) => node !== undefined);
    const policies = new Map<string, BalancerPolicy | undefined>();
    for (const { config } of withPolicies ? nodes : []) {
      const names = namesOf(config);
      if (!policies.has(config.balancer) && !('type' in names))
        policies.set(config.balancer, this.#registry.settingsOf(names.balancer));
    }
    return nodes
      .sort((one, other) => one.index - other.index)
      .map((node) => ({
        ...node,
        numbers: this.#registry.numbersOf(node.id),
        policy: policies.get(node.config.balancer),
      }));
  }
}

function answered(answer: Answer): AnswerReply {
  return { type: 'answer', answer };
}

/** Only the owner of a node may change it. A node of another owner is not hidden, because INFO lists all. */
function ofOther(route: string): FaultAnswer {
  return faults.notAllowed(`the node ${route} of another identity`);
}

function isSamePlace(one: NodeConfig, other: NodeConfig): boolean {
  return one.host === other.host && one.port === other.port && one.scheme === other.scheme;
}

/** The node of the registry is that of the book: of the same owner, at the same address. */
function isAt({ owner, registration }: NodeView, node: BookNode): boolean {
  const names = namesOf(node.config);
  return !('type' in names) && owner === node.owner && registration.url === names.url;
}

/** CONFIG makes contexts as stopped, and leaves known ones as they are. */
function withoutKnown(
  hosts: readonly BookHost[],
  aliases: readonly string[],
  contexts: readonly string[],
): readonly BookHost[] {
  const names = new Set(aliases.map((alias) => alias.toLowerCase()));
  const known = new Set(
    hosts
      .filter((host) => host.aliases.some((alias) => names.has(alias.toLowerCase())))
      .flatMap((host) => [...host.contexts.keys()]),
  );
  const fresh = contexts.filter((path) => !known.has(path));
  return fresh.length === 0 ? hosts : withApps(hosts, aliases, fresh, 'STOPPED');
}

function forbidden(
  peer: Peer,
  route: string,
  aliases: readonly string[],
  contexts: readonly string[],
): FaultAnswer | undefined {
  for (const alias of aliases)
    for (const context of contexts)
      if (!peer.mayServe(alias, context)) return faults.notAllowed(`Context ${context} on ${alias} for ${route}`);
  return undefined;
}

/** Load 1 … 100 is the load factor; 0 is standby; -1 takes new work only where no other node does. */
function heartbeat({ id, connection }: BookNode, load: number | undefined): HeartbeatCommand {
  const base = { type: 'heartbeat', id, connection } as const;
  if (load === undefined) return base;
  if (load < 0) return { ...base, ready: false, readyReason: 'reports Load -1' };
  if (load === 0) return { ...base, standby: true };
  return { ...base, standby: false, load: (100 - load) / 100 };
}

/** The fault of a refused registration. The node tries again at its next tick; the reason is in the log. */
function rejection(code: string, route: string): FaultAnswer {
  switch (code) {
    case 'forbidden':
    case 'unauthenticated':
      return faults.notAllowed(`the registration of ${route}`);
    case 'address-taken':
      return faults.otherRoute;
    case 'id-taken':
    case 'id-owned':
    case 'route-taken':
    case 'superseded':
      return faults.otherAddress(route);
    case 'context-taken':
      return faults.noContext(route);
    default:
      return faults.noNode(route);
  }
}
