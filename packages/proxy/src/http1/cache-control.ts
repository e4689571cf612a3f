/** `Cache-Control` of answers to which the proxy adds a cookie, RFC 9111 §5.2.2. */

/** Commas outside quotes. */
const SEPARATOR = /,(?=(?:[^"]*"[^"]*")*[^"]*$)/;
const LINE = /^cache-control[ \t]*:[ \t]*(.*)\r\n/gim;

/**
 * True if a `Cache-Control` value lets a shared cache keep the answer, also one with `Set-Cookie` (RFC 9111 §3). Without `max-age` the cache may
 * use `Expires`, or a time of its own choice (RFC 9111 §4.2.2).
 */
export function allowsSharedCache(value: string): boolean {
  const names = directivesOf(value).map(nameOf);
  if (names.includes('public') || names.includes('s-maxage')) return true;
  return !names.includes('private') && !names.includes('no-store') && !names.includes('no-cache');
}

/** For an answer without `Cache-Control`. */
export const PRIVATE_FIELD = 'Cache-Control: private\r\n';

/** The lines of `fields` with `private` in place of `public` and `s-maxage`; browsers may keep the answer as before. */
export function privateFields(fields: string): string {
  let isFirst = true;
  return fields.replace(LINE, (_line, value: string) => {
    const kept = directivesOf(value).filter((directive) => {
      const name = nameOf(directive);
      return name !== 'public' && name !== 's-maxage' && name !== 'private';
    });
    if (isFirst) kept.unshift('private');
    isFirst = false;
    return kept.length === 0 ? '' : `Cache-Control: ${kept.join(', ')}\r\n`;
  });
}

function directivesOf(value: string): string[] {
  return value
    .split(SEPARATOR)
    .map((directive) => directive.trim())
    .filter((directive) => directive !== '');
}

/** Lower-case name. `private="field"` and `no-cache="field"` concern the named fields only, and have other names. */
function nameOf(directive: string): string {
  const equals = directive.indexOf('=');
  const name = (equals < 0 ? directive : directive.slice(0, equals)).trim().toLowerCase();
  return (name === 'private' || name === 'no-cache') && equals >= 0 ? `${name}=` : name;
}
