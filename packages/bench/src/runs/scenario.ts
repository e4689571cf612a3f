/** A scenario: the kind of traffic, and the functions of the proxy. */
import { type Front, PLAIN_FRONT } from '../contenders/contender.ts';
import type { Traffic } from '../load/messages.ts';
import type { RequestShape } from '../load/request-text.ts';
import { CHUNKED, KIB, KIB_64, MIB, type Page, SMALL, SOCKET_PATH, UPLOAD_PATH } from '../nodes/answers.ts';
import { cheapestKind, type NodeKind } from '../nodes/site-nodes.ts';

export interface Scenario {
  /** Name in `--rows`. */
  readonly name: string;
  readonly title: string;
  readonly traffic: Traffic;
  readonly nodes: NodeKind;
  readonly front: Front;
  /** `requests`: CPU time per request. `idle`: memory per idle connection. */
  readonly measures: 'requests' | 'idle';
  /** Number of connections; default `--conns`. */
  readonly connections?: number;
}

const UPLOAD_BYTES = 65_536;
const IDLE_CONNECTIONS = 1_000;

function get({ path, bodyBytes }: Page, more: Partial<RequestShape & Traffic> = {}): Traffic {
  const { closes = false, isTls = false, keepsCookies = false } = more;
  const request = { method: 'GET', path, uploadBytes: 0, closes } as const;
  return { kind: 'http', request, expected: { status: 200, bodyBytes }, isTls, keepsCookies };
}

function scenario(name: string, title: string, traffic: Traffic, more: Partial<Scenario> = {}): Scenario {
  return { name, title, traffic, nodes: cheapestKind(), front: PLAIN_FRONT, measures: 'requests', ...more };
}

const UPLOAD: Traffic = {
  ...get(SMALL),
  request: { method: 'POST', path: UPLOAD_PATH, uploadBytes: UPLOAD_BYTES, closes: false },
  expected: { status: 204, bodyBytes: 0 },
};
const TUNNEL: Traffic = { ...get(SMALL), kind: 'tunnel', request: { ...get(SMALL).request, path: SOCKET_PATH } };

/** Small responses on keep-alive connections. With sticky sessions each request is a new session, the most expensive case. */
export function smallAnswers(): Scenario {
  return scenario('small', 'small answers', get(SMALL));
}

/** The same with clients that keep their session. */
export function returningClients(): Scenario {
  return scenario('returning', 'small answers, clients send their cookies back', get(SMALL, { keepsCookies: true }));
}

/** All rows of `--full`, in order. */
export function fullScenarios(): readonly Scenario[] {
  return [
    smallAnswers(),
    returningClients(),
    scenario('1k', 'answers of 1 KiB', get(KIB)),
    scenario('64k', 'answers of 64 KiB', get(KIB_64)),
    scenario('1m', 'answers of 1 MiB', get(MIB)),
    scenario('upload', 'uploads of 64 KiB', UPLOAD, { nodes: 'ours' }),
    scenario('chunked', 'answers in 8 chunks of 1 KiB', get(CHUNKED), { nodes: 'ours' }),
    scenario('connect', 'a connection for each request', get(SMALL, { closes: true })),
    scenario('tunnel', 'WebSocket messages, there and back', TUNNEL, { nodes: 'ours' }),
    scenario('tls', 'TLS, small answers', get(SMALL, { isTls: true }), { front: { isTls: true, logsAccess: false } }),
    scenario('log', 'access log on, small answers', get(SMALL), { front: { isTls: false, logsAccess: true } }),
    scenario('idle', 'idle connections', get(SMALL), { measures: 'idle', connections: IDLE_CONNECTIONS }),
  ];
}
