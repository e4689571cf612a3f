/**
 * The state of `rollcall top`, and what each event changes. Pure: the terminal and the coordinator are elsewhere.
 *
 * - `rows`: the keys d, e and s open a question, / the search, ? the help.
 * - `question`: y sends the write, once its effect is shown. Any other key returns to the rows.
 * - `search`: each character filters. Enter keeps the filter, Esc drops it.
 * - `help`: any key returns to the rows.
 */
import type { Key } from './keys.ts';
import type { NodeRow, View } from './view.ts';

export type Verb = 'drain' | 'enable' | 'stop';
const VERB_KEYS: Readonly<Record<Key, Verb>> = { d: 'drain', e: 'enable', s: 'stop' };
/** Most nodes of one write. */
const MAX_TARGETS = 100;

export const ORDERS = ['name', 'errors', 'load', 'sessions', 'requests'] as const;
export type OrderKey = (typeof ORDERS)[number];

export interface Question {
  readonly verb: Verb;
  readonly nodes: readonly string[];
  /** The effect, by the dry run of the coordinator; absent until it has answered. */
  readonly effect?: string;
}

export interface TopState {
  /** Absent until the first answer. */
  readonly view?: View;
  /** Why the view is not current; absent: it is. */
  readonly lost?: string;
  /** The node of the cursor. It stays on its node while rows change. */
  readonly cursor?: string;
  readonly selected: ReadonlySet<string>;
  readonly order: OrderKey;
  readonly search: string;
  readonly mode: 'rows' | 'search' | 'question' | 'help';
  readonly question?: Question;
  readonly notice?: { readonly text: string; readonly isBad: boolean };
}

export const START: TopState = { selected: new Set(), order: 'name', search: '', mode: 'rows' };

export type TopEvent =
  | { readonly type: 'view'; readonly view: View }
  | { readonly type: 'lost'; readonly reason: string }
  /** Number of node rows on the screen. */
  | { readonly type: 'key'; readonly key: Key; readonly page: number }
  | { readonly type: 'preview'; readonly question: Question; readonly effect: string }
  | { readonly type: 'answer'; readonly text: string; readonly isBad: boolean };

export type Effect =
  | { readonly type: 'quit' }
  | { readonly type: 'suspend' }
  /** A dry run: its effect belongs into the question. */
  | { readonly type: 'preview'; readonly question: Question }
  | { readonly type: 'write'; readonly question: Question };

export interface Step {
  readonly state: TopState;
  readonly effect?: Effect;
}

export function step(state: TopState, event: TopEvent): Step {
  switch (event.type) {
    case 'view': {
      const { lost: _, ...rest } = state;
      return { state: placed({ ...rest, view: event.view }) };
    }
    case 'lost':
      return { state: { ...state, lost: event.reason } };
    case 'preview':
      return { state: previewed(state, event.question, event.effect) };
    case 'answer':
      return { state: { ...state, notice: { text: event.text, isBad: event.isBad } } };
    case 'key':
      return afterKey(state, event.key, event.page);
  }
}

/** The nodes that match the search, in the chosen order. */
export function shownNodes({ view, search, order }: TopState): readonly (readonly [id: string, row: NodeRow])[] {
  if (view === undefined) return [];
  const words = search.toLowerCase().split(' ').filter(Boolean);
  return Object.entries(view.nodes)
    .filter(([id, row]) => {
      const text = searchedText(id, row);
      return words.every((word) => text.includes(word));
    })
    .sort(
      ([oneId, one], [otherId, other]) =>
        figureOf(other, order) - figureOf(one, order) ||
        compare(one.balancer, other.balancer) ||
        compare(oneId, otherId),
    );
}

function searchedText(id: string, { balancer, group = '', version = '', liveness, status, isEjected, note }: NodeRow) {
  return `${id} ${balancer} ${group} ${version} ${liveness} ${status} ${isEjected ? 'ejected' : ''} ${note}`.toLowerCase();
}

function figureOf({ rates, load = -1, sessions }: NodeRow, order: OrderKey): number {
  switch (order) {
    case 'name':
      return 0;
    case 'errors':
      return errorRatio(rates);
    case 'load':
      return load;
    case 'sessions':
      return sessions;
    case 'requests':
      return rates.requestsPerSecond;
  }
}

