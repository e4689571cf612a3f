import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keysIn } from './keys.ts';
import { START, shownNodes, step, type TopEvent, type TopState } from './model.ts';
import type { NodeRow, View } from './view.ts';

const QUIET = { requestsPerSecond: 0, errorsPerSecond: 0 };
const row = (more: Partial<NodeRow> = {}): NodeRow => ({
  balancer: 'shop',
  liveness: 'up',
  status: 'enabled',
  sessions: 0,
  sessionsSeenOnce: 0,
  inFlight: 0,
  rates: QUIET,
  isEjected: false,
  note: '',
  ...more,
});
const viewWith = (nodes: Record<string, NodeRow>): View => ({
  atUnixMs: 1_000,
  verdict: { line: 'All well', problems: [] },
  totals: QUIET,
  balancers: {},
  nodes,
});
const FOUR = viewWith({
  b2: row({ sessions: 5, rates: { requestsPerSecond: 10, errorsPerSecond: 6 }, note: 'ejected 2s ago: errors' }),
  a1: row({ sessions: 9, group: 'eu-1' }),
  b1: row({ load: 0.9 }),
  c1: row({ balancer: 'api', version: '1.4' }),
});

/** The state after these events; a text is its keys one after another. */
function after(...events: readonly (TopEvent | View | string)[]): TopState {
  return events.reduce<TopState>((state, event) => {
    if (typeof event === 'string')
      return keysIn(event).reduce((now, key) => step(now, { type: 'key', key, page: 2 }).state, state);
    return step(state, 'type' in event ? event : { type: 'view', view: event }).state;
  }, START);
}

const ids = (state: TopState): string[] => shownNodes(state).map(([id]) => id);

test('nodes are listed by balancer and name, and the cursor begins at the first', () => {
  const state = after(FOUR);
  assert.deepEqual(ids(state), ['c1', 'a1', 'b1', 'b2']);
  assert.equal(state.cursor, 'c1');
});

test('the cursor moves by rows, pages, and to both ends', () => {
  assert.equal(after(FOUR, 'jj').cursor, 'b1');
  assert.equal(after(FOUR, 'jjjjjj').cursor, 'b2', 'it stops at the end');
  assert.equal(after(FOUR, 'k').cursor, 'c1');
  assert.equal(after(FOUR, '\u001b[6~').cursor, 'b1');
  assert.equal(after(FOUR, 'G').cursor, 'b2');
  assert.equal(after(FOUR, 'Gg').cursor, 'c1');
  assert.equal(after(FOUR, '\u001b[B\u001b[B\u001b[A').cursor, 'a1');
});

test('the cursor stays on its node while rows come and go, and moves to the first when its node goes', () => {
  const { a1: _, ...others } = FOUR.nodes;
  assert.equal(after(FOUR, 'jj', viewWith({ ...FOUR.nodes, a0: row() })).cursor, 'b1');
  assert.equal(after(FOUR, 'j', viewWith(others)).cursor, 'c1');
  assert.equal(after(FOUR, viewWith({})).cursor, undefined);
});

test('a search has words of names, groups, versions, states and notes', () => {
  assert.deepEqual(ids(after(FOUR, '/shop')), ['a1', 'b1', 'b2']);
  assert.deepEqual(ids(after(FOUR, '/ejected b2')), ['b2']);
  assert.deepEqual(ids(after(FOUR, '/eu-1')), ['a1']);
  assert.deepEqual(ids(after(FOUR, '/1.4\r')), ['c1']);
  assert.deepEqual(ids(after(FOUR, '/b1x\u007f')), ['b1']);
  assert.equal(after(FOUR, '/b1').cursor, 'b1', 'the cursor is on a shown node');
  assert.equal(ids(after(FOUR, '/b1\u001b')).length, 4, 'Esc ends it');
  assert.equal(after(FOUR, '/dq').mode, 'search', 'keys are text');
});

