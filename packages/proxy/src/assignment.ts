/**
 * `GET /.well-known/rollcall/assign?balancer=B`: which node a client that is going to connect directly should use. It is
 * the choice for a new session, or the session's own node. Only balancers with `assign` on are told of.
 */
import { ROUTE_COOKIE } from '@rollcall/core';
import { parseBalancerName } from '@rollcall/protocol';
import type { BalancerView } from './balancer-view.ts';
import { ClusterNode } from './cluster-node.ts';
import type { ClusterRouter } from './cluster-router.ts';
import type { ClusterTable, ClusterView } from './cluster-view.ts';
import { RequestState } from './request-state.ts';
import type { OwnAnswer, RoutableHead } from './routing.ts';

export const ASSIGN_PATH = '/.well-known/rollcall/assign';

/**
 * Query: `balancer`; `path` within it when it serves several contexts; `route` of the node that the client has, when it
 * does not send its cookie; `redirect=1` for 307 instead of JSON.
 */
export function assign(router: ClusterRouter, view: ClusterView, head: RoutableHead, nowMs: number): OwnAnswer {
  const query = new URLSearchParams(head.target.slice(ASSIGN_PATH.length + 1));
  const name = parseBalancerName(query.get('balancer') ?? 'default');
  const balancer = name && view.balancers.get(name);
  if (!balancer?.settings.assign)
    return problem(
      404,
      'not-found',
      'no such balancer, or its nodes are not assigned: rollcall balancer NAME set assign=on',
    );
  const place = placeOf(view.table, balancer, head.host, query.get('path') ?? '');
  if (place === undefined) return unavailable('the balancer has no nodes');
  const state = new RequestState();
  const cookie = withRoute(head.cookie, balancer, query.get('route') ?? '');
  const node = router.decide({ method: 'GET', ...place, cookie }, state, nowMs);
  if (!(node instanceof ClusterNode)) return unavailable(state.because);
  // The others of this moment shall not all get the same node.
  if (state.result === 'new' || state.result === 'none') node.live.placed++;
  const publicUrl = node.publicUrl ?? `${node.isTls ? 'https' : 'http'}://${node.authority}`;
  const body = JSON.stringify({ node: node.id, publicUrl, route: node.route });
  return query.get('redirect') === '1'
    ? { status: '307 Temporary Redirect', fields: `Location: ${publicUrl}\r\n`, body: '' }
    : { status: '200 OK', fields: JSON_FIELDS, body: `${body}\n` };
}

/** Host and target that lead to a context of the balancer: the asked one, else the first. */
function placeOf(
  table: ClusterTable,
  { name }: BalancerView,
  host: string,
  path: string,
): { readonly host: string; readonly target: string } | undefined {
  if (path.startsWith('/')) {
    const found = table.find(host, path);
    return typeof found === 'object' && found.balancer === name ? { host, target: path } : undefined;
  }
  const context = table.contexts.find((candidate) => candidate.balancer === name && candidate.members.length > 0);
  if (context === undefined) return undefined;
  // The pattern itself finds its own contexts only; a name that it covers could be another balancer's.
  return { host: context.host, target: context.path };
}

/** The cookies of the request, and one that names `route` when the client has given it in the query. */
function withRoute(cookie: string, { settings }: BalancerView, route: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(route)) return cookie;
  const { mode, cookies } = settings.sticky;
  const name = mode === 'insert' ? ROUTE_COOKIE : cookies[0];
  if (name === undefined) return cookie;
  const own = `${name}=assigned.${route}`;
  return cookie === '' ? own : `${cookie}; ${own}`;
}

const JSON_FIELDS = 'Content-Type: application/json\r\n';

function unavailable(because: string): OwnAnswer {
  const answer = problem(503, 'unavailable', because);
  return { ...answer, fields: `${answer.fields}Retry-After: 2\r\n` };
}

function problem(status: 404 | 503, code: string, detail: string): OwnAnswer {
  const title = status === 404 ? 'Not Found' : 'Service Unavailable';
  const body = `${JSON.stringify({ type: 'about:blank', title, status, code, detail })}\n`;
  return { status: `${status} ${title}`, fields: 'Content-Type: application/problem+json\r\n', body };
}
