/**
 * Recorded connections between agents and coordinators, as lines of JSON. Values that differ from run to run are placeholders:
 * `<url:a>` stands for the same value wherever it is written, `<text>`, `<number>` and `<list>` for any value of that type.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

export const TRANSCRIPTS: URL = new URL('../../packages/protocol/transcripts/v1/', import.meta.url);

export type Message = { readonly type: string; readonly [field: string]: unknown };

/** One line behind the first. */
export type Line =
  /** The agent has opened this connection; the lines behind it are of this connection until another is opened. */
  | { readonly open: number }
  | { readonly from: 'agent' | 'coordinator'; readonly message: Message }
  | { readonly from: 'agent' | 'coordinator'; readonly close: number }
  /** What the program around the agent does, or `stopped`: what becomes of the agent. */
  | { readonly program: 'drain' | 'close' | 'stopped' }
  /** What others do at the coordinator. */
  | { readonly others: 'drain' | 'enable' | 'restart' | 'take-over' };

export interface Transcript {
  readonly name: string;
  readonly about: string;
  readonly lines: readonly Line[];
}

export function transcripts(): readonly Transcript[] {
  const names = readdirSync(TRANSCRIPTS).filter((name) => name.endsWith('.jsonl'));
  return names.sort().map((name) => {
    const [head, ...lines] = readFileSync(new URL(name, TRANSCRIPTS), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    return { name, about: (head as { about: string }).about, lines: lines as Line[] };
  });
}

/** Values by placeholder, e.g. `url:a`. */
export type Bindings = Map<string, unknown>;

const ANY = { text: 'text', number: 8, list: [] } as const;

/** The template with values in place of its placeholders. */
export function fill(template: unknown, bindings: Bindings): unknown {
  const name = placeholder(template);
  if (name !== undefined) return bindings.get(name) ?? ANY[name as keyof typeof ANY];
  if (Array.isArray(template)) return template.map((part) => fill(part, bindings));
  if (typeof template !== 'object' || template === null) return template;
  return Object.fromEntries(Object.entries(template).map(([key, part]) => [key, fill(part, bindings)]));
}

/** Fails unless `actual` has all of the template, whatever else it has. Binds placeholders that are not bound yet. */
export function match(template: unknown, actual: unknown, bindings: Bindings, where: string): void {
  const name = placeholder(template);
  if (name === 'text' || name === 'number') assert.equal(typeof actual, name === 'text' ? 'string' : 'number', where);
  else if (name === 'list') assert.ok(Array.isArray(actual), where);
  else if (name !== undefined && !bindings.has(name)) bindings.set(name, actual);
  else if (name !== undefined) assert.deepEqual(actual, bindings.get(name), where);
  else if (typeof template !== 'object' || template === null) assert.equal(actual, template, where);
  else {
    assert.ok(typeof actual === 'object' && actual !== null, `${where} is ${JSON.stringify(actual)}`);
    for (const [key, part] of Object.entries(template))
      match(part, (actual as Record<string, unknown>)[key], bindings, `${where}.${key}`);
  }
}

function placeholder(value: unknown): string | undefined {
  return typeof value === 'string' ? /^<([a-z]+(?::[a-z])?)>$/.exec(value)?.[1] : undefined;
}
