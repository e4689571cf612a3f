/** State of the page, as signals: the cluster, the place, the clock, and what the user has opened. */

import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Role } from '@rollcall/protocol';
import type { Act } from '../model/commands.ts';
import { type Live, type LiveInput, NOTHING_YET, next } from '../model/live.ts';
import { type Listed, nodeList } from '../model/node-list.ts';
import { hrefOf, type Place, placeOf } from '../model/place.ts';
import { type VerdictLine, verdictLine } from '../model/verdict-line.ts';

export const live: Signal<Live> = signal(NOTHING_YET);

export function take(input: LiveInput): void {
  live.value = next(live.value, input, Date.now());
}

/** Time of the browser, once a second. */
export const clockMs: Signal<number> = signal(Date.now());
/** Time of the coordinator, once a second. */
export const clusterMs: ReadonlySignal<number> = computed(() => clockMs.value + live.value.skewMs);

/** Times in UTC instead of the zone of the browser. */
export const isUtc: Signal<boolean> = signal(false);

export const place: Signal<Place> = signal(placeOf(location.pathname, location.search));

/** Opens a place. `isStep`: the button "back" returns to the present one. */
export function go(change: Partial<Place>, isStep = true): void {
  const wanted = { ...place.value, ...change };
  const href = hrefOf(wanted);
  if (isStep) history.pushState(null, '', href);
  else history.replaceState(null, '', href);
  place.value = wanted;
}

/** Role of this browser at the coordinator. */
export const role: ReadonlySignal<Role> = computed(() => live.value.cluster?.coordinator.role ?? 'viewer');
/** Acts are possible: the role allows them, and the coordinator answers. */
export const canAct: ReadonlySignal<boolean> = computed(() => role.value === 'operator' || role.value === 'admin');
export const isLive: ReadonlySignal<boolean> = computed(() => live.value.link.state === 'live');

export const verdict: ReadonlySignal<VerdictLine> = computed(() => verdictLine(live.value, clockMs.value, isUtc.value));

/** Rows of the node table. */
export const listed: ReadonlySignal<readonly Listed[]> = computed(() => {
  return nodeList(live.value.cluster?.nodes ?? {}, place.value, clusterMs.value);
});

/** Ids of the nodes that are selected. */
export const selected: Signal<ReadonlySet<string>> = signal(new Set<string>());
/** Id of the row that keys act on. */
export const current: Signal<string | undefined> = signal(undefined);

export function toggle(id: string): void {
  const ids = new Set(selected.value);
  if (!ids.delete(id)) ids.add(id);
  selected.value = ids;
}

/** What is open above the page. */
export type Dialog =
  | { readonly type: 'act'; readonly act: Act }
  | { readonly type: 'login'; readonly why: string }
  | { readonly type: 'help' };
export const dialog: Signal<Dialog | undefined> = signal(undefined);

/** A message that disappears by itself. `changes` are ids of changes that can be undone. */
export interface Toast {
  readonly text: string;
  readonly isError: boolean;
  readonly changes: readonly string[];
  readonly untilMs: number;
}
export const toast: Signal<Toast | undefined> = signal(undefined);

const TOAST_MS = 30_000;

export function show(text: string, isError = false, changes: readonly string[] = []): void {
  toast.value = { text, isError, changes, untilMs: Date.now() + TOAST_MS };
}
