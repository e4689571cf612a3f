/** Decodes and checks a scenario. An error names the invalid field and the reason. */
import type { Happening, NodeGroup, Scenario, Sessions, Work } from './scenario.ts';

/** The reason why a value is not a scenario: one sentence that begins with the field. */
export class ScenarioProblem {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

const MAX_NODES = 10_000;
const MAX_PROXIES = 1_000;
const MAX_MS = 86_400_000;
const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

type Read<T> = (value: unknown, at: string) => T;

/** Decodes a scenario; absent optional fields stay absent. Returns a `ScenarioProblem` if the value is invalid. */
export function parseScenario(value: unknown): Scenario | ScenarioProblem {
  try {
    const scenario = readScenario(value, '');
    checkWhole(scenario);
    return scenario;
  } catch (error) {
    if (error instanceof Wrong) return new ScenarioProblem(error.message);
    throw error;
  }
}

class Wrong extends Error {}

const milliseconds = number(0, MAX_MS);
const ratio = number(0, 1);

const readWork = oneOf<Work>('kind', {
  constant: object({ kind: text, meanMs: number(1e-3, MAX_MS) }),
  exponential: object({ kind: text, meanMs: number(1e-3, MAX_MS) }),
  lognormal: object({ kind: text, meanMs: number(1e-3, MAX_MS), variation: number(0, 100) }),
  pareto: object({ kind: text, meanMs: number(1e-3, MAX_MS), shape: number(0.1, 100), span: number(1.001, 1e9) }),
});

const readHappening = oneOf<Happening>('does', {
  slow: object({ atMs: milliseconds, does: text, node: integer(0, MAX_NODES), factor: number(0.001, 1) }),
  fail: object({ atMs: milliseconds, does: text, node: integer(0, MAX_NODES), withinMs: milliseconds }),
  break: object({ atMs: milliseconds, does: text, node: integer(0, MAX_NODES), withinMs: milliseconds }),
  crash: object({ atMs: milliseconds, does: text, node: integer(0, MAX_NODES) }),
  recover: object({ atMs: milliseconds, does: text, node: integer(0, MAX_NODES) }),
  join: object({
    atMs: milliseconds,
    does: text,
    count: integer(1, MAX_NODES),
    speed: number(0.001, 1_000),
    coldFactor: optional(number(0.001, 1)),
    rampMs: optional(milliseconds),
  }),
  drain: object({ atMs: milliseconds, does: text, node: integer(0, MAX_NODES) }),
  leave: object({ atMs: milliseconds, does: text, node: integer(0, MAX_NODES) }),
});

const readScenario = object<Scenario>({
  name: (value, at) => {
    const name = text(value, at);
    if (!NAME.test(name)) throw new Wrong(`${at} must consist of lower-case letters, digits and hyphens`);
    return name;
  },
  about: optional(text),
  nodes: list(
    object<NodeGroup>({
      count: integer(1, MAX_NODES),
      speed: number(0.001, 1_000),
      weight: optional(number(0.01, 100)),
    }),
    1,
  ),
  proxies: integer(1, MAX_PROXIES),
  utilisation: number(1e-6, 10),
  work: readWork,
  sessions: optional(
    object<Sessions>({
      lifeMs: number(1, MAX_MS),
      requestsPerSecond: number(1e-4, 1e6),
      activity: optional(object({ shape: number(0.1, 100), span: number(1.001, 1e9) })),
      population: optional(word('open', 'fixed')),
      atStart: optional(number(0, 10)),
      isMovable: optional(boolean),
    }),
  ),
  antagonists: optional(object({ share: ratio, factor: number(0.001, 1), stayMs: number(1, MAX_MS) })),
  events: optional(list(readHappening, 0)),
  windows: optional(list(object({ name: text, fromMs: milliseconds, toMs: milliseconds }), 0)),
  retries: optional(integer(0, 100)),
  ejects: optional(boolean),
  warmupMs: milliseconds,
  durationMs: number(1, MAX_MS),
  deadlineMs: number(1, MAX_MS),
  reportMs: number(1, MAX_MS),
  lostReports: optional(ratio),
  tells: optional(word('beside-answers', 'reports', 'nothing')),
});

/** Checks rules that concern several fields. */
function checkWhole({ nodes, events = [], windows = [], warmupMs, durationMs }: Scenario): void {
  let known = nodes.reduce((sum, { count }) => sum + count, 0);
  if (known > MAX_NODES) throw new Wrong(`nodes has ${known} nodes in total, more than ${MAX_NODES}`);
  let beforeMs = 0;
  for (const [i, event] of events.entries()) {
    if (event.atMs < beforeMs) throw new Wrong(`events[${i}].atMs is before the event that precedes it`);
    beforeMs = event.atMs;
    if (event.does === 'join') known += event.count;
    else if (event.node >= known)
      throw new Wrong(`events[${i}].node is ${event.node}, but nodes are 0 to ${known - 1}`);
  }
  for (const [i, { fromMs, toMs }] of windows.entries())
    if (fromMs >= toMs || fromMs < warmupMs || toMs > warmupMs + durationMs)
      throw new Wrong(
        `windows[${i}] must be within ${warmupMs} and ${warmupMs + durationMs} ms, and end after its begin`,
      );
}

/** An object with exactly these fields. */
function object<T>(fields: { readonly [K in keyof T]-?: Read<T[K]> }): Read<T> {
  return (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Wrong(`${at === '' ? 'a scenario' : at} must be an object`);
    const known = Object.keys(fields);
    for (const key of Object.keys(value))
      if (!known.includes(key)) throw new Wrong(`${below(at, key)} is not a field; fields are ${known.join(', ')}`);
    const read: Partial<T> = {};
    for (const key of known as (keyof T & string)[]) {
      const field = fields[key]((value as Record<string, unknown>)[key], below(at, key));
      if (field !== undefined) read[key] = field;
    }
    return read as T;
  };
}

/** A tagged union; the field `key` selects the shape. */
function oneOf<T>(key: string, shapes: Readonly<Record<string, Read<unknown>>>): Read<T> {
  return (value, at) => {
    const shape = (value as Record<string, unknown> | null | undefined)?.[key];
    const read = typeof shape === 'string' && Object.hasOwn(shapes, shape) ? shapes[shape] : undefined;
    if (!read) throw new Wrong(`${below(at, key)} must be one of ${Object.keys(shapes).join(', ')}`);
    return read(value, at) as T;
  };
}

function list<T>(item: Read<T>, least: number): Read<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value) || value.length < least)
      throw new Wrong(`${at} must be a list${least > 0 ? ` of at least ${least}` : ''}`);
    return value.map((entry, i) => item(entry, `${at}[${i}]`));
  };
}

