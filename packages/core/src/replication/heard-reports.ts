/**
 * Which coordinators receive the heartbeats of which nodes, from the records `report/NODE/COORDINATOR`. Only reports of other coordinators
 * that run count.
 */

import type { NodeId } from '@rollcall/protocol';
import type { NodeHeardReport } from '../registry/commands.ts';
import type { SharedRecord } from './shared-record.ts';

export class HeardReports {
  readonly #own: string;
  /** Instance by coordinator, by node. */
  readonly #reports = new Map<string, Map<string, string>>();
  /** Names of the other coordinators that run, by id. */
  #running: ReadonlyMap<string, string> = new Map();

  constructor(own: string) {
    this.#own = own;
  }

  /** Takes a record that stands now. Returns the node that it is about; `undefined` for other records. */
  take({ key, value }: Pick<SharedRecord, 'key' | 'value'>): string | undefined {
    const [kind, node, coordinator] = key.split('/');
    if (kind !== 'report' || node === undefined || coordinator === undefined || coordinator === this.#own)
      return undefined;
    const reports = this.#reports.get(node) ?? new Map<string, string>();
    const { instance } = (value ?? {}) as { readonly instance?: unknown };
    // Also of a deletion, whose value is null.
    if (typeof instance !== 'string') reports.delete(coordinator);
    else reports.set(coordinator, instance);
    if (reports.size === 0) this.#reports.delete(node);
    else this.#reports.set(node, reports);
    return node;
  }

  /** Sets the other coordinators that run. Returns the nodes whose reports count now, or no longer. */
  setRunning(running: ReadonlyMap<string, string>): string[] {
    const changed = new Set(
      [...running.keys(), ...this.#running.keys()].filter((id) => running.get(id) !== this.#running.get(id)),
    );
    this.#running = running;
    if (changed.size === 0) return [];
    const nodes: string[] = [];
    for (const [node, reports] of this.#reports)
      if ([...reports.keys()].some((id) => changed.has(id))) nodes.push(node);
    return nodes;
  }

  /** The name of another coordinator that runs. */
  nameOf(coordinator: string): string | undefined {
    return this.#running.get(coordinator);
  }

  /** The report on a node. `instance`: the process that its record names; reports on others do not count. */
  of(node: string, instance: string): NodeHeardReport {
    const by: string[] = [];
    for (const [coordinator, heard] of this.#reports.get(node) ?? []) {
      const name = this.#running.get(coordinator);
      if (name !== undefined && heard === instance) by.push(name);
    }
    return { id: node as NodeId, instance, by: by.sort() };
  }
}
