/** Flags of Node for processes that serve requests. */
import os from 'node:os';

/**
 * Size of the young generation (semi-space), MiB; the default of Node is 16. Objects of a request are garbage when it ends, so few
 * survive with any size. With 1,000 new connections per second, a collection of 16 MiB copies many live objects and delays
 * requests. Below 4 MiB requests cost more CPU.
 */
const NEW_SPACE_MIB = 4;

/** Flags of the operator take precedence: `given` are the flags of the parent process and of `NODE_OPTIONS`. */
export function nodeFlags(
  given: readonly string[],
  cpus: number = os.availableParallelism(),
  nodeOptions: string = process.env['NODE_OPTIONS'] ?? '',
): string[] {
  const flags = nodeOptions.includes('semi-space-size') ? [] : [`--max-semi-space-size=${NEW_SPACE_MIB}`];
  // V8 then collects in the serving thread, which would wait for the other threads on one CPU anyway.
  if (cpus === 1) flags.push('--single-threaded-gc');
  return [...flags, ...given];
}
