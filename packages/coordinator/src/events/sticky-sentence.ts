/** What the sticky self-check has found, in one sentence with the remedy. Names of cookies and routes, never values. */
import type { StickyFinding, StickyProblem, WrongRoute } from '@rollcall/core';

/** Tomcat 10.1 and later read jvmRoute from server.xml alone; earlier ones from either. */
const TOMCAT_REMEDY =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Tomcat replaces it with the system property.
  'write <Engine jvmRoute="${jvmRoute}" …> in the server.xml of Tomcat and start it with -DjvmRoute={route}';

/** How programs are told their route, by the cookie or parameter that carries their session id. */
const REMEDIES: Readonly<Record<string, string>> = {
  JSESSIONID: TOMCAT_REMEDY,
  jsessionid: TOMCAT_REMEDY,
  'connect.sid': 'give express-session genid: () => node.sessionId()',
  sessionId: 'give @fastify/session idGenerator: () => node.sessionId()',
  PHPSESSID: 'PHP cannot write routes, so set sticky mode insert or rewrite',
  _s: "start each image with WAAdmin makeAllClusteredWith: '{route}'",
};
const ANY_REMEDY = 'end each new id with a dot and the route (ROLLCALL_ROUTE), or set sticky mode insert';

export function stickySentence(finding: StickyFinding): string {
  const { balancer, problem, bad, of, name } = finding;
  switch (problem) {
    case 'no-route':
      return `${bad} of the last ${of} new session ids of balancer ${balancer} (in ${name}) carry no route, so their sessions do not stay on a node: ${REMEDIES[name] ?? ANY_REMEDY}.`;
    case 'other-route':
      return `${bad} of the last ${of} new session ids of balancer ${balancer} carry a route that no node has: ${finding.writes.map(otherRoute).join('; ')}${routeRemedy(name)}.`;
    case 'same-route':
      return `${bad} of the last ${of} new session ids of balancer ${balancer} carry the route of another node, so their sessions go there: ${finding.writes.map(sameRoute).join('; ')}${routeRemedy(name)}.`;
    case 'cookie-name':
      return `Balancer ${balancer} looks for sessions in ${finding.cookies.join(', ')}, but its programs set ${name}, so their sessions do not stay on a node: name that cookie (--session-cookie ${name}).`;
    case 'no-cookies':
      return `${bad} of the last ${of} visitors of balancer ${balancer} did not send the cookie rc_route back, so each of their requests opens a new session: let clients and whatever is in front of them keep cookies, or carry the session in the URL with sticky mode suffix.`;
    case 'changing-ids':
      return `${bad} of the last ${of} new session ids of balancer ${balancer} replaced the id of a session that is known, as signed cookies of Flask do with each answer, so each counts as another session: set sticky mode insert (--sticky insert).`;
    default:
      return problem satisfies never;
  }
}

export function stickyOverSentence({ balancer, problem }: StickyFinding): string {
  return `the sticky self-check of balancer ${balancer} is fine again: ${OVER[problem]}`;
}

const OVER: Readonly<Record<StickyProblem, string>> = {
  'no-route': 'new session ids carry a route',
  'other-route': 'no node writes an unknown route',
  'same-route': 'no node writes the route of another',
  'cookie-name': 'sessions are in the cookies that are looked into',
  'no-cookies': 'visitors send their cookies back',
  'changing-ids': 'sessions keep their ids',
};

function otherRoute({ node, registered, writes }: WrongRoute): string {
  return `node ${node} registered route ${registered} but writes .${writes}`;
}

function sameRoute({ node, registered, writes, owner }: WrongRoute): string {
  return `node ${node} registered route ${registered} but writes .${writes}, which is the route of node ${owner}`;
}

function routeRemedy(name: string): string {
  const remedy = name === 'PHPSESSID' ? undefined : REMEDIES[name];
  return `; let it write the one it registered: ${remedy ?? 'ROLLCALL_ROUTE tells it'}`;
}
