/**
 * Cookies in a `Cookie` field value, found by exact name. No map is built: a client may send thousands, and most requests
 * need few of them.
 *
 * Parsed as RFC 6265 §5.4 serializes them. Pairs end at `;`, also within quotes. Names are case-sensitive and end at the
 * first `=`. Spaces and tabs around a pair do not count. Nothing is decoded. Every function is linear in the field.
 */

/** Index of the value of the next cookie `name` at or after `from`; -1 when there is none. */
export function cookieValueStart(field: string, name: string, from: number): number {
  for (let at = field.indexOf(name, from); at >= 0; at = field.indexOf(name, at + 1)) {
    const equals = at + name.length;
    if (field.charCodeAt(equals) === 0x3d && beginsPair(field, at)) return equals + 1;
  }
  return -1;
}

/** End of the pair whose value begins at `start`: its `;`, or the end of the field. */
export function pairEnd(field: string, start: number): number {
  const semicolon = field.indexOf(';', start);
  return semicolon < 0 ? field.length : semicolon;
}

/** The value between `start` and `end` without spaces around it and without one pair of enclosing quotes. */
export function cookieValue(field: string, start: number, end: number): string {
  while (start < end && isBlank(field.charCodeAt(start))) start++;
  while (end > start && isBlank(field.charCodeAt(end - 1))) end--;
  const isQuoted = end - start >= 2 && field.charCodeAt(start) === 0x22 && field.charCodeAt(end - 1) === 0x22;
  return isQuoted ? field.slice(start + 1, end - 1) : field.slice(start, end);
}

/** Returns the new value of a cookie, or `undefined` to drop it. */
export type CookieEdit = (value: string) => string | undefined;

/**
 * `field` with `edit` applied to every cookie named in `names`; `undefined` when that changes nothing, `''` when no cookie is left. All
 * octets outside the changed values stay as they are. A dropped cookie goes with the separator before it, the first with that after it.
 */
export function editCookies(field: string, names: readonly string[], edit: CookieEdit): string | undefined {
  let edited = '';
  let copied = 0;
  let isChanged = false;
  let hasCookie = false;
  for (let start = 0; start <= field.length; ) {
    const end = pairEnd(field, start);
    const from = blanksEnd(field, start, end);
    const equals = field.indexOf('=', from);
    const isNamed = equals >= 0 && equals < end && names.includes(field.slice(from, equals));
    const value = isNamed ? cookieValue(field, equals + 1, end) : '';
    const replaced = isNamed ? edit(value) : '';
    if (replaced === undefined) {
      edited += field.slice(copied, hasCookie ? start - 1 : start);
      copied = hasCookie ? end : blanksEnd(field, Math.min(end + 1, field.length), field.length);
      isChanged = true;
    } else if (isNamed && replaced !== value) {
      const at = valueStart(field, equals + 1, end);
      edited += field.slice(copied, at) + replaced;
      copied = at + value.length;
      isChanged = true;
    }
    if (replaced !== undefined && from < end) hasCookie = true;
    start = end + 1;
  }
  if (!isChanged) return undefined;
  return hasCookie ? edited + field.slice(copied) : '';
}

/** Where the result of `cookieValue` for the same range begins. */
function valueStart(field: string, start: number, end: number): number {
  const from = blanksEnd(field, start, end);
  let to = end;
  while (to > from && isBlank(field.charCodeAt(to - 1))) to--;
  const isQuoted = cookieValue(field, start, end).length < to - from;
  return isQuoted ? from + 1 : from;
}

/** Index of the first octet at or after `at` that is no blank, at most `end`. */
function blanksEnd(field: string, at: number, end: number): number {
  let index = at;
  while (index < end && isBlank(field.charCodeAt(index))) index++;
  return index;
}

/** True when there are only blanks between `at` and the `;` or the beginning before it. */
function beginsPair(field: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isBlank(field.charCodeAt(before))) before--;
  return before < 0 || field.charCodeAt(before) === 0x3b;
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}
