/** The environment of a wrapped program: that of the wrapper without the secrets of the cluster. */
import { TOKEN_VARIABLES } from '../secret.ts';
import { usage } from './node-flags.ts';

/** The wrapper registers the program, which needs no secrets. Crash reports and child processes would leak them. */
const WITHHELD = [...TOKEN_VARIABLES, 'ROLLCALL_CLIENT_CERT', 'ROLLCALL_CLIENT_KEY'];

/** `environment` without cluster tokens, except those in `passed`. Throws a usage failure for another name in `passed`. */
export function programEnvironment(environment: NodeJS.ProcessEnv, passed: readonly string[]): NodeJS.ProcessEnv {
  const unknown = passed.find((name) => !WITHHELD.includes(name));
  if (unknown !== undefined)
    throw usage(`--pass-env ${JSON.stringify(unknown)}: only ${WITHHELD.join(', ')} are withheld from the program`);
  const withheld = new Set(WITHHELD.filter((name) => !passed.includes(name)));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !withheld.has(name)));
}
