/**
 * Splits the lists of feed messages by their size, so that each frame stays below `MAX_FEED_BYTES` whatever is in the lists. Both ends
 * of the feed close the connection on a larger frame, and the same state would be sent again after each reconnect.
 */
import { MAX_FEED_BYTES } from './feed-codec.ts';

/**
 * Length of the lists of one frame, UTF-16 units. A unit is at most 3 bytes of UTF-8, so a frame has at most three quarters of
 * `MAX_FEED_BYTES`; the last quarter is for what stands around the lists, and for one item that is longer than the rest allows.
 */
export const FEED_LIST_CHARS: number = MAX_FEED_BYTES / 4;

/** Bounds of the lists of one frame. */
export interface ListBounds {
  /** Default: any number. */
  readonly maxItems?: number;
  /** UTF-16 units. Default `FEED_LIST_CHARS`. */
  readonly maxChars?: number;
}

/** The JSON texts of `items` in order, joined by commas, as many in each as the bounds allow. Nothing for no items. */
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

/** `items` in order, as many in each list as fit in one frame. Nothing for no items. */
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

/** One frame: `message` with lists whose items are JSON texts, joined by commas. */
export function frameWithLists(message: { readonly type: string }, lists: Readonly<Record<string, string>>): string {
  let text = JSON.stringify(message).slice(0, -1);
  for (const [name, items] of Object.entries(lists)) text += `,${JSON.stringify(name)}:[${items}]`;
  return `${text}}`;
}
