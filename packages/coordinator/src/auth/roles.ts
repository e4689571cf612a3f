import type { Role } from '@rollcall/protocol';

const LADDER: readonly Role[] = ['viewer', 'operator', 'admin'];

/** True if `role` includes `needed`. Admin includes operator, operator includes viewer; join and proxy are separate. */
export function isAllowed(role: Role, needed: Role): boolean {
  if (role === needed) return true;
  const step = LADDER.indexOf(needed);
  return step >= 0 && LADDER.indexOf(role) > step;
}

export function parseRole(text: unknown): Role | undefined {
  for (const role of ['join', 'proxy', ...LADDER] as const) if (role === text) return role;
  return undefined;
}
