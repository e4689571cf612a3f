/**
 * Sends the state of the cluster to all viewers of `GET /v1/watch`: about once a second, and sooner after an event. The state and its
 * difference are made once for all queries, the text of a delta once for all viewers of a query. Without viewers nothing is made.
 */
import type { Writable } from 'node:stream';
import type { WatchSnapshot } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';
import { Channel } from './channel.ts';
import type { FrameEncoding } from './frame.ts';
import { Viewer } from './viewer.ts';
import { bodyOf, deltaOf, differenceOf, type NodeChoice, type WatchState } from './watch-state.ts';

/** A query: which nodes a viewer sees. Equal queries have equal keys. */
export interface WatchQuery {
  readonly key: string;
  readonly choice: NodeChoice;
}

export interface WatchHubOptions {
  readonly clocks: Clocks;
  readonly epoch: string;
  readonly state: (before: WatchState | undefined) => WatchState;
}

export interface WatchRequest {
  readonly query: WatchQuery;
  readonly coordinator: WatchSnapshot['coordinator'];
  readonly output: Writable;
  readonly encoding: FrameEncoding;
  readonly lastEventId: string | undefined;
}

/** Interval between two states, milliseconds. */
const STATE_MS = 1_000;
/** An event is sent within about this time, milliseconds; events within it are sent together. */
const EVENT_MS = 200;
/** Shortest interval between two states, in times of the work for one: the work takes at most a twentieth of the event loop. */
const PAUSE = 20;
/** Without a change an event is sent after this time, milliseconds, so that viewers notice a coordinator that does not answer. */
const QUIET_MS = 2_000;
/** Upper bound of different queries at the same time. */
const MAX_CHANNELS = 32;
/** A channel without viewers is kept for this time, milliseconds, so that a viewer can resume. */
const KEPT_MS = 15_000;

interface OpenChannel {
  readonly channel: Channel;
  readonly viewers: Set<Viewer>;
  sentAtMs: number;
  leftAtMs: number;
}

export class WatchHub {
  readonly #options: WatchHubOptions;
  readonly #channels = new Map<string, OpenChannel>();
  #made = 0;
  #state: WatchState | undefined;
  #madeAtMs = Number.NEGATIVE_INFINITY;
  /** Time that the last state took, with its texts, milliseconds. */
  #costMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(options: WatchHubOptions) {
    this.#options = options;
  }

  /** Number of open streams. */
  get viewers(): number {
    let count = 0;
    for (const { viewers } of this.#channels.values()) count += viewers.size;
    return count;
  }

  /** The snapshot for one answer that is no stream. */
  snapshot({ choice }: WatchQuery, coordinator: WatchSnapshot['coordinator']): WatchSnapshot {
    const state = this.#currentState();
    this.#schedule(STATE_MS);
    return { coordinator, ...bodyOf(state, choice) };
  }

  /** Why a stream of this query cannot begin, in a sentence; `undefined` if it can. */
  refusal({ key }: WatchQuery): string | undefined {
    if (this.#channels.has(key) || this.#channels.size < MAX_CHANNELS || this.#unused() !== undefined) return undefined;
    return `${MAX_CHANNELS} different queries are being watched, the maximum; watch without conditions, or with those of another viewer`;
  }

  /** Begins a stream. Call it if `refusal` has none. */
  open({ query, coordinator, output, encoding, lastEventId }: WatchRequest): Viewer {
    const open = this.#channelOf(query);
    const state = this.#currentState();
    const viewer = new Viewer({
      output,
      channel: open.channel,
      encoding,
      lastEventId,
      beginning: () =>
        open.channel.beginning(membersOf({ coordinator }), () => membersOf(bodyOf(this.#state ?? state, query.choice))),
    });
    open.viewers.add(viewer);
    this.#schedule(STATE_MS);
    return viewer;
  }

  /** The stream of a viewer has ended. */
  leave(viewer: Viewer): void {
    for (const open of this.#channels.values())
      if (open.viewers.delete(viewer)) open.leftAtMs = this.#options.clocks.nowMs();
  }

  /** Something has happened that viewers should see soon. */
  event(): void {
    if (this.#channels.size > 0) this.#schedule(EVENT_MS);
  }

  /** Makes the next state and sends it. Public so that tests need not wait for the timer. */
  pass(): void {
    const { clocks } = this.#options;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    clearTimeout(this.#timer);
    const startMs = clocks.nowMs();
    for (const [key, { viewers, leftAtMs }] of this.#channels)
      if (viewers.size === 0 && startMs - leftAtMs >= KEPT_MS) this.#channels.delete(key);
    if (this.#channels.size === 0) {
      this.#state = undefined;
      return;
    }
    this.#advance(startMs);
    this.#costMs = clocks.nowMs() - startMs;
    this.#schedule(STATE_MS);
  }

  /** Ends all streams. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const { viewers } of this.#channels.values()) for (const viewer of viewers) viewer.end();
    this.#channels.clear();
  }

  #advance(nowMs: number): void {
    const before = this.#state;
    const after = this.#options.state(before);
    this.#state = after;
    this.#madeAtMs = nowMs;
    if (before === undefined) return;
    const difference = differenceOf(before, after);
    for (const open of this.#channels.values()) {
      const delta = deltaOf(difference, open.channel.choice);
      if (delta === undefined && nowMs - open.sentAtMs < QUIET_MS) continue;
      open.channel.add(JSON.stringify(delta ?? { atUnixMs: after.atUnixMs }));
      open.sentAtMs = nowMs;
      for (const viewer of open.viewers) viewer.pump();
    }
  }

  /** The last state if streams keep it up to date, otherwise one that is made now. */
  #currentState(): WatchState {
    const { clocks, state } = this.#options;
    if (this.#state !== undefined && clocks.nowMs() - this.#madeAtMs < 2 * STATE_MS) return this.#state;
    if (this.#channels.size > 0 && this.#state !== undefined) {
      this.#advance(clocks.nowMs());
      return this.#state;
    }
    this.#state = state(undefined);
    this.#madeAtMs = clocks.nowMs();
    return this.#state;
  }

  #channelOf({ key, choice }: WatchQuery): OpenChannel {
    const known = this.#channels.get(key);
    if (known !== undefined) return known;
    if (this.#channels.size >= MAX_CHANNELS) this.#channels.delete(this.#unused() ?? '');
    this.#made += 1;
    const nowMs = this.#options.clocks.nowMs();
    const channel = new Channel(choice, `${this.#options.epoch}-${this.#made}`);
    const open: OpenChannel = { channel, viewers: new Set(), sentAtMs: nowMs, leftAtMs: nowMs };
    this.#channels.set(key, open);
    return open;
  }

  /** Key of a channel without viewers. */
  #unused(): string | undefined {
    for (const [key, { viewers }] of this.#channels) if (viewers.size === 0) return key;
    return undefined;
  }

  /** Plans the next state for `inMs` from now at the latest, but not before the pause after the last one. */
  #schedule(inMs: number): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.clocks.nowMs();
    const pauseMs = Math.max(EVENT_MS, PAUSE * this.#costMs);
    // After a pause an event waits a quarter of the time, for the events that follow it.
    const soonMs = inMs === EVENT_MS ? EVENT_MS / 4 : inMs;
    const dueAtMs = Math.max(nowMs + soonMs, this.#madeAtMs + pauseMs);
    if (dueAtMs >= this.#dueAtMs) return;
    this.#dueAtMs = dueAtMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.pass(), dueAtMs - nowMs);
  }
}

/** The members of an object as JSON, without braces. */
function membersOf(value: object): string {
  return JSON.stringify(value).slice(1, -1);
}
