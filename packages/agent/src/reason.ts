/** Why something was thrown, in words. Never throws: even what an application throws may throw when it is looked at. */
export function reasonOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'unknown';
  }
}
