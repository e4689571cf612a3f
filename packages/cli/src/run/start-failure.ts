/** The reason why a program could not be started, in one sentence, and the exit code that shells use for it. */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

export interface StartFailure {
  /** 127: no such command; 126: the command exists but cannot be run. */
  readonly exitCode: 126 | 127;
  readonly problem: string;
}

/** Limits of the system, by error code. */
const LACKS: Readonly<Record<string, string>> = {
  E2BIG: 'arguments and environment together are larger than the system allows',
  ENOMEM: 'the system has no memory for another process',
  EAGAIN: 'this user may not have more processes',
  EMFILE: 'this process may not open more files',
  ENFILE: 'the system cannot open more files',
};
/** Longest first line of a script that kernels read, octets. */
const MAX_SHEBANG = 256;

/** `error` is the error of starting `command` in this working directory; `path` is the PATH of the program. */
export function startFailure(command: string, error: NodeJS.ErrnoException, path: string | undefined): StartFailure {
  const { code = '', message } = error;
  const cannot = (exitCode: 126 | 127, why: string): StartFailure => ({
    exitCode,
    problem: `cannot start ${command}: ${why}`,
  });
  if (code === 'ENOENT') {
    if (!hasWorkingDirectory()) return cannot(126, 'the working directory no longer exists');
    const file = fileOf(command, path);
    if (file === undefined) return cannot(127, 'there is no such command');
    const interpreter = interpreterOf(file);
    return cannot(126, interpreter === undefined ? message : `its interpreter ${interpreter} does not exist`);
  }
  if (code === 'EACCES') {
    const isFolder = statSync(resolve(command), { throwIfNoEntry: false })?.isDirectory() === true;
    return cannot(126, isFolder ? 'it is a directory' : 'it is not executable (chmod +x)');
  }
  if (code === 'ENOEXEC') return cannot(126, 'it is neither a program of this machine nor a script with a #! line');
  const lack = LACKS[code];
  return cannot(126, lack === undefined ? message : `${lack} (${code})`);
}

function hasWorkingDirectory(): boolean {
  try {
    return statSync(process.cwd()).isDirectory();
  } catch {
    return false;
  }
}

/** The file that a command names, as execvp(3) finds it. */
function fileOf(command: string, path: string | undefined): string | undefined {
  const candidates = command.includes('/')
    ? [resolve(command)]
    : (path ?? '').split(delimiter).map((directory) => join(directory, command));
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return statSync(file).isFile();
    } catch {
      return false;
    }
  });
}

/** The first word after `#!`; `undefined` for a file without. */
function interpreterOf(file: string): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const octets = Buffer.alloc(MAX_SHEBANG);
    const text = octets.toString('latin1', 0, readSync(descriptor, octets, 0, MAX_SHEBANG, 0));
    return /^#!\s*(\S+)/.exec(text)?.[1];
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
