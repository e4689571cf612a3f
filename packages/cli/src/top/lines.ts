/** The screen of `rollcall top`: state and size in, lines out. */
import { compactDuration, type NodeId, problemText } from '@rollcall/protocol';
import { clockText, counted } from '../format.ts';
import { livenessTone, percentText, statusTone } from '../nodes/node-state.ts';
import { outliersOf } from '../nodes/outliers.ts';
import { bar } from '../screen/bar.ts';
import { type Column, fittingColumns, tableLines } from '../screen/fitted-table.ts';
import { type Paint, plain, type Tone } from '../screen/paint.ts';
import { clipped, printableText, widthOf, wrapped } from '../screen/text-width.ts';
import { errorRatio, shownNodes, type TopState } from './model.ts';
import type { BalancerRow, NodeRow } from './view.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** A line before it is painted, of any length. */
interface Line {
  readonly text: string;
  readonly tone?: Tone | undefined;
}

/** Cells of a load bar. */
const BAR_CELLS = 5;
/** Smallest height at which problems, and the table of balancers, have lines. */
const MIN_ROWS_FOR_ALL = 12;
const MAX_PROBLEM_LINES = 6;
/** Lines for the note of the cursor's node. */
const NOTE_LINES = 2;

const HELP: readonly string[] = [
  'j k, arrows   move; page up and down, g first, G last',
  '/             search: words of names, groups, versions and states; Esc ends it',
  'x, space      select a row; Esc selects none',
  'd e s         drain, enable, stop: the selected nodes, or the one of the cursor',
  'o             next order: name, errors, load, sessions, requests',
  'q, Ctrl-C     quit; Ctrl-Z suspend',
  '',
  'LOAD 0 % idle, 100 % full. ERRORS: answers with 500 and above, and failures. !: the node differs from its peers.',
  'ELIGIBLE: nodes that get new sessions. S: selected.',
];

/** Exactly `size.rows` lines of at most `size.columns` columns, for `nowUnixMs`. */
export function topLines(state: TopState, size: Size, paint: Paint, nowUnixMs: number): string[] {
  const { rows, columns } = size;
  const head = headLines(state, size, nowUnixMs);
  const foot = footLines(state, size);
  const height = rows - head.length - foot.length;
  const body = state.mode === 'help' ? HELP.map((text): Line => ({ text })) : nodeLines(state, size, height);
  const lines = [...head, ...body].slice(0, rows - foot.length);
  while (lines.length < rows - foot.length) lines.push({ text: '' });
  // A view that is not current is grey.
  const isStale = state.lost !== undefined;
  const shown = [...lines, ...foot].slice(-rows);
  return shown.map(({ text, tone }, i) => {
    const clippedText = clipped(printableText(text), columns);
    return paint(isStale && i > 0 && i < shown.length - 1 ? 'quiet' : tone, clippedText);
  });
}

/** Rows of nodes that fit. */
export function pageRows(state: TopState, size: Size, nowUnixMs: number): number {
  return Math.max(1, size.rows - headLines(state, size, nowUnixMs).length - footLines(state, size).length - 1);
}

