/**
 * Describes findings of the sticky self-check in one sentence with the remedy. Contains names of cookies and routes, never
 * values.
 */
import type { StickyFinding, StickyProblem, WrongRoute } from '@rollcall/core';

/** Tomcat 10.1 and later read jvmRoute only from server.xml; earlier versions also from the system property. */
const TOMCAT_REMEDY =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Tomcat replaces it with the system property.
  'write <Engine jvmRoute="${jvmRoute}" …> in the server.xml of Tomcat and start it with -DjvmRoute={route}';

/** How to set the route of a program, by the cookie or parameter that carries its session id. */
const REMEDIES: Readonly<Record<string, string>> = {
  JSESSIONID: TOMCAT_REMEDY,
  jsessionid: TOMCAT_REMEDY,
  'connect.sid': 'give express-session genid: () => node.sessionId()',
  sessionId: 'give @fastify/session idGenerator: () => node.sessionId()',
  PHPSESSID: 'PHP cannot write routes; set sticky mode insert or rewrite',
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
      return `${bad} of the last ${of} visitors of balancer ${balancer} did not send the cookie ${finding.routeCookie.name} back, so each of their requests opens a new session: let clients and whatever is in front of them keep cookies, or carry the session in the URL with sticky mode suffix.`;
    case 'changing-ids':
      return `${bad} of the last ${of} new session ids of balancer ${balancer} replaced the id of a session that is known, as signed cookies of Flask do with each answer, so each counts as another session: set sticky mode insert (--sticky insert).`;
    case 'route-lost':
      return `${bad} of the last ${of} new sessions of balancer ${balancer} came with the session cookie ${name} of the program and without the cookie ${finding.routeCookie.name}, so their earlier sessions were lost: ${routeLostRemedy(finding)}.`;
    default:
      return problem satisfies never;
  }
}

/** The attribute that most likely keeps the route cookie away, first. */
function routeLostRemedy({ balancer, name, routeCookie }: StickyFinding): string {
  const set = `rollcall balancer ${balancer} set`;
  const remedies: string[] = [];
  if (routeCookie.sameSite !== 'None')
    remedies.push(
      `if other sites post to it (SAML, form_post) or show it in a frame, ${set} route-cookie-same-site=None route-cookie-secure=always`,
    );
  if (routeCookie.lifetime.ends === 'session')
    remedies.push(`if ${name} outlives the browser, ${set} route-cookie-lifetime=whole:DURATION`);
  else if ('afterMs' in routeCookie.lifetime)
    remedies.push(`if ${name} lives longer, ${set} a longer route-cookie-lifetime`);
  remedies.push(`sessions from before this proxy was in front are counted once`);
  return remedies.join('; ');
}

export function stickyOverSentence({ balancer, problem }: StickyFinding): string {
  return `the sticky self-check of balancer ${balancer} is fine again: ${OVER[problem]}`;
}

const OVER: Readonly<Record<StickyProblem, string>> = {
  'no-route': 'new session ids carry a route',
  'other-route': 'no node writes an unknown route',
  'same-route': 'no node writes the route of another',
  'cookie-name': 'sessions are in the configured cookies',
  'no-cookies': 'clients return their cookies',
  'changing-ids': 'sessions keep their ids',
  'route-lost': 'clients with a session send its route',
};

function otherRoute({ node, registered, writes }: WrongRoute): string {
  return `node ${node} registered route ${registered} but writes .${writes}`;
}

function sameRoute({ node, registered, writes, owner }: WrongRoute): string {
  return `node ${node} registered route ${registered} but writes .${writes}, which is the route of node ${owner}`;
}

function routeRemedy(name: string): string {
  const remedy = name === 'PHPSESSID' ? undefined : REMEDIES[name];
  return `; let it write the one it registered: ${remedy ?? 'ROLLCALL_ROUTE has it'}`;
}
