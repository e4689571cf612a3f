/** Keys of a terminal in raw mode. */

/** A printable character, or the name of a key. */
export type Key = string;

const SEQUENCES: Readonly<Record<string, Key>> = {
  '\u001b[A': 'up',
  '\u001b[B': 'down',
  '\u001bOA': 'up',
  '\u001bOB': 'down',
  '\u001b[5~': 'page-up',
  '\u001b[6~': 'page-down',
  '\u001b[H': 'home',
  '\u001b[F': 'end',
  '\u001b': 'escape',
  '\r': 'enter',
  '\n': 'enter',
  '\u007f': 'backspace',
  '\b': 'backspace',
  '\u0003': 'interrupt',
  '\u0004': 'interrupt',
  '\u001a': 'suspend',
};
const TOKEN = /\u001b(?:\[[0-9;]*[A-Za-z~]|O[A-Z])|./gsu;

/** The keys in one chunk of input, in their order. Unknown sequences are left out. */
export function keysIn(input: string): Key[] {
  return [...input.matchAll(TOKEN)].flatMap(([token]) => {
    const name = SEQUENCES[token];
    if (name !== undefined) return [name];
    return token.length <= 2 && !/^\p{Cc}/u.test(token) ? [token] : [];
  });
}
