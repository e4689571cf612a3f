/** The nodes that a query of `GET /v1/watch` selects. Pure. */
import type { NodeRow } from '@rollcall/protocol';
import { matchesPattern } from '../auth/bindings.ts';
import type { WatchQuery } from './watch-hub.ts';

/** Conditions on nodes, all of which must hold; absent: any node. */
export interface NodeConditions {
  readonly balancer?: string;
  readonly group?: string;
  readonly version?: string;
  /** Host name of the process, or host of the URL. */
  readonly host?: string;
  /** Id of the node; `*` stands for any characters. */
  readonly node?: string;
}

const KEYS = ['balancer', 'group', 'version', 'host', 'node'] as const;

/** The conditions of a text such as `version=1.4.1,group=eu-1`, or the part that is not a condition, as a sentence. */
export function conditionsOf(text: string): NodeConditions | string {
  const conditions: { -readonly [Key in keyof NodeConditions]: NodeConditions[Key] } = {};
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const key = KEYS.find((one) => one === part.slice(0, at).trim());
    const value = part.slice(at + 1).trim();
    if (key === undefined || at < 0 || value === '')
      return `where: ${JSON.stringify(part.slice(0, 64))} is not KEY=VALUE with one of the keys ${KEYS.join(', ')}`;
    if (conditions[key] !== undefined) return `where: ${key} is given twice`;
    conditions[key] = value;
  }
  return conditions;
}

export function queryOf(conditions: NodeConditions): WatchQuery {
  const { balancer, group, version, host, node } = conditions;
  return {
    key: JSON.stringify(KEYS.map((key) => conditions[key])),
    choice: (id: string, row: NodeRow): boolean =>
      (balancer === undefined || row.balancer === balancer) &&
      (group === undefined || row.group === group) &&
      (version === undefined || row.version === version) &&
      (host === undefined || row.host === host || new URL(row.url).hostname === host) &&
      (node === undefined || matchesPattern(node, id)),
  };
}
