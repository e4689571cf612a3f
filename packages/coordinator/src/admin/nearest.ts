/** At most `limit` of `names` that a person may have meant by `typed`, the nearest first; empty when none is near. */
export function nearest(typed: string, names: Iterable<string>, limit: number): string[] {
  const word = typed.slice(0, 64);
  const maxDistance = Math.max(2, Math.floor(word.length / 3));
  const found: { name: string; distance: number }[] = [];
  for (const name of names) {
    const spelled = distanceOf(word, name, maxDistance);
    const distance = isPart(word, name) ? Math.min(1, spelled) : spelled;
    if (distance <= maxDistance) found.push({ name, distance });
  }
  found.sort((one, other) => one.distance - other.distance || (one.name < other.name ? -1 : 1));
  return found.slice(0, limit).map(({ name }) => name);
}

function isPart(word: string, name: string): boolean {
  return word.length >= 3 && name.toLowerCase().includes(word.toLowerCase());
}

/** Levenshtein's distance of two short texts, case aside; anything above `max` when it is larger. */
function distanceOf(one: string, other: string, max: number): number {
  if (Math.abs(one.length - other.length) > max) return max + 1;
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])));
    row = next;
  }
  return row[b.length]!;
}
