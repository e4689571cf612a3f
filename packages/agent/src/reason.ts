/** Describes a thrown value. Never throws, although a value from the application may throw when it is read. */
export function reasonOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'unknown';
  }
}
