/** Which rows of a long list are in the document. */

export interface VisibleRows {
  /** Index of the first row, and of the row after the last one. */
  readonly from: number;
  readonly to: number;
}

/** Rows beside the visible ones, so that a small scroll shows no gap. */
const BESIDE = 8;
/** The bounds are multiples of this number, so that most small scrolls change nothing. */
const STEP = 4;

/** Tops of rows with these heights, in pixels; the last entry is the height of all. */
export function rowTops(heights: readonly number[]): readonly number[] {
  const tops = [0];
  for (const height of heights) tops.push(tops.at(-1)! + height);
  return tops;
}

/** The rows to show in a pane of `paneHeight` that is scrolled by `scrollTop`. */
export function visibleRows(tops: readonly number[], scrollTop: number, paneHeight: number): VisibleRows {
  const count = tops.length - 1;
  const first = rowAt(tops, scrollTop) - BESIDE;
  const last = rowAt(tops, scrollTop + paneHeight) + 1 + BESIDE;
  const from = Math.max(0, Math.floor(first / STEP) * STEP);
  return { from, to: Math.min(count, Math.ceil(last / STEP) * STEP) };
}

/** Index of the row at a height; the last row for all greater heights. */
function rowAt(tops: readonly number[], height: number): number {
  let [low, high] = [0, Math.max(0, tops.length - 2)];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (tops[middle]! <= height) low = middle;
    else high = middle - 1;
  }
  return low;
}
