import { editDistance } from '@rollcall/protocol';

/** `; did you mean "proxy"?` for the nearest of `known`, or an empty text if no name is near. */
export function nearest(key: string, known: readonly string[]): string {
  const maxDistance = Math.max(2, key.length / 3);
  const best = known
    .map((name) => ({ name, distance: editDistance(key, name, maxDistance) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return best && best.distance <= maxDistance ? `; did you mean ${JSON.stringify(best.name)}?` : '';
}
