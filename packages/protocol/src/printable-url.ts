/** Longest text that is printed of an address, in characters. */
const MAX_LENGTH = 256;

/**
 * An address as it may be printed: `***` stands for user name and password, for the query and for the fragment.
 *
 * Takes any text, because people write secrets into addresses that are not valid, too: everything before the last `@`
 * counts as user name and password. Control characters become spaces; more than 256 characters are cut off.
 */
export function printableUrl(text: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? '';
  const rest = text.slice(scheme.length);
  const at = rest.lastIndexOf('@');
  const withoutUser = at < 0 ? rest : `***@${rest.slice(at + 1)}`;
  const withoutQuery = withoutUser.replace(/([?#]).+$/s, '$1***');
  return printable(scheme + withoutQuery, MAX_LENGTH);
}

/** Text of a remote party as it may be printed: control characters become spaces, and it has at most `maxLength` characters. */
export function printable(text: string, maxLength: number): string {
  const isLonger = text.length > maxLength;
  return `${text
    .slice(0, maxLength)
    .replace(/\p{C}+/gu, ' ')
    .trim()}${isLonger ? '…' : ''}`;
}
