import type { NodeResource } from '@rollcall/protocol';

/** `by admin: deploy`: who requests the status of the node, and why. Empty for an enabled node. */
export function requestText({ status, wanted, reported }: NodeResource): string[] {
  if (status === 'enabled') return [];
  const isOperators = wanted.status === status;
  const { by = isOperators ? 'an operator' : 'the node', reason } = isOperators ? wanted : reported;
  return [`by ${by}${reason === undefined ? '' : `: ${reason}`}`];
}
