/** Whether a `Set-Cookie` value removes its cookie. */

/**
 * True when the cookie is over as soon as it arrives: `Max-Age` of 0 or less or, without a valid `Max-Age`, `Expires` in the
 * past. The last valid attribute counts (RFC 6265 §5.3).
 */
export function removesCookie(setCookie: string, nowUnixMs: number): boolean {
  let maxAge: number | undefined;
  let expiresAtUnixMs = Number.NaN;
  for (let at = setCookie.indexOf(';'); at >= 0; ) {
    const end = setCookie.indexOf(';', at + 1);
    const attribute = setCookie.slice(at + 1, end < 0 ? undefined : end);
    const equals = attribute.indexOf('=');
    if (equals > 0) {
      const name = attribute.slice(0, equals).trim().toLowerCase();
      const value = attribute.slice(equals + 1).trim();
      if (name === 'max-age' && /^-?[0-9]+$/.test(value)) maxAge = Number(value);
      else if (name === 'expires') expiresAtUnixMs = parsedOr(value, expiresAtUnixMs);
    }
    at = end;
  }
  return maxAge === undefined ? expiresAtUnixMs <= nowUnixMs : maxAge <= 0;
}

/** Instant of a cookie date; `before` for a text that is none. Programs also write dashes: `Thu, 01-Jan-1970 00:00:01 GMT`. */
function parsedOr(date: string, before: number): number {
  const unixMs = Date.parse(date);
  return Number.isNaN(unixMs) ? before : unixMs;
}
