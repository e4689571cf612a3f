/** What a key does. Pure; `app/keys.ts` listens. */

export type KeyCommand =
  | 'search'
  | 'next'
  | 'previous'
  | 'drain'
  | 'enable'
  | 'stop'
  | 'select'
  | 'open'
  | 'help'
  | 'close'
  | 'go'
  | 'nodes'
  | 'balancers'
  | 'events';

/** Keys and their effect, for people. */
export const KEY_HELP: readonly (readonly [string, string])[] = [
  ['/', 'search nodes'],
  ['j k', 'next and previous node'],
  ['Enter', 'open the node'],
  ['x', 'select the node'],
  ['d e s', 'drain, enable, stop the node or the selected nodes'],
  ['g n', 'go to the nodes'],
  ['g b', 'go to the balancers'],
  ['g e', 'go to the events'],
  ['Esc', 'close, clear the search, clear the selection'],
  ['?', 'this list'],
];

const COMMANDS: Readonly<Record<string, KeyCommand>> = {
  '/': 'search',
  j: 'next',
  k: 'previous',
  d: 'drain',
  e: 'enable',
  s: 'stop',
  x: 'select',
  Enter: 'open',
  '?': 'help',
  Escape: 'close',
  g: 'go',
};

const PLACES: Readonly<Record<string, KeyCommand>> = { n: 'nodes', b: 'balancers', e: 'events' };

export interface KeyPress {
  readonly key: string;
  /** Ctrl, Alt or Meta is held: the key belongs to the browser. */
  readonly isModified: boolean;
  /** The focus is in a text field: only Escape is a command. */
  readonly isInField: boolean;
  /** The focus is on a button or link, which Enter activates. */
  readonly isOnControl: boolean;
  /** The key before was `g`. */
  readonly isAfterGo: boolean;
}

/** The command of a key; `undefined`: the key is left to the browser. */
export function keyCommand({ key, isModified, isInField, isOnControl, isAfterGo }: KeyPress): KeyCommand | undefined {
  if (isModified) return undefined;
  if (isInField) return key === 'Escape' ? 'close' : undefined;
  if (isOnControl && key === 'Enter') return undefined;
  if (isAfterGo && Object.hasOwn(PLACES, key)) return PLACES[key];
  return Object.hasOwn(COMMANDS, key) ? COMMANDS[key] : undefined;
}
