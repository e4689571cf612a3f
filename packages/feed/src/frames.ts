/**
 * Splits the lists of feed messages by their size, so that each frame stays below `MAX_FEED_BYTES` for any content. Both ends
 * of the feed close the connection on a larger frame, and the same state would be sent again after each reconnect.
 */
import { MAX_FEED_BYTES } from './codec.ts';

/**
 * Length of the lists of one frame, UTF-16 units. A unit is at most 3 bytes of UTF-8, so the lists have at most three quarters
 * of `MAX_FEED_BYTES`. The last quarter is for the other fields of the frame, and for an item that exceeds the rest.
 */
export const FEED_LIST_CHARS: number = MAX_FEED_BYTES / 4;

/** Bounds of the lists of one frame. */
export interface ListBounds {
  /** Default: any number. */
  readonly maxItems?: number;
  /** UTF-16 units. Default `FEED_LIST_CHARS`. */
  readonly maxChars?: number;
}

/** Yields the JSON texts of `items` in order, joined by commas, each text within the bounds. Without items it yields nothing. */
export function* joinedJson(
  items: Iterable<unknown>,
  { maxItems = Number.POSITIVE_INFINITY, maxChars = FEED_LIST_CHARS }: ListBounds = {},
): Generator<string, void> {
  let text = '';
  let count = 0;
  for (const item of items) {
    const one = JSON.stringify(item);
    if (count > 0 && (count >= maxItems || text.length + one.length >= maxChars)) {
      yield text;
      text = '';
      count = 0;
    }
    text = count === 0 ? one : `${text},${one}`;
    count += 1;
  }
  if (count > 0) yield text;
}

/** Yields `items` in order, in lists that each fit in one frame. Without items it yields nothing. */
export function* fittingLists<Item>(
  items: readonly Item[],
  maxChars: number = FEED_LIST_CHARS,
): Generator<readonly Item[], void> {
  let start = 0;
  let length = 0;
  for (const [i, item] of items.entries()) {
    const one = JSON.stringify(item).length + 1;
    if (i > start && length + one > maxChars) {
      yield items.slice(start, i);
      start = i;
      length = 0;
    }
    length += one;
  }
  if (start < items.length) yield items.slice(start);
}

/** Text of one frame: `message` with additional `lists`. The value of each list is its items as JSON, joined by commas. */
export function frameWithLists(message: { readonly type: string }, lists: Readonly<Record<string, string>>): string {
  let text = JSON.stringify(message).slice(0, -1);
  for (const [name, items] of Object.entries(lists)) text += `,${JSON.stringify(name)}:[${items}]`;
  return `${text}}`;
}
