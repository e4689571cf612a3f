/**
 * The body of a message: `Key=value&Key=value`. Split first, then percent-decoded, as httpd does it; `+` is a space, as Java writes it.
 * Keys are not case-sensitive and may repeat.
 */

/** Fields of one body. A registration has about 20. */
const MAX_FIELDS = 256;
// Markup and line ends would reach pages and header fields; other controls have no place in a name.
const ILLEGAL = /[<>"'\x00-\x1f\x7f]/;

export interface BodyField {
  /** In lower case. */
  readonly key: string;
  /** As written. */
  readonly name: string;
  /** Decoded; latin1. */
  readonly value: string;
}

/** The fields in order; `undefined` when a character is illegal. Empty parts and parts without `=` are skipped. */
export function readBodyFields(body: string): BodyField[] | undefined {
  const fields: BodyField[] = [];
  for (const part of body.split('&', MAX_FIELDS + 1)) {
    const equals = part.indexOf('=');
    if (equals < 0) {
      if (ILLEGAL.test(decoded(part))) return undefined;
      continue;
    }
    const name = decoded(part.slice(0, equals));
    const value = decoded(part.slice(equals + 1));
    if (ILLEGAL.test(name) || ILLEGAL.test(value) || fields.length === MAX_FIELDS) return undefined;
    fields.push({ key: name.toLowerCase(), name, value });
  }
  return fields;
}

/** A percent sign without two hex digits stands for itself, as in httpd. */
function decoded(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
