/**
 * Cookies in a `Cookie` field value, found by exact name and without building a map: a client may send thousands, and
 * most requests ask for few.
 *
 * Read as RFC 6265 §5.4 writes them: pairs end at `;` whatever quotes say, names are case-sensitive and end at the
 * first `=`, spaces and tabs around a pair do not count. Nothing is decoded. Every function is linear in the field.
 */

/** Where the value of the next cookie `name` at or after `from` begins; -1 when there is none. */
export function cookieValueStart(field: string, name: string, from: number): number {
  for (let at = field.indexOf(name, from); at >= 0; at = field.indexOf(name, at + 1)) {
    const equals = at + name.length;
    if (field.charCodeAt(equals) === 0x3d && beginsPair(field, at)) return equals + 1;
  }
  return -1;
}

/** Where the pair of the value that begins at `start` ends: its `;`, or the end of the field. */
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

/** What becomes of a cookie: another value, or `undefined` to drop it. */
export type CookieEdit = (value: string) => string | undefined;

/**
 * `field` with `edit` applied to every cookie named in `names`; `undefined` when that changes nothing, `''` when no
 * cookie is left. Cookies that are not changed keep their spelling; a changed value keeps its quotes.
 */
export function editCookies(field: string, names: readonly string[], edit: CookieEdit): string | undefined {
  const pairs: string[] = [];
  let isChanged = false;
  for (let start = 0; start <= field.length; ) {
    const end = pairEnd(field, start);
    const pair = field.slice(start, end).trim();
    start = end + 1;
    const equals = pair.indexOf('=');
    const name = equals < 0 ? '' : pair.slice(0, equals);
    if (!names.includes(name)) {
      if (pair !== '') pairs.push(pair);
      continue;
    }
    const value = cookieValue(pair, equals + 1, pair.length);
    const edited = edit(value);
    if (edited === value) pairs.push(pair);
    else {
      isChanged = true;
      const quote = value.length === pair.length - equals - 1 ? '' : '"';
      if (edited !== undefined) pairs.push(`${name}=${quote}${edited}${quote}`);
    }
  }
  return isChanged ? pairs.join('; ') : undefined;
}

/** True when only blanks stand between `at` and the `;` or the beginning before it. */
function beginsPair(field: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isBlank(field.charCodeAt(before))) before--;
  return before < 0 || field.charCodeAt(before) === 0x3b;
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}
