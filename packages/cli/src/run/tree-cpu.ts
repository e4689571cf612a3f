import type { ProcessEntry } from './process-table.ts';

/**
 * Total CPU time of a changing process tree, in milliseconds: it never falls, and counts nothing twice.
 *
 * A running process counts with its own time. When it has ended, the children's time of its parent grows by its total. The part
 * that was already counted is subtracted and the rest is added, also for processes that started and ended between two samples.
 * If the parent does not wait for a child, no process has its time: CPU time after the last sample is lost.
 */
export class TreeCpu {
  #before = new Map<string, ProcessEntry>();
  #totalMs = 0;

  /** Samples the tree; returns its CPU time since the first sample. */
  take(entries: readonly ProcessEntry[]): number {
    const now = new Map(entries.map((entry) => [nameOf(entry), entry]));
    const counted = this.#countedOfEnded(now);
    for (const [name, entry] of now) {
      const before = this.#before.get(name);
      const endedMs = entry.endedCpuMs - (before?.endedCpuMs ?? 0);
      this.#totalMs += Math.max(0, entry.ownCpuMs - (before?.ownCpuMs ?? 0));
      this.#totalMs += Math.max(0, endedMs - (counted.get(entry.pid) ?? 0));
    }
    this.#before = now;
    return this.#totalMs;
  }

  /** Counted time of ended processes, by the pid of the closest living ancestor, whose children's time contains it. */
  #countedOfEnded(now: ReadonlyMap<string, ProcessEntry>): ReadonlyMap<number, number> {
    const byPid = new Map([...this.#before.values()].map((entry) => [entry.pid, entry]));
    const counted = new Map<number, number>();
    for (const [name, entry] of this.#before) {
      if (now.has(name)) continue;
      const heir = heirOf(entry, byPid, now);
      if (heir !== undefined) counted.set(heir, (counted.get(heir) ?? 0) + entry.ownCpuMs + entry.endedCpuMs);
    }
    return counted;
  }
}

/** A pid can be reused; pid and start identify a process uniquely. */
function nameOf({ pid, startTicks }: ProcessEntry): string {
  return `${pid} ${startTicks}`;
}

function heirOf(
  ended: ProcessEntry,
  byPid: ReadonlyMap<number, ProcessEntry>,
  now: ReadonlyMap<string, ProcessEntry>,
): number | undefined {
  let above = byPid.get(ended.parent);
  // A chain of parents is never longer than the tree; this also ends the loop if the table has a cycle.
  for (let steps = 0; above !== undefined && steps <= byPid.size; steps += 1) {
    if (now.has(nameOf(above))) return above.pid;
    above = byPid.get(above.parent);
  }
  return undefined;
}
