/**
 * Keeps Node from blocking or crashing a process that serves.
 *
 * Node writes warnings, uncaught errors and console output directly, and blocks if the reader of the terminal has stopped. At exit
 * Node restores the mode of the terminal that it was started on, and aborts if that terminal is closed.
 */
import { Console } from 'node:console';
import fs from 'node:fs';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';

export interface ProcessGuard {
  /** Logs a text of console.log. */
  info(text: string): void;
  /** Logs a text of console.error, or a warning of Node. */
  warn(text: string): void;
  /** Logs an uncaught error; the process exits with 1 afterwards. */
  fatal(error: unknown): void;
}

const STANDARD_DESCRIPTORS = [0, 1, 2];

/** Replaces the console and Node's handlers of warnings and uncaught errors. Call it once per process. */
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

/** The open gets the number `fd`, because it is the lowest free one after the close. */
function replaceByNull(fd: number): void {
  try {
    fs.closeSync(fd);
    fs.openSync('/dev/null', 'r+');
  } catch {
    // Then Node may abort; no other action is possible at exit.
  }
}