function headLines(state: TopState, { rows, columns }: Size, nowUnixMs: number): Line[] {
  const { view, lost } = state;
  if (view === undefined)
    return [{ text: lost ?? 'connecting to the coordinator …', tone: lost ? 'bad' : 'quiet' }, { text: '' }];
  const { verdict, balancers } = view;
  const age = compactDuration(Math.max(0, nowUnixMs - view.atUnixMs));
  const clock = clockText(view.atUnixMs).slice(0, 8);
  const first: Line =
    lost === undefined
      ? { text: beside(verdict.line, clock, columns), tone: verdict.level === undefined ? 'good' : 'bad' }
      : { text: `as of ${clock}, ${age} ago: ${lost}`, tone: 'bad' };
  if (rows < MIN_ROWS_FOR_ALL) return [first];
  const problems = verdict.problems
    .flatMap((problem): Line[] => {
      const { level, sinceUnixMs, remedy } = problem;
      const since = sinceUnixMs === undefined ? '' : `, for ${compactDuration(Math.max(0, nowUnixMs - sinceUnixMs))}`;
      const tone = level === 'planned' ? 'warn' : 'bad';
      return [
        ...wrapped(printableText(`${level}${since}: ${problemText(problem)}`), columns).map(
          (text) => ({ text, tone }) as const,
        ),
        ...(remedy === undefined ? [] : [{ text: `  to do: ${remedy}` }]),
      ];
    })
    .slice(0, Math.min(MAX_PROBLEM_LINES, Math.floor(rows / 4)));
  const rest = Object.entries(balancers).sort(([one], [other]) => (one < other ? -1 : 1));
  const shown = rest.slice(0, Math.max(1, Math.floor(rows / 5)));
  const more = rest.length - shown.length;
  return [
    first,
    ...problems,
    { text: '' },
    ...(rest.length === 0 ? [] : tableOf(BALANCER_COLUMNS, shown, columns)),
    ...(more > 0 ? [{ text: `… ${more} more balancers`, tone: 'quiet' } as const] : []),
    { text: '' },
  ];
}

/** `text`, and `right` at the right edge if there is space. */
function beside(text: string, right: string, columns: number): string {
  const left = clipped(printableText(text), columns - widthOf(right) - 2);
  return left + ' '.repeat(Math.max(2, columns - widthOf(left) - widthOf(right))) + right;
}

type BalancerEntry = readonly [name: string, row: BalancerRow];
const BALANCER_COLUMNS: readonly Column<BalancerEntry>[] = [
  { heading: 'BALANCER', rank: 0, cell: ([name]) => name },
  { heading: 'ELIGIBLE', rank: 0, cell: ([, row]) => row.eligible, isRight: true },
  { heading: 'UP', rank: 1, cell: ([, row]) => row.up, isRight: true },
  { heading: 'MISSING', rank: 2, cell: ([, row]) => row.missing, isRight: true },
  { heading: 'WANTED', rank: 5, cell: ([, row]) => row.wanted ?? '-', isRight: true },
  { heading: 'REQ/S', rank: 1, cell: ([, { rates }]) => rates.requestsPerSecond.toFixed(1), isRight: true },
  { heading: 'ERRORS', rank: 0, cell: ([, { rates }]) => percentText(errorRatio(rates)), isRight: true },
  { heading: 'SESSIONS', rank: 3, cell: ([, row]) => row.sessions, isRight: true },
  { heading: 'IN-FLIGHT', rank: 4, cell: ([, row]) => row.inFlight, isRight: true },
];

function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): Line[] {
  const [head = '', ...others] = tableLines(fittingColumns(columns, rows, width), rows, plain);
  return [{ text: head, tone: 'strong' }, ...others.map((text): Line => ({ text }))];
}

/** The page of the cursor, with its heading. */
function nodeLines(state: TopState, { columns }: Size, height: number): Line[] {
  const { view, search, cursor, selected } = state;
  if (view === undefined) return [];
  const shown = shownNodes(state);
  if (shown.length === 0)
    return [{ text: search === '' ? 'no nodes' : `no node matches ${JSON.stringify(search)}`, tone: 'quiet' }];
  const page = Math.max(1, height - 1);
  const at = Math.max(
    0,
    shown.findIndex(([id]) => id === cursor),
  );
  const first = Math.floor(at / page) * page;
  const rows = shown.slice(first, first + page);
  const { failing } = outliersOf(view.verdict);
  const [head, ...lines] = tableOf(nodeColumns(failing, selected), rows, columns);
  const widest = Math.max(...lines.map(({ text }) => widthOf(text)));
  return [
    head!,
    ...lines.map(({ text }, i): Line => {
      const [id, row] = rows[i]!;
      // The note is cut at the right edge.
      const withNote = `${text}${' '.repeat(widest - widthOf(text))}  ${row.note}`;
      if (id !== cursor) return { text: withNote, tone: toneOf(row, failing.has(id as NodeId)) };
      return { text: withNote + ' '.repeat(Math.max(0, columns - widthOf(withNote))), tone: 'inverse' };
    }),
  ];
}

