/**
 * JSON Merge Patch (RFC 7396): the difference of two JSON objects as an object. A member with `null` is removed, a nested object is merged,
 * and every other value replaces the earlier one. The patched values therefore contain no `null`. Any member name is allowed, also `__proto__`.
 */

/** A patch for a `Value`. Arrays are replaced as a whole. */
export type MergePatch<Value> = Value extends readonly unknown[]
  ? Value
  : Value extends object
    ? { readonly [Key in keyof Value]?: MergePatch<Value[Key]> | null }
    : Value;

/** `target` with `patch` applied. Unchanged parts are shared with `target`, which is not changed. */
export function mergePatch<Value>(target: Value, patch: MergePatch<Value>): Value {
  return merged(target, patch) as Value;
}

/**
 * The smallest patch that makes `after` of `before`; `undefined` if they are equal. Members that are `undefined` count as absent.
 * `mergePatch(before, mergePatchOf(before, after))` equals `after`.
 */
export function mergePatchOf<Value extends object>(before: Value, after: Value): MergePatch<Value> | undefined {
  return difference(before as Members, after as Members) as MergePatch<Value> | undefined;
}

type Members = Readonly<Record<string, unknown>>;

function merged(target: unknown, patch: unknown): unknown {
  if (!hasMembers(patch)) return patch;
  // `fromEntries` defines members, and so never sets a prototype.
  const members = new Map(hasMembers(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch))
    if (value === null) members.delete(name);
    else members.set(name, merged(members.get(name), value));
  return Object.fromEntries(members);
}

function difference(before: Members, after: Members): Members | undefined {
  const changes: [name: string, value: unknown][] = [];
  for (const name of Object.keys(after)) {
    const value = after[name];
    if (value === undefined) continue;
    const earlier = Object.hasOwn(before, name) ? before[name] : undefined;
    if (earlier === value) continue;
    if (!hasMembers(value) || !hasMembers(earlier)) {
      if (!isEqual(earlier, value)) changes.push([name, value]);
      continue;
    }
    const change = difference(earlier, value);
    if (change !== undefined) changes.push([name, change]);
  }
  for (const name of Object.keys(before))
    if (before[name] !== undefined && (!Object.hasOwn(after, name) || after[name] === undefined))
      changes.push([name, null]);
  return changes.length === 0 ? undefined : Object.fromEntries(changes);
}

function hasMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEqual(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((value, i) => isEqual(value, other[i]));
  return hasMembers(one) && hasMembers(other) && difference(one, other) === undefined;
}
