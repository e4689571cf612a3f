/** The table of nodes. Only the visible rows are in the document; name and actions stay in view when it is scrolled sideways. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Listed } from '../../model/node-list.ts';
import { SORT_WORDS, type Sort } from '../../model/place.ts';
import { rowTops, visibleRows } from '../../model/visible-rows.ts';
import { narrow } from '../narrow.ts';
import { canAct, current, go, place } from '../state.ts';
import { NodeRowView } from './node-row.tsx';

/** Heights of rows, as in the style sheet, in pixels. */
const ROW_HEIGHT = 44;
const CARD_HEIGHT = 112;
const GROUP_HEIGHT = 36;

/** Columns between the name and the actions. Numbers begin with the largest. */
const COLUMNS: readonly (readonly [Sort, isNumber: boolean])[] = [
  ['state', false],
  ['load', true],
  ['sessions', true],
  ['inFlight', true],
  ['requests', true],
  ['errors', true],
  ['latency', true],
  ['version', false],
];

export function NodeTable({ rows }: { readonly rows: readonly Listed[] }) {
  const pane = useRef<HTMLElement>(null);
  const scrolled = useSignal({ top: 0, height: 800 });
  const height = narrow.value ? CARD_HEIGHT : ROW_HEIGHT;
  const tops = rowTops(rows.map(({ type }) => (type === 'group' ? GROUP_HEIGHT : height)));
  useEffect(() => {
    const element = pane.current!;
    const observe = (): void => {
      scrolled.value = { top: element.scrollTop, height: element.clientHeight };
    };
    const observer = new ResizeObserver(observe);
    observer.observe(element);
    element.addEventListener('scroll', observe, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', observe);
    };
  }, []);
  const id = current.value;
  useEffect(() => {
    const at = rows.findIndex((row) => row.type === 'node' && row.id === id);
    if (at >= 0) revealRow(pane.current!, tops[at]!, height);
  }, [id]);
  const { from, to } = visibleRows(tops, scrolled.value.top, scrolled.value.height);
  const columns = COLUMNS.length + 2 + Number(canAct.value);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a pane that scrolls must be reachable by keyboard.
    <section class="pane" ref={pane} tabIndex={0} aria-label="Table of nodes">
      <table class="nodes" aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {canAct.value && (
              <th scope="col" class="cell-select">
                <span class="hidden">Selected</span>
              </th>
            )}
            <Heading sort="name" isNumber={false} />
            {COLUMNS.map(([sort, isNumber]) => (
              <Heading key={sort} sort={sort} isNumber={isNumber} />
            ))}
            <th scope="col" class="cell-acts">
              <span class="hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          <Spacer height={tops[from]!} />
          {rows.slice(from, to).map((row, i) =>
            row.type === 'group' ? (
              <tr key={`group ${row.name}`} class="group-row" aria-rowindex={from + i + 2}>
                <th scope="rowgroup" colSpan={columns}>
                  {row.name === '' ? 'none' : row.name} <span class="quiet">{row.count}</span>
                </th>
              </tr>
            ) : (
              <NodeRowView key={row.id} row={row} index={from + i + 2} />
            ),
          )}
          <Spacer height={tops[rows.length]! - tops[to]!} />
        </tbody>
      </table>
    </section>
  );
}

function Spacer({ height }: { readonly height: number }) {
  return height > 0 ? <tr class="spacer" style={{ height: `${height}px` }} /> : null;
}

function Heading({ sort, isNumber }: { readonly sort: Sort; readonly isNumber: boolean }) {
  const { sort: present, isDescending } = place.value;
  const isSorted = present === sort;
  return (
    <th
      scope="col"
      class={`cell-${sort}${isNumber ? ' number' : ''}`}
      aria-sort={isSorted ? (isDescending ? 'descending' : 'ascending') : undefined}
    >
      <button
        type="button"
        class="plain heading"
        onClick={() => go({ sort, isDescending: isSorted ? !isDescending : isNumber }, false)}
      >
        {SORT_WORDS[sort]}
        <span aria-hidden="true">{isSorted ? (isDescending ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>
  );
}

/** Scrolls the pane if the row is not wholly in view. */
function revealRow(pane: HTMLElement, top: number, height: number): void {
  const head = height === CARD_HEIGHT ? 0 : ROW_HEIGHT;
  if (top < pane.scrollTop) pane.scrollTop = top;
  else if (top + height + head > pane.scrollTop + pane.clientHeight)
    pane.scrollTop = top + height + head - pane.clientHeight;
}
