/**
 * Node writes warnings, uncaught errors and what libraries print on the console to standard error or output itself, and
 * waits there for a reader that may have stopped. At its end it restores the mode of the terminal it was started on, and
 * aborts when that terminal is gone. None of this may stop or crash a process that serves.
 */
import { Console } from 'node:console';
import fs from 'node:fs';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';

export interface ProcessGuard {
  /** A text for standard output. */
  info(text: string): void;
  /** A text for standard error. */
  warn(text: string): void;
  /** An error that ends the process. */
  fatal(error: unknown): void;
}

const STANDARD_DESCRIPTORS = [0, 1, 2];

/** Once for each process. */
export function guardProcess({ info, warn, fatal }: ProcessGuard): void {
  globalThis.console = new Console({ stdout: textsTo(info), stderr: textsTo(warn) });
  process.removeAllListeners('warning');
  process.on('warning', (warning) => warn(warning.stack ?? warning.message));
  process.on('uncaughtException', (error) => {
    fatal(error);
    process.exit(1);
  });
  const terminals = STANDARD_DESCRIPTORS.filter((fd) => isatty(fd));
  process.on('exit', () => {
    for (const fd of terminals) if (!isatty(fd)) replaceByNull(fd);
  });
}

function textsTo(take: (text: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write: (text, _, done) => {
      take(String(text).trimEnd());
      done();
    },
  });
}

/** The lowest free descriptor is the one that was closed just before. */
function replaceByNull(fd: number): void {
  try {
    fs.closeSync(fd);
    fs.openSync('/dev/null', 'r+');
  } catch {
    // Then the exit code is Node's.
  }
}
