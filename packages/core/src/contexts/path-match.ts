/**
 * Spellings of a path that a node may read differently than the proxy does. The proxy chooses by the raw path. A node that
 * first decodes `%2f`, removes `..`, merges `//` or drops `;parameters` could serve a context that the proxy did not choose. The table
 * therefore refuses requests for which any of these readings would choose another context.
 */

const ESCAPE = /%([0-9A-Fa-f]{2})/g;

/** True when the path of `target`, as received, is `path` or below it: the prefix ends at `/`, `;`, `?` or the end. `*` is `/`. */
export function isUnder(path: string, target: string): boolean {
  if (path === '/') return true;
  return target.startsWith(path) && (target.length === path.length || isBoundary(target.charCodeAt(path.length)));
}

/** `/`, `;` and `?` end a prefix. */
export function isBoundary(unit: number): boolean {
  return unit === 0x2f || unit === 0x3b || unit === 0x3f;
}

/** True when some node might read the path of `target` as another one. Cheap: false for most targets. */
export function hasOtherReadings(target: string): boolean {
  return (
    target.includes('%') ||
    target.includes('/.') ||
    target.includes(';') ||
    target.includes('\\') ||
    hasEmptySegment(target)
  );
}

/** `//` in the path: a URL in the query is none. */
function hasEmptySegment(target: string): boolean {
  const at = target.indexOf('//');
  return at >= 0 && !target.slice(0, at).includes('?');
}

/**
 * The paths that nodes may read from `target`, without its query. Parameters are dropped, octets decoded once, empty segments and dot
 * segments removed, in every order that existing servers use. Octets above 127 become the characters of the same number.
 * At most 13, duplicates included.
 *
 * @see RFC 3986 §5.2.4 for dot segments; servlet containers drop parameters before they decode, others do not; URL
 *   parsers after WHATWG read `\` as `/`.
 */
export function otherReadings(target: string): string[] {
  const query = target.indexOf('?');
  const path = (query < 0 ? target : target.slice(0, query)).replaceAll('\\', '/');
  const readings: string[] = [path];
  for (const base of [path, decodeOctets(path), decodeOctets(withoutParameters(path))]) {
    const plain = withoutParameters(base).replaceAll('\\', '/');
    const merged = plain.replace(/\/{2,}/g, '/');
    readings.push(plain, withoutDotSegments(plain));
    if (merged !== plain) readings.push(merged, withoutDotSegments(merged));
  }
  return readings;
}

/** `text` with each valid `%XX` decoded exactly once; invalid ones stay as they are. */
export function decodeOctets(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** `path` with everything from `;` to the end of each segment dropped. */
function withoutParameters(path: string): string {
  return path.includes(';') ? path.replace(/;[^/]*/g, '') : path;
}

function withoutDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/');
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i]!;
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  return `/${kept.join('/')}`;
}
