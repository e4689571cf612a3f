/**
 * `GET /.well-known/rollcall/assign?balancer=B`: assigns a node to a client that is going to connect directly. It is the
 * choice for a new session, or the node of the client's session. Only balancers with `assign` on are served.
 */
import { parseBalancerName } from '@rollcall/protocol';
import type { BalancerView } from '../cluster/balancer-view.ts';
import { ClusterNode } from '../cluster/cluster-node.ts';
import type { ClusterTable, ClusterView } from '../cluster/cluster-view.ts';
import type { OwnAnswer, RoutableHead } from '../engine/router.ts';
import type { ClusterRouter } from './cluster-router.ts';
import { RequestState } from './request-state.ts';

export const ASSIGN_PATH = '/.well-known/rollcall/assign';

/**
 * Query parameters: `balancer`. `path` is needed when the balancer serves several contexts. `route` names the client's node
 * when the client does not send its cookie. `redirect=1` requests 307 instead of JSON.
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
  // Clients that ask at the same time must not all get the same node.
  if (state.result === 'new' || state.result === 'none') node.live.placed++;
  if (node.isAjp && node.feedNode.publicUrl === undefined)
    return unavailable(`${node.id} has an ajp address and no public URL`);
  const publicUrl = node.feedNode.publicUrl ?? `${node.isTls ? 'https' : 'http'}://${node.authority}`;
  const body = JSON.stringify({ node: node.id, publicUrl, route: node.route });
  return query.get('redirect') === '1'
    ? { status: '307 Temporary Redirect', fields: `Location: ${publicUrl}\r\n`, body: '' }
    : { status: '200 OK', fields: JSON_FIELDS, body: `${body}\n` };
}

/** Host and target that match a context of the balancer: the requested one, otherwise the first. */
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
  // The pattern itself matches only its own contexts. A name that it covers could belong to another balancer.
  return { host: context.host, target: context.path };
}

/** The cookies of the request, and one that names `route` when the query has it. */
function withRoute(cookie: string, { settings }: BalancerView, route: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(route)) return cookie;
  const { mode, cookies, routeCookie } = settings.sticky;
  const name = mode === 'insert' ? routeCookie.name : cookies[0];
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
