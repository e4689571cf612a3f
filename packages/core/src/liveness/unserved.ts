/** Why a context has no node for new work, with the remedy: one answer for `explain`, the status and the pages. */
import type {
  BalancerName,
  ContextPath,
  GoneCause,
  HostPattern,
  Liveness,
  NodeId,
  PortReport,
  Status,
  UnservedCause,
} from '@rollcall/protocol';

/** The known facts about one node that serves, or served, a context. */
export interface NodeFacts {
  readonly id: NodeId;
  readonly liveness: Liveness;
  /** While gone. */
  readonly goneCause?: GoneCause | undefined;
  /** Effective status in this context. */
  readonly status: Status;
  /** The best report of any worker on its port, best first: `answers`, `unknown`, `unresponsive`, `refused`, `given-up`. */
  readonly port: PortReport;
  /** The agent's connection is open; false for members without an agent. */
  readonly isConnected: boolean;
  readonly hasAgent: boolean;
  /** Its program has requested the status, and no operator has: `enable` does not change it. Absent is false. */
  readonly isEndingItself?: boolean;
  /** It gets new work only while no other node is eligible. Absent is false. */
  readonly isStandby?: boolean;
}

/** The context, and the balancer that serves it. */
export interface ContextFacts {
  readonly balancer: BalancerName;
  readonly host: HostPattern;
  readonly path: ContextPath;
}

export interface Unserved {
  readonly cause: UnservedCause;
  /** One sentence: the event. */
  readonly message: string;
  /** One sentence: the action, with the command if there is one. */
  readonly remedy: string;
}

/** Nodes named in one sentence. */
const MAX_NAMED = 3;

/** True when the node may take new work now. */
export function canServe({ liveness, status, port }: NodeFacts): boolean {
  if (status !== 'enabled') return false;
  if (liveness === 'up') return port === 'answers' || port === 'unknown';
  return liveness === 'suspect' && port === 'answers';
}

const isPresent = ({ liveness }: NodeFacts): boolean => liveness !== 'gone';

/**
 * Why none of `nodes`, those of `context` with the gone ones that are remembered, can take new work; `undefined` when one can.
 *
 * Present nodes decide before gone nodes. Of several causes the one is returned whose remedy helps first: a drained or stopped node that
 * can serve again at once, then the others. The message then counts the states of the nodes.
 */
export function whyUnserved(context: ContextFacts, nodes: readonly NodeFacts[]): Unserved | undefined {
  const { balancer } = context;
  if (nodes.some(canServe)) return undefined;
  const present = nodes.filter(isPresent);
  if (present.length > 0) return whyPresent(context, present);
  if (nodes.length === 0)
    return {
      cause: 'never',
      message: `no node of balancer ${balancer} has registered`,
      remedy: start(context),
    };
  return whyGone(context, nodes);
}

function whyPresent(context: ContextFacts, present: readonly NodeFacts[]): Unserved {
  const { balancer } = context;
  const enabled = present.filter(({ status }) => status === 'enabled');
  const held = present.filter(({ status }) => status !== 'enabled');
  const usable = held.filter((node) => !isEnding(node) && canServe({ ...node, status: 'enabled' }));
  const ending = held.filter(isEnding);
  if (usable.length > 0 || (enabled.length === 0 && ending.length === 0))
    return whyHeld(balancer, present, held, usable);
  if (enabled.length === 0) return whyEnding(context, present, ending);
  const why = whyNotAnswering(balancer, enabled);
  return held.length === 0 ? why : { ...why, message: countedStates(balancer, present) };
}

/** A node that its own program drains or stops, as `scale` and SIGTERM do. */
const isEnding = ({ status, isEndingItself }: NodeFacts): boolean => status !== 'enabled' && isEndingItself === true;

/** Nodes end by the request of their own programs, which an operator cannot withdraw, and the other ones cannot serve either. */
function whyEnding(context: ContextFacts, present: readonly NodeFacts[], ending: readonly NodeFacts[]): Unserved {
  const { balancer } = context;
  const all = `all nodes of balancer ${balancer} are ending by request of their programs (${named(ending)})`;
  return {
    cause: ending.every(({ status }) => status === 'stopped') ? 'stopped' : 'drained',
    message: ending.length === present.length ? all : countedStates(balancer, present),
    remedy: `${start(context)}; or, while their rollcall run runs: rollcall scale ${balancer}=N`,
  };
}

/** Draining and stopped nodes are the cause: `usable` nodes can serve as soon as they are enabled. */
function whyHeld(
  balancer: BalancerName,
  present: readonly NodeFacts[],
  held: readonly NodeFacts[],
  usable: readonly NodeFacts[],
): Unserved {
  const isStopped = held.every(({ status }) => status === 'stopped');
  const states = isStopped ? 'stopped or ending' : 'draining, stopped or ending';
  const isMixed = held.length < present.length || (usable.length > 0 && usable.length < held.length);
  const cause = isStopped ? 'stopped' : 'drained';
  const message = isMixed
    ? countedStates(balancer, present)
    : `all nodes of balancer ${balancer} are ${states}${usable.length === 0 ? ', and none of them answers' : ''} (${named(held)})`;
  if (usable.length === 0)
    return { cause, message, remedy: `start their programs again, then enable one: rollcall enable ${held[0]!.id}` };
  return { cause, message, remedy: `enable one (rollcall enable ${usable[0]!.id}), or start another` };
}