function optional<T>(read: Read<T>): Read<T | undefined> {
  return (value, at) => (value === undefined ? undefined : read(value, at));
}

function number(least: number, most: number): Read<number> {
  return (value, at) => {
    if (typeof value !== 'number' || !(value >= least && value <= most))
      throw new Wrong(`${at} must be a number from ${least} to ${most}${given(value)}`);
    return value;
  };
}

function integer(least: number, most: number): Read<number> {
  return (value, at) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
      throw new Wrong(`${at} must be an integer from ${least} to ${most}${given(value)}`);
    return value as number;
  };
}

function word<const W extends string>(...words: readonly W[]): Read<W> {
  return (value, at) => {
    const found = words.find((one) => one === value);
    if (found === undefined) throw new Wrong(`${at} must be one of ${words.join(', ')}`);
    return found;
  };
}

function text<T extends string>(value: unknown, at: string): T {
  if (typeof value !== 'string' || value === '' || value.length > 500)
    throw new Wrong(`${at} must be a text of 1 to 500 characters`);
  return value as T;
}

function boolean(value: unknown, at: string): boolean {
  if (typeof value !== 'boolean') throw new Wrong(`${at} must be true or false`);
  return value;
}

function given(value: unknown): string {
  return value === undefined ? ' (missing)' : `, not ${JSON.stringify(value)?.slice(0, 40) ?? typeof value}`;
}

function below(at: string, key: string): string {
  return at === '' ? key : `${at}.${key}`;
}
