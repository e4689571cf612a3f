/** What Node is told when a process is started that serves. */
import os from 'node:os';

/**
 * Space for new objects, MiB; Node's own default is 16. What a request makes is garbage when it is over, so little of it
 * survives in any space; but where a thousand connections come and go in a second, a collection of 16 MiB has so many of
 * them to copy that requests wait 7 ms, and with 4 MiB under 3. Requests cost the same, below 4 MiB more.
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
