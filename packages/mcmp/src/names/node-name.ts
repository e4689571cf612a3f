/**
 * Names of MCMP in the alphabet of our names, `[A-Za-z0-9_-]{1,64}`, and back. A jvmRoute may have any character of a cookie value, and
 * the same encoding serves balancers and groups.
 *
 * A character outside the alphabet becomes `--` and two hex digits: `node.1:8080` is `node--2e1--3a8080`. A `--` that would be read as
 * an escape has its first dash escaped. Names within the alphabet stay as they are, so most nodes have their jvmRoute as id.
 */
import { isName, MAX_NAME_LENGTH } from '@rollcall/protocol';

const ESCAPE = /--([0-9a-f]{2})/g;
const PLAIN = /[A-Za-z0-9_]/;
/** RFC 6265 section 4.1.1, cookie-octet. */
const COOKIE_TEXT = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/;

/** True for text that a session cookie can carry after its dot. */
export function isCookieText(text: string): boolean {
  return COOKIE_TEXT.test(text);
}

/** `text` as a name; `undefined` when it has a character above U+00FF, is empty, or is too long in this form. */
export function encodeName(text: string): string | undefined {
  let name = '';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) return undefined;
    const isPlain = PLAIN.test(text[i]!) || (text[i] === '-' && !/^--[0-9a-f]{2}/.test(text.slice(i, i + 4)));
    name += isPlain ? text[i] : escaped(code);
    if (name.length > MAX_NAME_LENGTH) return undefined;
  }
  if (isName(name)) return name;
  // A name of JavaScript itself, such as `constructor`.
  const reserved = name === '' ? '' : escaped(name.charCodeAt(0)) + name.slice(1);
  return isName(reserved) ? reserved : undefined;
}

/** The text that `encodeName` has made `name` of. */
export function decodeName(name: string): string {
  return name.replace(ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function escaped(code: number): string {
  return `--${code.toString(16).padStart(2, '0')}`;
}
