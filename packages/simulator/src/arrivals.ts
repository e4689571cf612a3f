/** Arrivals of requests: from clients without sessions, or from sessions that log in, send requests, and end. */
import type { Rng } from '@rollcall/core';
import { boundedPareto, constant, exponential } from './chance.ts';
import type { EventHeap } from './event-heap.ts';
import type { Sessions } from './scenario.ts';

/** The session of one user. */
export interface Session {
  readonly number: number;
  readonly requestsPerSecond: number;
  /** Number of the node that holds the session; `undefined` until the session is placed. */
  home: number | undefined;
  /** Whether a request of the session was answered without an error, so that the client has its cookie. */
  isEstablished: boolean;
  hasEnded: boolean;
}

export interface ArrivalOptions {
  readonly heap: EventHeap;
  readonly now: () => number;
  readonly endMs: number;
  /** Random numbers for each purpose. Each call returns a stream from its start. */
  readonly stream: (what: 'requests' | 'logins' | 'lives') => Rng;
}

/** Plans independent requests: a Poisson process with rate `perMs`, requests per millisecond. */
export function planRequests(perMs: number, options: ArrivalOptions, send: () => void): void {
  const { heap, now, endMs, stream } = options;
  const gap = exponential(1 / perMs, stream('requests'));
  const arrive = (): void => {
    send();
    const nextMs = now() + gap();
    if (nextMs < endMs) heap.plan(nextMs, arrive);
  };
  heap.plan(gap(), arrive);
}

export interface SessionEvents {
  /** Called for each request of a session; the first one is its login. */
  readonly onRequest: (session: Session) => void;
  readonly onEnd: (session: Session) => void;
}

/**
 * Plans a fixed population: exactly `number` sessions at any time, and one Poisson process of requests for all of them. Each request
 * belongs to a random session, in proportion to its activity.
 */
export function planFixedSessions(
  { lifeMs, requestsPerSecond, activity }: Sessions,
  number: number,
  options: ArrivalOptions,
  { onRequest, onEnd }: SessionEvents,
): void {
  const { heap, now, stream } = options;
  const lives = stream('lives');
  const life = exponential(lifeMs, lives);
  const rate = activity
    ? boundedPareto(requestsPerSecond, activity.shape, activity.span, lives)
    : constant(requestsPerSecond);
  const sessions: Session[] = [];
  let greatest = 0;
  let opened = 0;
  const open = (at: number): void => {
    const session = newSession(opened++, rate());
    sessions[at] = session;
    greatest = Math.max(greatest, session.requestsPerSecond);
    heap.plan(now() + life(), () => {
      session.hasEnded = true;
      onEnd(session);
      open(at);
    });
  };
  for (let at = 0; at < number; at++) open(at);
  const which = stream('logins');
  planRequests((number * requestsPerSecond) / 1_000, options, () => {
    // Rejection sampling in proportion to activity. It needs no sums over all sessions.
    let session = sessions[Math.floor(which() * number)]!;
    while (which() * greatest >= session.requestsPerSecond) session = sessions[Math.floor(which() * number)]!;
    onRequest(session);
  });
}

function newSession(number: number, requestsPerSecond: number): Session {
  return { number, requestsPerSecond, home: undefined, isEstablished: false, hasEnded: false };
}

/**
 * Plans an open population: sessions log in at random and send requests independently, `steady` sessions on average. Sessions of
 * the start log in during the first `startMs`. Answers have no influence, so that every rule meets the same requests.
 */
export function planSessions(
  { lifeMs, requestsPerSecond, activity, atStart = 1 }: Sessions,
  steady: number,
  startMs: number,
  options: ArrivalOptions,
  { onRequest, onEnd }: SessionEvents,
): void {
  const { heap, now, endMs, stream } = options;
  const gap = exponential(1, stream('requests'));
  const lives = stream('lives');
  const life = exponential(lifeMs, lives);
  const rate = activity
    ? boundedPareto(requestsPerSecond, activity.shape, activity.span, lives)
    : constant(requestsPerSecond);
  const logins = stream('logins');
  let number = 0;
  const logIn = (): void => {
    const session = newSession(number++, rate());
    const endsMs = now() + life();
    const ask = (): void => {
      onRequest(session);
      const nextMs = now() + (1_000 * gap()) / session.requestsPerSecond;
      if (nextMs < Math.min(endsMs, endMs)) heap.plan(nextMs, ask);
    };
    ask();
    heap.plan(endsMs, () => {
      session.hasEnded = true;
      onEnd(session);
    });
  };
  for (let i = 0; i < Math.round(steady * atStart); i++) heap.plan(logins() * startMs, logIn);
  const loginGap = exponential(lifeMs / steady, logins);
  const arrive = (): void => {
    logIn();
    const nextMs = now() + loginGap();
    if (nextMs < endMs) heap.plan(nextMs, arrive);
  };
  heap.plan(loginGap(), arrive);
}
