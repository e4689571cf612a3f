/** The environment of a wrapped program: ours without the secrets of the cluster. */
import { usage } from './node-flags.ts';

/** The wrapper registers the program, which needs no token. Crash reports and child processes would show them. */
const WITHHELD = [
  ...['ROLLCALL_ADMIN_TOKEN', 'ROLLCALL_JOIN_TOKEN'].flatMap((name) => [name, `${name}_FILE`]),
  'ROLLCALL_CLIENT_CERT',
  'ROLLCALL_CLIENT_KEY',
];

/** `environment` without cluster tokens but those in `passed`. Throws a usage failure for another name in `passed`. */
export function programEnvironment(environment: NodeJS.ProcessEnv, passed: readonly string[]): NodeJS.ProcessEnv {
  const unknown = passed.find((name) => !WITHHELD.includes(name));
  if (unknown !== undefined)
    throw usage(`--pass-env ${JSON.stringify(unknown)}: only ${WITHHELD.join(', ')} are withheld from the program`);
  const withheld = new Set(WITHHELD.filter((name) => !passed.includes(name)));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !withheld.has(name)));
}
