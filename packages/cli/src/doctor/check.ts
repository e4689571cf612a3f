/** One finding of `rollcall doctor`. */

/** `ok`; `note`: to be known, nothing to do now; `problem`: to be mended. */
export type CheckState = 'ok' | 'note' | 'problem';

export interface Check {
  readonly name: string;
  readonly state: CheckState;
  /** One sentence without its full stop. */
  readonly text: string;
  /** What to do. */
  readonly remedy?: string;
}

export function ok(name: string, text: string): Check {
  return { name, state: 'ok', text };
}

export function note(name: string, text: string, remedy?: string): Check {
  return { name, state: 'note', text, ...(remedy === undefined ? {} : { remedy }) };
}

export function problem(name: string, text: string, remedy: string): Check {
  return { name, state: 'problem', text, remedy };
}