/** 0 … 1; 0 without requests. */
export function errorRatio({ requestsPerSecond, errorsPerSecond }: NodeRow['rates']): number {
  return requestsPerSecond > 0 ? Math.min(1, errorsPerSecond / requestsPerSecond) : 0;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

/** The state with its cursor on a shown node, and without selected nodes that are no longer listed. */
function placed(state: TopState): TopState {
  const shown = shownNodes(state);
  const selected = new Set([...state.selected].filter((id) => Object.hasOwn(state.view?.nodes ?? {}, id)));
  const isShown = shown.some(([id]) => id === state.cursor);
  const { cursor: _, ...rest } = state;
  const cursor = isShown ? state.cursor : shown[0]?.[0];
  return { ...rest, selected, ...(cursor === undefined ? {} : { cursor }) };
}

function afterKey(state: TopState, key: Key, page: number): Step {
  if (key === 'interrupt') return { state, effect: { type: 'quit' } };
  if (key === 'suspend') return { state, effect: { type: 'suspend' } };
  switch (state.mode) {
    case 'help':
      return { state: { ...state, mode: 'rows' } };
    case 'search':
      return { state: placed(searching(state, key)) };
    case 'question':
      return answered(state, key);
    case 'rows':
      return inRows(withoutNotice(state), key, page);
  }
}

function searching(state: TopState, key: Key): TopState {
  if (key === 'enter') return { ...state, mode: 'rows' };
  if (key === 'escape') return { ...state, mode: 'rows', search: '' };
  if (key === 'backspace') return { ...state, search: [...state.search].slice(0, -1).join('') };
  return [...key].length === 1 ? { ...state, search: state.search + key } : state;
}

function answered({ question, ...state }: TopState, key: Key): Step {
  const rows: TopState = { ...state, mode: 'rows' };
  if (question === undefined) return { state: rows };
  // Without the answer of the dry run the operator has not seen the effect.
  if (key === 'y' && question.effect === undefined) return { state: { ...state, question, mode: 'question' } };
  if (key !== 'y') return { state: { ...rows, notice: { text: 'nothing was changed', isBad: false } } };
  return { state: { ...rows, selected: new Set() }, effect: { type: 'write', question } };
}

/** The effect of the question, if it is still open. */
function previewed(state: TopState, question: Question, effect: string): TopState {
  if (state.question !== question) return state;
  return { ...state, question: { ...question, effect } };
}

function inRows(state: TopState, key: Key, page: number): Step {
  const verb = VERB_KEYS[key];
  if (verb !== undefined) return asked(state, verb);
  switch (key) {
    case 'q':
      return { state, effect: { type: 'quit' } };
    case '?':
      return { state: { ...state, mode: 'help' } };
    case '/':
      return { state: { ...state, mode: 'search' } };
    case 'escape':
      return { state: placed({ ...state, search: '', selected: new Set() }) };
    case 'o':
      return { state: { ...state, order: ORDERS[(ORDERS.indexOf(state.order) + 1) % ORDERS.length]! } };
    case 'x':
    case ' ':
      return { state: moved(toggled(state), 1) };
    case 'j':
    case 'down':
      return { state: moved(state, 1) };
    case 'k':
    case 'up':
      return { state: moved(state, -1) };
    case 'page-down':
      return { state: moved(state, page) };
    case 'page-up':
      return { state: moved(state, -page) };
    case 'g':
    case 'home':
      return { state: moved(state, Number.NEGATIVE_INFINITY) };
    case 'G':
    case 'end':
      return { state: moved(state, Number.POSITIVE_INFINITY) };
    default:
      return { state };
  }
}

function asked(state: TopState, verb: Verb): Step {
  const nodes = state.selected.size > 0 ? [...state.selected] : state.cursor === undefined ? [] : [state.cursor];
  if (state.lost !== undefined)
    return {
      state: { ...state, notice: { text: 'the coordinator does not answer: nothing can be changed', isBad: true } },
    };
  if (nodes.length === 0) return { state };
  if (nodes.length > MAX_TARGETS)
    return { state: { ...state, notice: { text: `at most ${MAX_TARGETS} nodes can be selected`, isBad: true } } };
  const question: Question = { verb, nodes };
  return { state: { ...state, mode: 'question', question }, effect: { type: 'preview', question } };
}

function toggled(state: TopState): TopState {
  if (state.cursor === undefined) return state;
  const selected = new Set(state.selected);
  if (!selected.delete(state.cursor)) selected.add(state.cursor);
  return { ...state, selected };
}

function moved(state: TopState, by: number): TopState {
  const shown = shownNodes(state);
  if (shown.length === 0) return state;
  const at = shown.findIndex(([id]) => id === state.cursor);
  const next = Math.min(shown.length - 1, Math.max(0, at + by));
  return { ...state, cursor: shown[next]![0] };
}

function withoutNotice({ notice: _, ...state }: TopState): TopState {
  return state;
}
