/**
 * The path prefix of a node with `stripPrefix`: taken off the target of a request, and put back on the paths of its answer. A prefix is
 * a context path: it begins with `/`, does not end with it, and has no escapes.
 */

/** A `.` or `..` segment; WHATWG URL, "single-dot" and "double-dot path segment". */
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i;
const DOT = /^(?:\.|%2e)$/i;
const DOTS = /^(?:\.|%2e){2}$/i;

/** `target` as the node sees it. `target` begins with `prefix`, which ends at `/`, `;`, `?` or the end; what follows is not changed. */
export function withoutPrefix(target: string, prefix: string): string {
  const rest = target.slice(prefix.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * `reference`, an absolute path with query and fragment, for the client. A reference that is under the prefix already is not changed: a
 * program may use `X-Forwarded-Prefix` itself. Dot segments are removed, because they would lead out of the prefix.
 */
export function withPrefix(reference: string, prefix: string): string {
  const clean = withoutDotSegments(reference);
  return isUnder(clean, prefix) ? clean : prefix + clean;
}

/**
 * `reference`, relative to the path of the request, for the client. `target` is the target that the client has sent. Only a reference that the
 * client would resolve to another place than the node becomes an absolute path.
 */
export function relativeWithPrefix(reference: string, prefix: string, target: string): string {
  const path = withoutPrefix(pathOf(target), prefix);
  const isBare = !pathOf(target).startsWith('/', prefix.length);
  if (!isBare && !DOT_SEGMENT.test(pathOf(reference))) return reference;
  return prefix + withoutDotSegments(path.slice(0, path.lastIndexOf('/') + 1) + reference);
}

/** True if `path` is the prefix or below it. */
export function isUnder(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || '/?#;'.includes(path.charAt(prefix.length)));
}

/** RFC 3986 §5.2.4. */
function withoutDotSegments(reference: string): string {
  const path = pathOf(reference);
  if (!DOT_SEGMENT.test(path)) return reference;
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [i, segment] of segments.entries()) {
    const isDots = DOTS.test(segment);
    if (isDots) kept.pop();
    if (!isDots && !DOT.test(segment)) kept.push(segment);
    else if (i === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}${reference.slice(path.length)}`;
}

/** The part before query and fragment. */
function pathOf(reference: string): string {
  const end = reference.search(/[?#]/);
  return end < 0 ? reference : reference.slice(0, end);
}
