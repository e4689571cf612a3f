/**
 * Names the process of a node. MCMP has no name for it. Each coordinator that a node speaks to has to find the same name alone.
 * Otherwise each CONFIG would be another process to them, and all but one would be refused.
 *
 * So the name depends on what all coordinators know: id, address, and the process that had the id before. A node at the same address is
 * the same process until it has left or was removed. Then the next name follows from the previous one.
 *
 * Coordinators that know different things may still find two names. The registry then keeps one of them, and the book takes it over.
 */
import type { NodeView } from '@rollcall/core';
import type { NodeRegistration } from '@rollcall/protocol';

/** The two fields that distinguish one process from another. */
export interface ProcessName {
  readonly instance: string;
  readonly incarnation: number;
}

/** The node of this id at the registry; `undefined` when it has none. */
export interface EarlierProcess extends Pick<NodeView, 'registration'> {
  /** It has left or was removed, here or at another coordinator. */
  readonly hasEnded: boolean;
}

/** `digest`: the text as 32 hex digits, the same at each coordinator. */
export function processName(
  { id, url }: Pick<NodeRegistration, 'id' | 'url'>,
  earlier: EarlierProcess | undefined,
  { digest, nowUnixMs }: { digest(text: string): string; nowUnixMs(): number },
): ProcessName {
  const nowMs = Math.floor(nowUnixMs());
  if (earlier === undefined) return { instance: digest(`${id} ${url}`), incarnation: nowMs };
  const { instance, incarnation, url: place } = earlier.registration;
  if (place === url && !earlier.hasEnded) return { instance, incarnation };
  return { instance: digest(`${id} ${url} ${instance}`), incarnation: Math.max(nowMs, incarnation + 1) };
}
