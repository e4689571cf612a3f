/** The cluster as the page knows it: a snapshot, and deltas that are merged into it. Pure; the stream is in `app/stream.ts`. */
import { mergePatch, type WatchDelta, type WatchSnapshot } from '@rollcall/protocol';

/** Connection of the page to the coordinator. */
export type Link =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** The coordinator does not answer. `why` is a sentence, or empty. */
  | { readonly state: 'lost'; readonly why: string }
  /** The coordinator answers, and refuses: a login is needed. */
  | { readonly state: 'refused'; readonly why: string };

/** Everything that the views read. */
export interface Live {
  readonly link: Link;
  /** Absent until the first snapshot. */
  readonly cluster?: WatchSnapshot;
  /** Browser time of the last sign of life, Unix milliseconds. */
  readonly seenAtMs: number;
  /** Time of the coordinator minus time of the browser, milliseconds. */
  readonly skewMs: number;
}

export const NOTHING_YET: Live = { link: { state: 'connecting' }, seenAtMs: 0, skewMs: 0 };

/** Input of the reducer. */
export type LiveInput =
  | { readonly type: 'snapshot'; readonly snapshot: WatchSnapshot }
  | { readonly type: 'delta'; readonly patch: WatchDelta }
  | { readonly type: 'lost'; readonly why: string }
  | { readonly type: 'refused'; readonly why: string };

/** The next state. A delta without a snapshot changes nothing. `nowMs` is the time of the browser. */
export function next(live: Live, input: LiveInput, nowMs: number): Live {
  switch (input.type) {
    case 'snapshot':
      return {
        link: { state: 'live' },
        cluster: input.snapshot,
        seenAtMs: nowMs,
        skewMs: input.snapshot.atUnixMs - nowMs,
      };
    case 'delta':
      if (live.cluster === undefined) return live;
      return {
        ...live,
        link: { state: 'live' },
        cluster: mergePatch<WatchSnapshot>(live.cluster, input.patch),
        seenAtMs: nowMs,
      };
    case 'lost':
      return { ...live, link: { state: 'lost', why: input.why } };
    case 'refused':
      return { ...live, link: { state: 'refused', why: input.why } };
  }
}
