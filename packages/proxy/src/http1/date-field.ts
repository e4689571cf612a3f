/** The `Date` field, RFC 9110 §6.6.1 and §5.6.7, built once per second. */

let secondOfText = -1;
let text = '';

/** `Date: …` with its line end, for the present second of the wall clock. */
export function dateField(): string {
  const second = Math.floor(Date.now() / 1_000);
  if (second !== secondOfText) {
    secondOfText = second;
    text = `Date: ${new Date(second * 1_000).toUTCString()}\r\n`;
  }
  return text;
}