test('o changes the order; figures descend', () => {
  assert.deepEqual(ids(after(FOUR, 'o'))[0], 'b2', 'errors');
  assert.deepEqual(ids(after(FOUR, 'oo'))[0], 'b1', 'load');
  assert.deepEqual(ids(after(FOUR, 'ooo')).slice(0, 2), ['a1', 'b2'], 'sessions');
  assert.deepEqual(ids(after(FOUR, 'oooo'))[0], 'b2', 'requests');
  assert.equal(after(FOUR, 'ooooo').order, 'name');
});

test('a verb is applied only after its effect was shown and y was pressed', () => {
  const asked = step(after(FOUR, 'j'), { type: 'key', key: 'd', page: 2 });
  assert.equal(asked.effect?.type, 'preview');
  const question = asked.state.question!;
  assert.deepEqual([question.verb, question.nodes], ['drain', ['a1']]);
  const early = step(asked.state, { type: 'key', key: 'y', page: 2 });
  assert.equal(early.effect, undefined, 'the effect is not known yet');
  assert.equal(early.state.mode, 'question');
  const shown = step(early.state, { type: 'preview', question, effect: 'visitors get 503' }).state;
  assert.equal(shown.question?.effect, 'visitors get 503');
  const write = step(shown, { type: 'key', key: 'y', page: 2 });
  assert.deepEqual(write.effect?.type === 'write' && write.effect.question.nodes, ['a1']);
  const refused = step(shown, { type: 'key', key: 'n', page: 2 });
  assert.equal(refused.effect, undefined);
  assert.equal(refused.state.notice?.text, 'nothing was changed');
  assert.equal(refused.state.mode, 'rows');
});

test('the effect of an earlier question does not answer a later one', () => {
  const first = step(after(FOUR), { type: 'key', key: 's', page: 2 }).state;
  const second = step(after(FOUR, 'j'), { type: 'key', key: 's', page: 2 }).state;
  const state = step(second, { type: 'preview', question: first.question!, effect: 'of another node' }).state;
  assert.equal(state.question?.effect, undefined);
});

test('a verb concerns the selected nodes, and the selection ends with the write', () => {
  const state = after(FOUR, 'xjx');
  assert.deepEqual([...state.selected], ['c1', 'b1']);
  assert.deepEqual([...after(FOUR, 'xkx').selected], [], 'x again takes it off');
  const asked = step(state, { type: 'key', key: 'e', page: 2 }).state;
  assert.deepEqual(asked.question?.nodes, ['c1', 'b1']);
  const shown = step(asked, { type: 'preview', question: asked.question!, effect: '-' }).state;
  assert.equal(step(shown, { type: 'key', key: 'y', page: 2 }).state.selected.size, 0);
  assert.deepEqual([...after(FOUR, 'x', viewWith({ a1: row() })).selected], [], 'a node that goes is not selected');
});

test('nothing can be changed while the coordinator does not answer', () => {
  const lost: TopEvent = { type: 'lost', reason: 'cannot connect' };
  const asked = step(after(FOUR, lost), { type: 'key', key: 'd', page: 2 });
  assert.equal(asked.effect, undefined);
  assert.match(asked.state.notice?.text ?? '', /does not answer/);
  assert.equal(after(FOUR, lost, FOUR).lost, undefined, 'until the next view');
});

test('q and Ctrl-C quit, Ctrl-Z suspends, and any key leaves the help', () => {
  const effectOf = (state: TopState, key: string) => step(state, { type: 'key', key, page: 2 }).effect?.type;
  assert.equal(effectOf(after(FOUR), 'q'), 'quit');
  assert.equal(effectOf(after(FOUR, '/'), 'interrupt'), 'quit');
  assert.equal(effectOf(after(FOUR), 'suspend'), 'suspend');
  assert.equal(after(FOUR, '?').mode, 'help');
  assert.equal(after(FOUR, '?q').mode, 'rows');
});

test('unknown sequences of a terminal are no keys', () => {
  assert.deepEqual(keysIn('\u001b[1;5Cq\u001b[Z'), ['q']);
  assert.deepEqual(keysIn('ä👍\u0001'), ['ä', '👍']);
  assert.deepEqual(keysIn('\u001b'), ['escape']);
});
