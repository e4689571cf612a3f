/** Installed programs that the benchmark uses. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Folders of servers that may be absent from PATH. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/sbin'];

/** Path of a program; `undefined` if not installed. */
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

/** The output of a program with `args` (stdout and stderr), or its error. Never throws. */
export function outputOf(program: string, args: readonly string[], directory?: string): string {
  const { stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: 20_000,
    ...(directory === undefined ? {} : { cwd: directory }),
  });
  return `${stdout ?? ''}${stderr ?? ''}`;
}