/** `of 3 nodes of balancer shop 1 is draining (n1) and 2 do not answer (n2, n3)`. */
function countedStates(balancer: BalancerName, present: readonly NodeFacts[]): string {
  const states: readonly (readonly [one: string, many: string, is: (node: NodeFacts) => boolean])[] = [
    ['is ending', 'are ending', isEnding],
    ['is draining', 'are draining', ({ status }) => status === 'draining'],
    ['is stopped', 'are stopped', ({ status }) => status === 'stopped'],
    ['is starting', 'are starting', ({ liveness }) => liveness === 'joining'],
    ['refuses connections', 'refuse connections', ({ port }) => port === 'refused'],
    ['does not answer', 'do not answer', () => true],
  ];
  let rest = present;
  const parts: string[] = [];
  for (const [one, many, is] of states) {
    const those = rest.filter(is);
    rest = rest.filter((node) => !is(node));
    if (those.length > 0) parts.push(`${those.length} ${those.length === 1 ? one : many} (${named(those)})`);
  }
  const last = parts.pop()!;
  const list = parts.length === 0 ? last : `${parts.join(', ')} and ${last}`;
  return `of ${present.length} nodes of balancer ${balancer} ${list}`;
}

function whyNotAnswering(balancer: BalancerName, enabled: readonly NodeFacts[]): Unserved {
  const joining = enabled.filter(({ liveness }) => liveness === 'joining');
  const rest = enabled.filter(({ liveness }) => liveness !== 'joining');
  if (rest.length === 0)
    return {
      cause: 'unreachable',
      message: `the nodes of balancer ${balancer} have registered, and the coordinator cannot reach their addresses (${named(joining)})`,
      remedy: 'check that the program listens at the announced address and port',
    };
  const refusing = rest.filter(({ port }) => port === 'refused');
  if (refusing.length === rest.length)
    return {
      cause: 'crashed',
      message: `the ports of all nodes of balancer ${balancer} refuse connections (${named(rest)})`,
      remedy: 'start the programs again; their nodes return by themselves',
    };
  const withAgent = rest.filter(({ hasAgent }) => hasAgent);
  if (withAgent.length === rest.length && rest.every(({ isConnected }) => !isConnected))
    return {
      cause: 'links-closed',
      message: `the agents of all nodes of balancer ${balancer} lost their connections, and no worker reaches their ports (${named(rest)})`,
      remedy: 'check the network between this machine and the nodes',
    };
  return {
    cause: 'unresponsive',
    message: `the nodes of balancer ${balancer} are there and do not answer (${named(rest)})`,
    remedy: `look at their logs and their CPU; a node that is lost can be removed: rollcall remove ${rest[0]!.id}`,
  };
}

/** If nodes left for several causes, the first one in this list is named: the one that needs an operator most. */
const GRAVITY: readonly GoneCause[] = ['refused', 'expired', 'taken', 'claim-lost', 'removed', 'left'];

function whyGone(context: ContextFacts, gone: readonly NodeFacts[]): Unserved {
  const { balancer } = context;
  const cause = GRAVITY.find((one) => gone.some(({ goneCause }) => goneCause === one)) ?? 'expired';
  const ids = named(gone.filter(({ goneCause = 'expired' }) => goneCause === cause));
  switch (cause) {
    case 'refused':
      return {
        cause: 'crashed',
        message: `the last nodes of balancer ${balancer} crashed: their connections closed and their ports refuse (${ids})`,
        remedy: 'start the programs again; their nodes return by themselves',
      };
    case 'expired':
      return {
        cause: 'expired',
        message: `the last nodes of balancer ${balancer} gave no sign of life for their lease (${ids})`,
        remedy: 'check the machines and the network; nodes that live register by themselves',
      };
    case 'removed':
      return {
        cause: 'removed',
        message: `the last nodes of balancer ${balancer} were removed by an operator (${ids})`,
        remedy: start(context),
      };
    default:
      return { cause: 'left', message: `the last nodes of balancer ${balancer} left (${ids})`, remedy: start(context) };
  }
}

/** With the context, because the default `/` on all hosts may belong to another balancer. */
function start({ balancer, host, path }: ContextFacts): string {
  const hostFlag = host === '*' ? '' : ` --host ${shellWord(host)}`;
  const contextFlag = path === '/' ? '' : ` --context ${shellWord(path)}`;
  return `start one: rollcall run --balancer ${balancer}${hostFlag}${contextFlag} -- COMMAND`;
}

/** `text` as one word of a POSIX shell. */
function shellWord(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function named(nodes: readonly NodeFacts[]): string {
  const ids = nodes.slice(0, MAX_NAMED).map(({ id }) => id);
  const more = nodes.length - MAX_NAMED;
  return ids.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
