/** Longest printed address, in characters. */
const MAX_LENGTH = 256;

/**
 * Address for logs and messages: `***` replaces user name and password, the query and the fragment.
 *
 * Accepts any text, because invalid addresses may contain secrets as well: everything before the last `@`
 * counts as user name and password. Control characters become spaces. The text is cut after 256 characters.
 */
export function printableUrl(text: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? '';
  const rest = text.slice(scheme.length);
  const at = rest.lastIndexOf('@');
  const withoutUser = at < 0 ? rest : `***@${rest.slice(at + 1)}`;
  const withoutQuery = withoutUser.replace(/([?#]).+$/s, '$1***');
  return printable(scheme + withoutQuery, MAX_LENGTH);
}

/** Untrusted text for logs and messages: control characters become spaces, and it is cut after `maxLength` characters with `…`. */
export function printable(text: string, maxLength: number): string {
  const isLonger = text.length > maxLength;
  return `${text
    .slice(0, maxLength)
    .replace(/\p{C}+/gu, ' ')
    .trim()}${isLonger ? '…' : ''}`;
}
