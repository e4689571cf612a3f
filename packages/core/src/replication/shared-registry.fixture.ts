/** A registry that is shared, with all commands followed, as a coordinator does. */
import type { Command } from '../registry/commands.ts';
import type { Event, Rejection } from '../registry/events.ts';
import { Registry } from '../registry/registry.ts';
import type { Instants, MergeResult, Replica } from './replica.ts';
import type { SharedRecord } from './shared-record.ts';
import { SharedRegistry } from './shared-registry.ts';
import type { Version } from './version.ts';

export class FollowedRegistry {
  readonly registry: Registry;
  readonly #shared: SharedRegistry;
  /** Gets the events of merges. */
  onEvents: (events: readonly Event[]) => void = () => {};

  constructor(coordinator: string, registry: Registry = new Registry({ startedAtMs: 0, isShared: true })) {
    this.registry = registry;
    this.#shared = new SharedRegistry({
      registry,
      coordinator,
      apply: (command, nowMs) => {
        const outcome = registry.apply(command, nowMs);
        if (!('type' in outcome)) this.onEvents(outcome);
        return outcome;
      },
    });
  }

  get replica(): Replica {
    return this.#shared.replica;
  }

  start(records: readonly SharedRecord[], now: Instants): void {
    this.#shared.start(records, now);
  }

  startOutdated(): void {
    this.#shared.startOutdated();
  }

  apply(command: Command, now: Instants): readonly Event[] | Rejection {
    const outcome = this.registry.apply(command, now.nowMs);
    if (!('type' in outcome)) this.#shared.follow(outcome, now);
    return outcome;
  }

  merge(records: readonly SharedRecord[], now: Instants, isWhole = false): MergeResult {
    return this.#shared.merge(records, now, isWhole);
  }

  setRunning(running: ReadonlyMap<string, string>, now: Instants): void {
    this.#shared.setRunning(running, now);
  }

  expire(now: Instants): ReadonlyMap<string, Version> {
    return this.#shared.expire(now);
  }
}
