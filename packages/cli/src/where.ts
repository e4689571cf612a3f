/** `--where version=1.4.1,group=eu-1`: a selector of nodes as text. */
import {
  MAX_WHERE_CHARACTERS,
  matchesWhere,
  type NodeResource,
  noMatchText,
  WHERE_KEYS,
  type Where,
  type WhereKey,
} from '@rollcall/protocol';
import type { AdminClient } from './admin-client.ts';
import { CliFailure, EXIT } from './exit.ts';
import { type NodeFilter, nodesOf } from './lists.ts';

export const WHERE_HELP: string = `all nodes that match KEY=VALUE,…; keys: ${WHERE_KEYS.join(', ')} (node with * and ?)`;

/** The selector of a text. Fails with exit 2 for an unknown or repeated key, and without a value. */
export function whereOf(text: string): Where {
  const where: Partial<Record<WhereKey, string>> = {};
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    const [name, value] = [part.slice(0, Math.max(0, equals)), part.slice(equals + 1)];
    const key = WHERE_KEYS.find((one) => one === name);
    if (equals < 1 || value === '') throw usage(`${JSON.stringify(part)}: write KEY=VALUE, like version=1.4.1`);
    if (key === undefined) throw usage(`there is no key ${name}; the keys are ${WHERE_KEYS.join(', ')}`);
    if (where[key] !== undefined) throw usage(`${key} is given twice`);
    if (value.length > MAX_WHERE_CHARACTERS)
      throw usage(`${key} has ${value.length} characters; at most ${MAX_WHERE_CHARACTERS} are possible`);
    where[key] = value;
  }
  return where;
}

/** The nodes that match. Fails with exit 1 that names the possible values if there is none. */
export async function nodesWhere(client: AdminClient, where: Where, filter: NodeFilter = {}): Promise<NodeResource[]> {
  const all = await nodesOf(client, filter);
  const matching = all.filter((node) => matchesWhere(where, node));
  if (matching.length === 0) throw new CliFailure(noMatchText(where, all), EXIT.failed);
  return matching;
}

function usage(message: string): CliFailure {
  return new CliFailure(`--where ${message}`, EXIT.usage);
}
