/** How tests start programs of their own process. What they load of ours is compiled, as it is for users. */
import { fileURLToPath } from 'node:url';

/** The `rollcall` command. */
export const ROLLCALL = fileURLToPath(new URL('../../packages/cli/bin/rollcall.js', import.meta.url));
/** What Node needs to run a program of the tests. */
export const TYPESCRIPT: readonly string[] = ['--import', import.meta.resolve('tsx')];
