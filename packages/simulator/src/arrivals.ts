/** Where requests come from: clients without sessions, or sessions that log in, ask now and then, and end. */
import type { Rng } from '@rollcall/core';
import { boundedPareto, constant, exponential } from './chance.ts';
import type { EventHeap } from './event-heap.ts';
import type { Sessions } from './scenario.ts';

/** One user's session. */
export interface Session {
  readonly number: number;
  readonly requestsPerSecond: number;
  /** Number of the node it lives on; `undefined` until it was placed. */
  home: number | undefined;
  /** True once a request of it was answered well: the client has its cookie. */
  isEstablished: boolean;
  hasEnded: boolean;
}

export interface ArrivalOptions {
  readonly heap: EventHeap;
  readonly now: () => number;
  readonly endMs: number;
  /** Streams of chance by what they decide; each call begins the stream anew. */
  readonly stream: (what: 'requests' | 'logins' | 'lives') => Rng;
}

/** Requests that have nothing to do with each other, so many per millisecond. */
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
  /** A request; the first one opens the session. */
  readonly onRequest: (session: Session) => void;
  readonly onEnd: (session: Session) => void;
}

/**
 * As `planSessions` does for a population that is fixed: exactly `number` sessions at any time, none of which asks by a clock of
 * its own.
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
    // Any session by chance, taken in proportion to its activity: quick enough, and no sums to keep up to date.
    let session = sessions[Math.floor(which() * number)]!;
    while (which() * greatest >= session.requestsPerSecond) session = sessions[Math.floor(which() * number)]!;
    onRequest(session);
  });
}

function newSession(number: number, requestsPerSecond: number): Session {
  return { number, requestsPerSecond, home: undefined, isEstablished: false, hasEnded: false };
}

/**
 * Sessions, `steady` of them at any time in the mean; those of the start log in during `startMs`. What they do is decided
 * by chance alone and not by answers, so that every rule meets the same.
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
