/** Commands of programs that tests start. They load compiled packages, as users do. */
import { fileURLToPath } from 'node:url';

/** The `rollcall` command. */
export const ROLLCALL = fileURLToPath(new URL('../../packages/cli/bin/rollcall.js', import.meta.url));
/** The module that lets Node run TypeScript. */
export const LOADER = new URL('../../.tools/typescript.mjs', import.meta.url).href;
/** Arguments of Node for a program of the tests. */
export const TYPESCRIPT: readonly string[] = ['--import', LOADER];
