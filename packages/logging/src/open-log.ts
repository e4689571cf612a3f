/** The log of a process: JSON lines of pino, or plain lines. Both lose lines instead of blocking the process. */
import os from 'node:os';
import { isatty } from 'node:tty';
import { type Logger, pino } from 'pino';
import type { Losses } from './line-queue.ts';
import { LogDestination } from './log-destination.ts';
import { guardProcess } from './process-guard.ts';
import { readableLine } from './readable-line.ts';

/** The level `warn` of pino. */
const WARN = 40;

export interface OpenedLog {
  readonly log: Logger;
  /** Lines lost since the start. */
  readonly lost: () => number;
}

/**
 * Opens the JSON log of this process on standard error; on a terminal its lines are readable text. Warnings of Node, the console and uncaught errors are written to it
 * too. An uncaught error ends the process with exit code 1.
 */
export function openLog(name: string, level: string): OpenedLog {
  const form = isatty(2) ? readableLine : (line: string): string => line;
  const destination = new LogDestination({
    target: 2,
    report: (losses) =>
      form(
        `${JSON.stringify({ level: WARN, time: Date.now(), pid: process.pid, hostname: os.hostname(), name, lost: losses.lines, reason: losses.reason, msg: lossText(losses) })}\n`,
      ),
  });
  const log = pino({ name, level }, { write: (line) => destination.write(form(line)) });
  guardProcess({
    info: (text) => log.info(text),
    warn: (text) => log.warn(text),
    fatal: (error) => log.fatal({ err: error }, 'uncaught error; the process ends'),
  });
  return { log, lost: () => destination.lost };
}

/**
 * Opens the plain log of a command that serves: each call writes `rollcall: LINE` to standard error. Warnings of Node, the
 * console and uncaught errors are written to it too. An uncaught error ends the process with exit code 1.
 *
 * @param isInherited whether child programs write to the same standard error; default false
 */
export function openPlainLog({ isInherited = false }: { readonly isInherited?: boolean } = {}): (line: string) => void {
  const destination = new LogDestination({
    target: 2,
    isInherited,
    report: (losses) => `rollcall: ${lossText(losses)}\n`,
  });
  const say = (line: string): void => destination.write(`rollcall: ${line}\n`);
  guardProcess({
    info: say,
    warn: say,
    fatal: (error) => say(`uncaught error: ${error instanceof Error ? error.stack : String(error)}`),
  });
  return say;
}

/** Opens standard output for the lines of a command that serves; losses are logged by `say`. */
export function openOutput(say: (line: string) => void): (lines: string) => void {
  const destination = new LogDestination({
    target: 1,
    onLost: (reason) => say(`cannot write to standard output (${reason})`),
  });
  return (lines) => destination.write(lines);
}

/** For example `1,204 log lines were lost (ENOSPC)`. `what` names one line, default `log line`. */
export function lossText({ lines, reason }: Losses, what = 'log line'): string {
  return `${lines.toLocaleString('en-US')} ${what}${lines === 1 ? ' was' : 's were'} lost (${reason})`;
}