function toneOf({ liveness, status, isEjected }: NodeRow, isFailing: boolean): Tone | undefined {
  if (isEjected || isFailing) return 'bad';
  const tone = livenessTone(liveness);
  return tone === 'good' ? statusTone(status) : tone;
}

type NodeEntry = readonly [id: string, row: NodeRow];

function nodeColumns(failing: ReadonlySet<string>, selected: ReadonlySet<string>): readonly Column<NodeEntry>[] {
  const errors = ([id, { rates, isEjected }]: NodeEntry): string =>
    `${rates.requestsPerSecond > 0 ? percentText(errorRatio(rates)) : '-'}${failing.has(id) || isEjected ? ' !' : ''}`;
  return [
    { heading: 'S', rank: 0, cell: ([id]) => (selected.has(id) ? '*' : '') },
    { heading: 'NODE', rank: 0, cell: ([id]) => id },
    { heading: 'BALANCER', rank: 3, cell: ([, row]) => row.balancer },
    { heading: 'STATUS', rank: 0, cell: ([, row]) => row.status },
    { heading: 'LIVENESS', rank: 0, cell: ([, row]) => (row.isEjected ? `${row.liveness}, ejected` : row.liveness) },
    { heading: 'LOAD', rank: 2, cell: ([, { load }]) => (load === undefined ? '-' : percentText(load)), isRight: true },
    { heading: '', rank: 6, cell: ([, { load }]) => (load === undefined ? '' : bar(load, BAR_CELLS)) },
    { heading: 'REQ/S', rank: 1, cell: ([, { rates }]) => rates.requestsPerSecond.toFixed(1), isRight: true },
    { heading: 'ERRORS', rank: 0, cell: errors, isRight: true },
    { heading: 'SESSIONS', rank: 2, cell: ([, row]) => row.sessions, isRight: true },
    { heading: 'IN-FLIGHT', rank: 5, cell: ([, row]) => row.inFlight, isRight: true },
  ];
}

/** The note of the cursor's node in full, and the last line. Their number does not depend on the cursor, so that rows stay in their place. */
function footLines(state: TopState, { rows, columns }: Size): Line[] {
  if (rows < MIN_ROWS_FOR_ALL) return [lastLine(state)];
  const { view, cursor } = state;
  const note = cursor === undefined ? '' : (view?.nodes[cursor]?.note ?? '');
  const texts = note === '' ? [] : wrapped(printableText(`${cursor}: ${note}`), columns);
  const shown = Array.from({ length: NOTE_LINES }, (_, i): Line => ({ text: texts[i] ?? '', tone: 'quiet' }));
  return [...shown, lastLine(state)];
}

function lastLine(state: TopState): Line {
  const { mode, search, question, notice, selected, order } = state;
  if (mode === 'search') return { text: `/${search}█` };
  if (mode === 'question' && question !== undefined) {
    const who = question.nodes.length === 1 ? question.nodes[0]! : counted(question.nodes.length, 'node');
    if (question.effect === undefined) return { text: `${question.verb} ${who}: reading the effect …`, tone: 'warn' };
    return { text: `${question.verb} ${who}? y/N  ${question.effect}`, tone: 'inverse' };
  }
  if (notice !== undefined) return { text: notice.text, tone: notice.isBad ? 'bad' : 'good' };
  if (mode === 'help') return { text: 'any key: back', tone: 'quiet' };
  return {
    text: [
      ...(search === '' ? [] : [`search: ${search}`]),
      ...(selected.size === 0 ? [] : [`${selected.size} selected`]),
      `order: ${order}`,
      '/ search  x select  d drain  e enable  s stop  o order  ? help  q quit',
    ].join('  '),
    tone: 'quiet',
  };
}
