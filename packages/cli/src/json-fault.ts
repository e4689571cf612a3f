/** The place of the first error in a text that is not JSON. Messages of `JSON.parse` have no place for some errors. */

const SPACE = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"/y;
const OTHER_SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[Ee][+-]?\d+)?|true|false|null/y;

/** `unexpected "]" in line 3, column 7`. For texts that `JSON.parse` refuses. */
export function jsonFault(text: string): string {
  const offset = faultOffset(text);
  const lines = text.slice(0, offset).split('\n');
  const [found = ''] = text.slice(offset);
  const what = found === '' ? 'end of the text' : JSON.stringify(found);
  return `unexpected ${what} in line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
}

/** Offset of the first token that does not fit; the length of the text if it ends too early. */
function faultOffset(text: string): number {
  let at = 0;
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    at += found?.[0].length ?? 0;
    return found !== null;
  };
  const take = (pattern: RegExp): boolean => skip(SPACE) && skip(pattern);
  const value = (): boolean => {
    if (take(/\{/y)) return items(/\}/y, () => take(STRING) && take(/:/y) && value());
    if (take(/\[/y)) return items(/\]/y, value);
    return take(STRING) || take(OTHER_SCALAR);
  };
  const items = (end: RegExp, item: () => boolean): boolean => {
    if (take(end)) return true;
    do if (!item()) return false;
    while (take(/,/y));
    return take(end);
  };
  if (value()) skip(SPACE);
  return at;
}
