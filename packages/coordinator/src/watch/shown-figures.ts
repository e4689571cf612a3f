/** Rounding of figures that change all the time, so that only visible changes are sent. Pure. */

/** A change of a figure by less than this part of it is not visible. */
const VISIBLE_PART = 0.05;

/** `value` with two significant digits; the figure that was shown before, if it differs from `value` by less than 5 %. */
export function shownFigure(value: number, before: number | undefined): number {
  if (before !== undefined && before !== 0 && Math.abs(value - before) < VISIBLE_PART * before) return before;
  return Number(value.toPrecision(2));
}
