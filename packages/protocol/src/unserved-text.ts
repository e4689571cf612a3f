/** Advice on contexts that no node serves, for readers that list these contexts themselves. */
import type { UnservedContext } from './admin.ts';

const START = 'No node serves ';
const MORE = ' more contexts are not served: see unserved in /v1/status.';

export function unservedSentence({ host, path, message, remedy }: UnservedContext): string {
  return `${START}${path} on ${host}: ${message}. To do: ${remedy}.`;
}

/** `2 more contexts are not served: …`. */
export function moreUnservedSentence(more: number): string {
  return `${more}${MORE}`;
}

/** True for a sentence of this file among the advice of the status. */
export function isUnservedAdvice(sentence: string): boolean {
  return sentence.startsWith(START) || sentence.endsWith(MORE);
}
