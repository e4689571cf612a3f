/** Messages with a few wrong parts, for property tests of the codec, the schema and the coordinator. */

/** Values at the bounds of accepted values, and far outside. In all texts a character is one UTF-16 code unit. */
export const VALUES: readonly unknown[] = [
  ...[null, true, false, [], {}, [[]], [{}], [null], { a: 1 }, { path: '/' }, [{ path: null }]],
  ...[0, -0, 1, -1, 0.5, 0.001, 0.0009, 0.99, 1.01, 19, 20, 39, 40, 99, 100, 101, 1_000, 1_001, 1_024, 1_025],
  ...[60_000, 60_001, 600_001, 3_600_000, 3_600_001, 86_400_000, 86_400_001, 4_294_967_295, 4_294_967_296],
  ...[2 ** 53 - 1, 2 ** 53, 1e15, 1.1e15, 1e308, Number.MIN_VALUE],
  ...['', 'a', 'A_-9', 'a.b', 'a b', 'x'.repeat(16), 'x'.repeat(17), 'x'.repeat(64), 'x'.repeat(65), '__proto__'],
  ...['x'.repeat(255), 'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(512), 'x'.repeat(513), 'x'.repeat(1_025)],
  ...['constructor', 'prototype', 'a\nb', 'a\u007fb', 'a\u0085b', 'grün', 'shоp', '<b>', 'enabled', 'eager', 'rewrite'],
  ...['http://a:1', 'https://[::1]:65535', 'http://a:65536', 'http://a:0', 'http://a:01', 'http://a', 'http://a:1/'],
  ...['http://a:1/x', 'http://1.2.3.4:80', 'http://1.2.3:80', 'http://256.1.1.1:80', 'http://0x7f.1:80', 'http://1:80'],
  ...['http://a.1:80', 'http://1.2.3.4.:80', 'http://a.0x:80', 'http://u@a:1', 'HTTP://a:1', 'http://A_b-c.d:80'],
  ...['/', '/a', '/a/', '//', '/a//b', '/..', '/../a', '/a/..', '/a/./b', '/...', '/a%2f', '/a;b', '/a?b', '/é'],
  ...['*', '*.a', '*.', '**', 'a.', '.a', '-a', 'a-', 'a:80', '[::1]', '[x]', 'K.example', 'A.b'],
  ...['0'.repeat(32), 'A'.repeat(32), 'https://x', 'https://x/"', "https://x/'", 'https://x/[]', 'ftp://x'],
  ...[Array.from({ length: 17 }, () => 'a'), Array.from({ length: 16 }, () => 'a'), ['a'], ['/'], ['/..'], ['a b']],
  Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, 1])),
  Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'x'])),
];
const KEYS = ['__proto__', 'constructor', 'prototype', 'unknown', 'a.b', 'type', ''];

/** One change of a message. `place` and `what` are indices, taken modulo the number of places and of values or keys. */
export interface Mutation {
  readonly place: number;
  readonly how: 'replace' | 'delete' | 'add' | 'repeat';
  readonly what: number;
}

/** Returns a copy of a message with parts replaced, deleted, added and repeated. */
export function mutated(message: object, mutations: readonly Mutation[]): object {
  const copy = structuredClone(message);
  for (const { place, how, what } of mutations) {
    const places = placesOf(copy);
    if (places.length === 0) break;
    const [holder, key] = places[place % places.length]!;
    const value = structuredClone(VALUES[what % VALUES.length]);
    if (how === 'replace') put(holder, key, value);
    else if (how === 'delete') delete holder[key];
    else if (how === 'add') put(holder, KEYS[what % KEYS.length]!, value);
    else if (Array.isArray(holder)) while (holder.length < 17) holder.push(holder[Number(key)]);
  }
  return copy;
}

function put(holder: Record<string, unknown>, key: string, value: unknown): void {
  if (Array.isArray(holder) && !/^\d+$/.test(key)) return;
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Lists the object and the key of each part. */
export function placesOf(value: object): [Record<string, unknown>, string][] {
  return Object.entries(value).flatMap(([key, part]: [string, unknown]) => [
    [value as Record<string, unknown>, key] as [Record<string, unknown>, string],
    ...(typeof part === 'object' && part !== null ? placesOf(part) : []),
  ]);
}
