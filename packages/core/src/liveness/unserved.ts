/** Why a context has no node for new work, and what to do about it: one answer for the 503 page, the status and the pages. */
import type { BalancerName, GoneCause, Liveness, NodeId, PortReport, Status, UnservedCause } from '@rollcall/protocol';

/** What is known of one node that serves, or served, a context. */
export interface NodeFacts {
  readonly id: NodeId;
  readonly liveness: Liveness;
  /** While gone. */
  readonly goneCause?: GoneCause | undefined;
  /** Effective status in this context. */
  readonly status: Status;
  /** The best that any worker knows of its port: `answers`, `unknown`, `unresponsive`, `refused`, `given-up`. */
  readonly port: PortReport;
  /** The agent's connection is open; false for members without an agent. */
  readonly isConnected: boolean;
  readonly hasAgent: boolean;
}

export interface Unserved {
  readonly cause: UnservedCause;
  /** One sentence: what has happened. */
  readonly message: string;
  /** One sentence: what to do, with the command where there is one. */
  readonly remedy: string;
}

/** Nodes named in one sentence. */
const MAX_NAMED = 3;

/** True when the node may take new work now. */
export function canServe({ liveness, status, port }: NodeFacts): boolean {
  if (status !== 'enabled') return false;
  if (liveness === 'up') return port === 'answers' || port === 'unknown';
  return (liveness === 'suspect' || liveness === 'orphaned') && port === 'answers';
}

const isPresent = ({ liveness }: NodeFacts): boolean => liveness !== 'gone';

/**
 * Why none of `nodes`, those of one context with the gone ones that are remembered, can take new work; `undefined` when one can.
 *
 * Nodes that are present decide before nodes that are gone; among several causes the one that an operator can act upon first wins.
 */
export function whyUnserved(balancer: BalancerName, nodes: readonly NodeFacts[]): Unserved | undefined {
  if (nodes.some(canServe)) return undefined;
  const present = nodes.filter(isPresent);
  if (present.length > 0) return whyPresent(balancer, present);
  if (nodes.length === 0)
    return {
      cause: 'never',
      message: `no node of balancer ${balancer} has registered`,
      remedy: `start one: rollcall run --balancer ${balancer} -- COMMAND`,
    };
  return whyGone(balancer, nodes);
}

function whyPresent(balancer: BalancerName, present: readonly NodeFacts[]): Unserved {
  const enabled = present.filter(({ status }) => status === 'enabled');
  if (enabled.length === 0) {
    const isStopped = present.every(({ status }) => status === 'stopped');
    const ids = named(present);
    return {
      cause: isStopped ? 'stopped' : 'drained',
      message: `all nodes of balancer ${balancer} are ${isStopped ? 'stopped or ending' : 'draining, stopped or ending'} (${ids})`,
      remedy: `enable one (rollcall enable ${present[0]!.id}), or start another`,
    };
  }
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

/** Which cause is named when nodes went for several: the one that needs an operator most. */
const GRAVITY: readonly GoneCause[] = ['refused', 'expired', 'taken', 'removed', 'left'];

function whyGone(balancer: BalancerName, gone: readonly NodeFacts[]): Unserved {
  const cause = GRAVITY.find((one) => gone.some(({ goneCause }) => goneCause === one)) ?? 'expired';
  const ids = named(gone.filter(({ goneCause = 'expired' }) => goneCause === cause));
  const start = `start one: rollcall run --balancer ${balancer} -- COMMAND`;
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
        remedy: start,
      };
    default:
      return { cause: 'left', message: `the last nodes of balancer ${balancer} left (${ids})`, remedy: start };
  }
}

function named(nodes: readonly NodeFacts[]): string {
  const ids = nodes.slice(0, MAX_NAMED).map(({ id }) => id);
  const more = nodes.length - MAX_NAMED;
  return ids.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
