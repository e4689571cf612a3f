import type { Role } from '@rollcall/protocol';

const LADDER: readonly Role[] = ['viewer', 'operator', 'admin'];

/** True when `role` may do what `needed` may. Viewer, operator and admin are a ladder; join and proxy stand alone. */
export function isAllowed(role: Role, needed: Role): boolean {
  if (role === needed) return true;
  const step = LADDER.indexOf(needed);
  return step >= 0 && LADDER.indexOf(role) > step;
}

export function parseRole(text: unknown): Role | undefined {
  for (const role of ['join', 'proxy', ...LADDER] as const) if (role === text) return role;
  return undefined;
}
