/** Advice on contexts that no node serves. */
import type { UnservedContext } from './admin.ts';

export function unservedSentence({ host, path, message, remedy }: UnservedContext): string {
  return `No node serves ${path} on ${host}: ${message}. To do: ${remedy}.`;
}

/** `2 more contexts are not served: …`. */
export function moreUnservedSentence(more: number): string {
  return `${more} more contexts are not served: see unserved in /v1/status.`;
}
