import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BalancerName, NodeId } from '@rollcall/protocol';
import { coloured, plain } from '../screen/paint.ts';
import { widthOf } from '../screen/text-width.ts';
import { topLines } from './lines.ts';
import { START, type TopState } from './model.ts';
import type { NodeRow, View } from './view.ts';

const QUIET = { requestsPerSecond: 0, errorsPerSecond: 0 };
const NODE: NodeRow = {
  balancer: 'shop',
  liveness: 'up',
  status: 'enabled',
  load: 0.4,
  sessions: 12,
  sessionsSeenOnce: 0,
  inFlight: 1,
  rates: { requestsPerSecond: 10, errorsPerSecond: 0 },
  isEjected: false,
  note: '',
};
const AT = new Date(2026, 0, 2, 15, 31, 5).getTime();
const VIEW: View = {
  atUnixMs: AT,
  verdict: {
    line: '1 problem: node shop-2 fails',
    level: 'harm',
    problems: [
      {
        kind: 'errors',
        level: 'harm',
        balancer: 'shop' as BalancerName,
        nodes: ['shop-2' as NodeId],
        message: 'node shop-2 fails',
        remedy: 'rollcall drain shop-2',
        sinceUnixMs: AT - 7_000,
      },
    ],
  },
  totals: QUIET,
  balancers: { shop: { eligible: 1, up: 2, missing: 0, wanted: 3, sessions: 24, inFlight: 2, rates: QUIET } },
  nodes: {
    'shop-1': NODE,
    'shop-2': {
      ...NODE,
      rates: { requestsPerSecond: 10, errorsPerSecond: 6 },
      isEjected: true,
      note: 'ejected 12s ago, 3 times in 10 minutes: requests to it failed \u001b[2J',
    },
  },
};
const state = (more: Partial<TopState> = {}): TopState => ({ ...START, view: VIEW, cursor: 'shop-1', ...more });
const text = (more: Partial<TopState> = {}, columns = 80, rows = 24): string =>
  topLines(state(more), { columns, rows }, plain, AT + 6_000)
    .map((line) => line.trimEnd())
    .join('\n');

test('the screen has the verdict, problems, balancers, nodes and the keys', () => {
  const shown = text();
  assert.match(shown, /^1 problem: node shop-2 fails +15:31:05\n/);
  assert.match(shown, /\nharm, for 13s: node shop-2 fails\n {2}to do: rollcall drain shop-2\n/);
  assert.match(shown, /\nBALANCER +ELIGIBLE +UP .*\nshop +1 +2 +0 +3 /);
  assert.match(shown, /\nS {2}NODE .*\n {3}shop-1 +shop +enabled +up +40 % .* 0 %/);
  assert.match(shown, /\n {3}shop-2 +shop +enabled +up, ejected .* 60 % !/);
  assert.match(shown, /order: name .*q …?/);
});

test('every size gets exactly its lines and columns', () => {
  for (const rows of [1, 2, 5, 11, 12, 24, 60])
    for (const columns of [1, 10, 40, 80, 200]) {
      const lines = topLines(state(), { columns, rows }, plain, AT);
      assert.equal(lines.length, rows, `${columns}×${rows}`);
      for (const line of lines) assert.ok(widthOf(line) <= columns, `${columns}×${rows}: ${line}`);
    }
});

test('the note of the cursor is shown in full, without control characters', () => {
  const shown = text({ cursor: 'shop-2' });
  assert.match(shown, /\nshop-2: ejected 12s ago, 3 times in 10 minutes: requests to it failed +\[2J\n/);
});

test('a view that is not current has its age, and is grey', () => {
  assert.match(text({ lost: 'cannot connect to http://x' }), /^as of 15:31:05, 6s ago: cannot connect to http:\/\/x\n/);
  const lines = topLines(state({ lost: 'x' }), { columns: 80, rows: 24 }, coloured, AT);
  assert.match(lines[0]!, /^\u001b\[31mas of/);
  assert.match(lines[1]!, /^\u001b\[2mharm/);
});

test('before the first answer the cause is shown', () => {
  const { view: _, ...none } = state();
  const shown = topLines({ ...none, lost: 'no answer' }, { columns: 20, rows: 3 }, plain, AT);
  assert.deepEqual(shown.length, 3);
  assert.equal(shown[0], 'no answer');
});

test('the last line is the search, the question with its effect, or the notice', () => {
  const last = (more: Partial<TopState>): string => text(more, 100).split('\n').at(-1)!;
  assert.equal(last({ mode: 'search', search: 'b2' }), '/b2█');
  const question = { verb: 'stop', nodes: ['shop-1', 'shop-2'] } as const;
  assert.equal(last({ mode: 'question', question }), 'stop 2 nodes: reading the effect …');
  const known = { ...question, effect: '24 sessions will fail over' };
  assert.equal(last({ mode: 'question', question: known }), 'stop 2 nodes? y/N  24 sessions will fail over');
  assert.equal(last({ notice: { text: 'node shop-1 is now draining', isBad: false } }), 'node shop-1 is now draining');
  assert.match(last({ selected: new Set(['shop-1']), search: 'up' }), /^search: up {2}1 selected {2}order: name/);
});

test('many nodes are shown by pages, and the page has the cursor', () => {
  const nodes = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`n${String(i).padStart(3, '0')}`, NODE]));
  const shown = text({ view: { ...VIEW, nodes }, cursor: 'n050' });
  assert.match(shown, / n050 /);
  assert.doesNotMatch(shown, / n000 | n099 /);
});

test('selected nodes are marked, and help lists the keys', () => {
  assert.match(text({ selected: new Set(['shop-2']) }), /\n\* {2}shop-2 /);
  assert.match(text({ mode: 'help' }), /drain, enable, stop: the selected nodes/);
  assert.match(text({ search: 'zzz' }), /no node matches "zzz"/);
});
