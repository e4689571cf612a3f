/** The log of a process: pino's JSON lines, and plain lines for people. Both lose lines rather than stop what they log. */
import os from 'node:os';
import { type Logger, pino } from 'pino';
import type { Losses } from './line-queue.ts';
import { LogDestination } from './log-destination.ts';
import { guardProcess } from './process-guard.ts';

/** pino's number for `warn`. */
const WARN = 40;

export interface OpenedLog {
  readonly log: Logger;
  /** Lines lost since the start. */
  readonly lost: () => number;
}

/**
 * The JSON log of this process on standard error. Warnings of Node, the console and uncaught errors are written to it too; an
 * uncaught error ends the process with 1.
 */
export function openLog(name: string, level: string): OpenedLog {
  const destination = new LogDestination({
    target: 2,
    report: (losses) =>
      `${JSON.stringify({ level: WARN, time: Date.now(), pid: process.pid, hostname: os.hostname(), name, lost: losses.lines, reason: losses.reason, msg: lossText(losses) })}\n`,
  });
  const log = pino({ name, level }, destination);
  guardProcess({
    info: (text) => log.info(text),
    warn: (text) => log.warn(text),
    fatal: (error) => log.fatal({ err: error }, 'uncaught error; the process ends'),
  });
  return { log, lost: () => destination.lost };
}

/**
 * Plain lines of a command that serves: each call writes `rollcall: LINE` on standard error. Warnings of Node, the console and
 * uncaught errors are written there too; an uncaught error ends the process with 1. `isInherited`: other programs write there too.
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

/** Lines of a command that serves on standard output; losses are reported by `say`. */
export function openOutput(say: (line: string) => void): (lines: string) => void {
  const destination = new LogDestination({
    target: 1,
    onLost: (reason) => say(`cannot write to standard output (${reason})`),
  });
  return (lines) => destination.write(lines);
}

/** `1,204 log lines were lost (ENOSPC)`. `what` are the lines, in the singular. */
export function lossText({ lines, reason }: Losses, what = 'log line'): string {
  return `${lines.toLocaleString('en-US')} ${what}${lines === 1 ? ' was' : 's were'} lost (${reason})`;
}
