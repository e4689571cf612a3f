/** Programs of this machine that the bench uses where they are. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where servers are that PATH of an ordinary user does not name. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/sbin'];

/** The path of a program; `undefined` when it is not installed. */
export function findProgram(name: string): string | undefined {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), ...SERVER_FOLDERS]) {
    if (folder === '') continue;
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/** What a program writes to either output when started with `args`, or what it could not. Never throws. */
export function outputOf(program: string, args: readonly string[], directory?: string): string {
  const { stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: 20_000,
    ...(directory === undefined ? {} : { cwd: directory }),
  });
  return `${stdout ?? ''}${stderr ?? ''}`;
}
