/** Checks whether an identity may register a node, by the present bindings of its token. */
import type { Registry } from '@rollcall/core';
import type { Fault, NodeRegistration } from '@rollcall/protocol';
import { judgeRegistration, listsPlaces } from './bindings.ts';
import type { Identity } from './gate.ts';
import type { Tokens } from './tokens.ts';

/** Additional rights of an accepted registration. */
export interface RegistrationRights {
  /** May serve a context below, or a host inside, that of another token. */
  readonly mayShadow: boolean;
}

/** Errors: `forbidden`, which names the token and the binding; `unauthenticated` if the token was revoked. */
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
