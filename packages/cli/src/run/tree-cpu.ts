import type { ProcessEntry } from './process-table.ts';

/**
 * CPU time of a tree of processes that come and go, in milliseconds: it never falls, and counts nothing twice.
 *
 * While a process lives it is counted by its own time. When it has ended, its parent's account of ended children grows
 * by all it ever used: what was counted already is taken off, and the rest, also that of processes which began and ended
 * between two looks, is counted then. The end of a process whose parent does not ask for it is in nobody's account: what
 * it used after the last look is lost.
 */
export class TreeCpu {
  #before = new Map<string, ProcessEntry>();
  #totalMs = 0;

  /** Takes a look at the tree; returns what it has used since it began. */
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

  /** What was counted of those that have ended, by the pid of the closest living one above them, who has it in its account. */
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

/** The pid names a process until it is used again; with its start it names one for ever. */
function nameOf({ pid, startTicks }: ProcessEntry): string {
  return `${pid} ${startTicks}`;
}

function heirOf(
  ended: ProcessEntry,
  byPid: ReadonlyMap<number, ProcessEntry>,
  now: ReadonlyMap<string, ProcessEntry>,
): number | undefined {
  let above = byPid.get(ended.parent);
  // A chain of parents is never longer than the tree; should the table have a circle, this ends all the same.
  for (let steps = 0; above !== undefined && steps <= byPid.size; steps += 1) {
    if (now.has(nameOf(above))) return above.pid;
    above = byPid.get(above.parent);
  }
  return undefined;
}
