import { editDistance } from '@rollcall/protocol';

/** At most `limit` of `names` that resemble `typed`, the nearest first; empty if no name is near. */
export function nearest(typed: string, names: Iterable<string>, limit: number): string[] {
  const word = typed.slice(0, 64);
  const maxDistance = Math.max(2, Math.floor(word.length / 3));
  const found: { name: string; distance: number }[] = [];
  for (const name of names) {
    const spelled = editDistance(word, name, maxDistance);
    const distance = isPart(word, name) ? Math.min(1, spelled) : spelled;
    if (distance <= maxDistance) found.push({ name, distance });
  }
  found.sort((one, other) => one.distance - other.distance || (one.name < other.name ? -1 : 1));
  return found.slice(0, limit).map(({ name }) => name);
}

function isPart(word: string, name: string): boolean {
  return word.length >= 3 && name.toLowerCase().includes(word.toLowerCase());
}
