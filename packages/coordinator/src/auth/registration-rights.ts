/** Whether an identity may register a node, by the bindings of its token as they are now. */
import type { Registry } from '@rollcall/core';
import type { Fault, NodeRegistration } from '@rollcall/protocol';
import { judgeRegistration, listsPlaces } from './bindings.ts';
import type { Identity } from './gate.ts';
import type { Tokens } from './tokens.ts';

/** What an accepted registration may do besides. */
export interface RegistrationRights {
  /** Serve a context below, or a host inside, what another token serves. */
  readonly mayShadow: boolean;
}

/** Errors: `forbidden`, which names the token and the binding; `unauthenticated` when the token was revoked. */
export function registrationRights(
  { tokens, registry }: { readonly tokens: Tokens; readonly registry: Registry },
  identity: Identity,
  node: NodeRegistration,
): RegistrationRights | Fault {
  const { token: shown, role } = identity;
  if (role !== 'join') return { mayShadow: true };
  if (!shown) return { mayShadow: false };
  const token = tokens.current(shown);
  if (!token) return { code: 'unauthenticated', message: `the token ${shown.name} was revoked` };
  const holder = registry.node(node.id);
  const isPresent = holder?.owner === token.name && holder.liveness !== 'gone';
  const otherNodes = registry.presentOf(token.name) - (isPresent ? 1 : 0);
  return judgeRegistration(token, { node, otherNodes }) ?? { mayShadow: listsPlaces(token.bindings) };
}
