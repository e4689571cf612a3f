/**
 * Spellings of a path that a node may read differently than we do. We choose by the raw path; a node that decodes
 * `%2f`, removes `..` or drops `;parameters` first could serve a context that was not asked for, so the table refuses
 * requests for which any of these readings would choose another one.
 */

const ESCAPE = /%([0-9A-Fa-f]{2})/g;

/** True when some node might read the path of `target` as another one. Cheap: most targets end here. */
export function hasOtherReadings(target: string): boolean {
  return target.includes('%') || target.includes('/.') || target.includes(';') || target.includes('\\');
}

/**
 * The paths that nodes may make of `target`, without its query: parameters dropped, octets decoded once, dot segments
 * removed, in every order that servers in the field use. Octets above 127 become the characters of the same number.
 * At most seven, duplicates included.
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
    readings.push(plain, withoutDotSegments(plain));
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
