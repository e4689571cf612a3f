/** Bindings of a token as values: parses them, and checks a registration against them. Pure. */
import { hostsOf } from '@rollcall/core';
import type { Fault, NodeRegistration, TokenBindings } from '@rollcall/protocol';
import {
  isObject,
  MAX_BINDING_ENTRIES,
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
} from '@rollcall/protocol';
import { CidrList, type IpAddress } from '../network/addresses.ts';
import type { TokenRecord } from './token-record.ts';

/** A requested registration with its token. */
export interface RegistrationAsk {
  readonly node: Pick<NodeRegistration, 'id' | 'balancer' | 'hosts' | 'contexts' | 'weight'>;
  /** Number of present nodes of the token, without this one. */
  readonly otherNodes: number;
}

type Bound = Pick<TokenRecord, 'name' | 'bindings'>;

const MAX_NODES = 10_000;
const WEIGHT = { min: 0.001, max: 100 };
/** Upper bound of the entries that a refusal names. */
const MAX_NAMED = 3;

const LISTS: Readonly<Record<string, (text: string) => string | undefined>> = {
  balancers: parseBalancerName,
  hosts: parseHostPattern,
  contexts: parseContextPath,
  nodeIds: (text) => (/^[A-Za-z0-9_*-]{1,64}$/.test(text) ? text : undefined),
  addresses: (text) => (isRange(text) ? text : undefined),
};

/** Parses bindings of the API or of tokens.json. Error: `bad-field`, which names the field and the entry. */
export function readBindings(value: unknown): TokenBindings | Fault {
  if (!isObject(value)) return badField('bindings are not an object');
  const read: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(value)) {
    const parse = Object.hasOwn(LISTS, key) ? LISTS[key] : undefined;
    if (parse) {
      const list = readList(key, entry, parse);
      if ('code' in list) return list;
      read[key] = list;
    } else if (key === 'nodes') {
      if (!Number.isInteger(entry) || (entry as number) < 0 || (entry as number) > MAX_NODES)
        return badField(`nodes is not a whole number from 0 to ${MAX_NODES}`);
      read[key] = entry;
    } else if (key === 'maxWeight') {
      if (typeof entry !== 'number' || !(entry >= WEIGHT.min && entry <= WEIGHT.max))
        return badField(`maxWeight is not a number from ${WEIGHT.min} to ${WEIGHT.max}`);
      read[key] = entry;
    } else return badField(`${key.slice(0, 64)} is not a binding`);
  }
  return read as TokenBindings;
}

/** Fault of the first binding that the registration violates, with its value; `undefined` if it violates none. */
export function judgeRegistration(token: Bound, { node, otherNodes }: RegistrationAsk): Fault | undefined {
  const { bindings = {} } = token;
  const { balancers, hosts, contexts, nodeIds, nodes, maxWeight } = bindings;
  if (balancers && !balancers.includes(node.balancer))
    return refusal(token, 'balancer', balancers, `${node.balancer} is not one of them`);
  const host = hosts && [...hostsOf(node)].find((one) => !hosts.some((listed) => coversHost(listed, one)));
  if (hosts && host !== undefined) return refusal(token, 'host', hosts, `${host} is not within them`);
  const context = contexts && node.contexts.find(({ path }) => !contexts.some((listed) => coversPath(listed, path)));
  if (contexts && context) return refusal(token, 'context', contexts, `${context.path} is not within them`);
  if (nodeIds && !nodeIds.some((pattern) => matchesPattern(pattern, node.id)))
    return refusal(token, 'node', nodeIds, `the id ${node.id} does not match`);
  if (nodes !== undefined && otherNodes >= nodes)
    return refusal(token, 'nodes', [String(nodes)], `${otherNodes} are present`);
  if (maxWeight !== undefined && node.weight > maxWeight)
    return refusal(token, 'max-weight', [String(maxWeight)], `the node announces ${node.weight}`);
  return undefined;
}

/** The same for the address from which a token is used. */
export function judgeAddress(token: Bound, address: IpAddress | undefined): Fault | undefined {
  const ranges = token.bindings?.addresses;
  if (ranges === undefined || new CidrList(ranges).has(address)) return undefined;
  return refusal(token, 'address', ranges, `${address ?? 'an unknown address'} is not within them`);
}

/** True when the token lists hosts or contexts: its nodes may then serve contexts below, and hosts inside, those of another token. */
export function listsPlaces({ hosts, contexts }: TokenBindings = {}): boolean {
  return hosts !== undefined || contexts !== undefined;
}

/** Bindings as text: `balancer shop; context /shop; nodes 10`. Empty without bindings. */
export function bindingsText(bindings: TokenBindings = {}): string {
  const { balancers, hosts, contexts, nodeIds, addresses, nodes, maxWeight } = bindings;
  const lists = { balancer: balancers, host: hosts, context: contexts, node: nodeIds, address: addresses };
  return [
    ...Object.entries(lists).flatMap(([flag, list]) => (list ? [`${flag} ${named(list)}`] : [])),
    ...(nodes === undefined ? [] : [`nodes ${nodes}`]),
    ...(maxWeight === undefined ? [] : [`max-weight ${maxWeight}`]),
  ].join('; ');
}

function refusal({ name }: Bound, flag: string, values: readonly string[], why: string): Fault {
  const message = `the token ${name} is bound to ${flag} ${named(values)}: ${why} (\`rollcall token set ${name} --${flag} …\` changes it)`;
  return { code: 'forbidden', message };
}

function named(values: readonly string[]): string {
  if (values.length === 0) return '(none)';
  const more = values.length - MAX_NAMED;
  return `${values.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function readList(key: string, value: unknown, parse: (text: string) => string | undefined): string[] | Fault {
  if (!Array.isArray(value) || value.length > MAX_BINDING_ENTRIES)
    return badField(`${key} is not a list of at most ${MAX_BINDING_ENTRIES} texts`);
  const list: string[] = [];
  for (const entry of value as unknown[]) {
    const read = typeof entry === 'string' ? parse(entry) : undefined;
    if (read === undefined) return badField(`${key}: ${JSON.stringify(entry).slice(0, 100)} is not one`);
    if (!list.includes(read)) list.push(read);
  }
  return list;
}

function coversHost(listed: string, host: string): boolean {
  if (listed === '*' || listed === host) return true;
  return listed.startsWith('*.') && host.endsWith(listed.slice(1));
}

function coversPath(listed: string, path: string): boolean {
  return listed === '/' || listed === path || path.startsWith(`${listed}/`);
}

/** `*` in `pattern` stands for any characters. Linear except for the last `*`, so that no pattern is expensive. */
export function matchesPattern(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return text === first;
  const last = rest.pop()!;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > text.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}

function isRange(text: string): boolean {
  try {
    new CidrList([text]);
    return true;
  } catch {
    return false;
  }
}

function badField(message: string): Fault {
  return { code: 'bad-field', message };
}
