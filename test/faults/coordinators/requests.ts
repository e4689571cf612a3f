/** Requests of an operator during a drill, and the check that none of them is lost unreported. */
import { setTimeout as pause } from 'node:timers/promises';
import type { AppliedResource, BalancerPatch, NodePatch, StatusBody } from '@rollcall/protocol';
import { nowMs } from '../../live-cluster/instant.ts';
import type { CoordinatorProcess } from './coordinator-process.ts';
import { type View, viewOf } from './view.ts';

/** Requests that last longer outlast the drill. */
const MAX_WATCHED_MS = 60_000;

/** `at`: 0 or 1, the coordinator that gets it. Two requests of a drill must not concern the same record. */
export type OperatorRequest = { readonly atMs: number; readonly at: 0 | 1 } & (
  | { readonly type: 'drain'; readonly node: string; readonly body: StatusBody & { readonly reason: string } }
  | { readonly type: 'weight'; readonly node: string; readonly body: NodePatch & { readonly weight: number } }
  | { readonly type: 'retries'; readonly body: BalancerPatch & { readonly retries: number } }
);

/** A request and its answer. */
export interface Asked {
  readonly request: OperatorRequest;
  readonly sentMs: number;
  /** Absent without an answer: the operator knows that the outcome is open. */
  readonly status?: number;
  readonly coordinators?: AppliedResource;
  readonly error?: string;
  /** Answered as in force everywhere, and the other coordinator did not have it. */
  readonly isUntrue?: true;
}

/** Sends a request. With an answer that claims that it is in force at both, the other coordinator is asked at once. */
export async function ask(
  request: OperatorRequest,
  coordinators: readonly [CoordinatorProcess, CoordinatorProcess],
): Promise<Asked> {
  const sentMs = nowMs();
  const [method, path] = PLACES[request.type](request as never);
  try {
    const { status, body } = await coordinators[request.at].api(method, path, request.body);
    const applied = (body as { coordinators?: AppliedResource }).coordinators;
    const asked = { request, sentMs, status, ...(applied && { coordinators: applied }) };
    if (status !== 200 || applied === undefined || applied.applied.length < 2) return asked;
    const other = await viewOf(coordinators[request.at === 0 ? 1 : 0]).catch(() => undefined);
    return { ...asked, ...(other !== undefined && !isInForce(request, other) && { isUntrue: true as const }) };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: Error };
    return { request, sentMs, error: cause?.message ?? message };
  }
}

type Of<Type extends OperatorRequest['type']> = Extract<OperatorRequest, { readonly type: Type }>;
const PLACES: { readonly [Type in OperatorRequest['type']]: (request: Of<Type>) => [string, string] } = {
  drain: ({ node }) => ['POST', `/v1/nodes/${node}/drain`],
  weight: ({ node }) => ['PATCH', `/v1/nodes/${node}`],
  retries: () => ['PATCH', '/v1/balancers/site'],
};

/** The requests that were lost without a word, one sentence each. `views` are those after the fault has healed. */
export function lostRequests(all: readonly Asked[], views: readonly View[], atMs: number): string[] {
  return all.flatMap((asked) => {
    const { request, status, error, sentMs, coordinators, isUntrue } = asked;
    const name = textOf(asked);
    if (isUntrue) return [`${name} was answered as in force everywhere, and the other coordinator did not have it`];
    if (error !== undefined) return [];
    if (status !== 200 && status !== 202) return [`${name} was answered with ${status}`];
    if (status === 202 && coordinators?.pending.length === 0) return [`${name} is pending nowhere`];
    if (status === 200 && (coordinators?.pending.length ?? 0) > 0)
      return [`${name} is pending and was answered with 200`];
    const isOver = request.type === 'drain' && sentMs + (request.body.forMs ?? Number.POSITIVE_INFINITY) < atMs;
    const missing = isOver ? [] : views.flatMap((view, at) => (isInForce(request, view) ? [] : ['ab'[at]]));
    return missing.length === 0 ? [] : [`${name} is lost at ${missing.join(' and ')}`];
  });
}

/** How far the end of a request may be off, milliseconds. */
const OFF_MS = 3_000;

/**
 * Waits for the end of a drain by `forMs` or `deadlineMs`. Returns one sentence for each coordinator at which it is over too early, or is not
 * over in time.
 */
export async function wrongEnds(
  asked: Asked,
  coordinators: readonly [CoordinatorProcess, CoordinatorProcess],
): Promise<string[]> {
  const { request, sentMs, status } = asked;
  if (request.type !== 'drain' || status === undefined) return [];
  const { forMs, deadlineMs } = request.body;
  const lengthMs = forMs ?? deadlineMs ?? 0;
  if (lengthMs < 2 * OFF_MS || lengthMs > MAX_WATCHED_MS) return [];
  const isRunning = ({ nodes }: View): boolean => {
    const node = nodes.get(request.node);
    return forMs === undefined ? node?.drain?.isDone === false : node?.wanted.status === 'draining';
  };
  const found: string[] = [];
  for (const [offMs, expected] of [
    [-OFF_MS, true],
    [OFF_MS, false],
  ] as const) {
    await pause(Math.max(0, sentMs + lengthMs + offMs - nowMs()));
    for (const coordinator of coordinators)
      if (isRunning(await viewOf(coordinator)) !== expected)
        found.push(`${textOf(asked)} is ${expected ? 'over too early' : 'not over in time'} at ${coordinator.name}`);
  }
  return found;
}

/** A request with its answer, for people. */
export function textOf({ request, status, coordinators, error }: Asked): string {
  const { type, at, atMs, body } = request;
  const what = `${type} ${'node' in request ? request.node : 'site'} ${JSON.stringify(body)}`;
  const answer = error ?? `${status} ${JSON.stringify(coordinators ?? 'without coordinators')}`;
  return `the request at ${'ab'[at]} after ${atMs} ms (${what}; answer ${answer})`;
}

function isInForce(request: OperatorRequest, view: View): boolean {
  if (request.type === 'retries')
    return view.balancers.some(({ name, retries }) => name === 'site' && retries === request.body.retries);
  const node = view.nodes.get(request.node);
  if (request.type === 'weight') return node?.weight === request.body.weight;
  return node?.wanted.status === 'draining' && node.wanted.reason === request.body.reason;
}
