/** The log of a process: JSON lines of pino, or plain lines. Both lose lines instead of blocking the process. */
import os from 'node:os';
import { isatty } from 'node:tty';
import { type Logger, pino } from 'pino';
import type { Losses } from './line-queue.ts';
import { LogDestination } from './log-destination.ts';
import { guardProcess } from './process-guard.ts';
import { readableLine } from './readable-line.ts';

/** Levels of pino. */
const LEVELS = { info: 30, warn: 40, fatal: 60 } as const;

/** `auto`: readable text on a terminal, otherwise JSON; the lines of a command are `rollcall: …` then. */
export const LOG_FORMATS = ['auto', 'text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface OpenedLog {
  readonly log: Logger;
  /** Lines lost since the start. */
  readonly lost: () => number;
}

/**
 * Opens the log of this process on standard error. Warnings of Node, the console and uncaught errors are written to it too. An uncaught error
 * ends the process with exit code 1.
 */
export function openLog(name: string, level: string, format: LogFormat = 'auto'): OpenedLog {
  const isText = format === 'text' || (format === 'auto' && isatty(2));
  const hasColours = hasColoursAt(2);
  const form = (line: string): string => (isText ? readableLine(line, hasColours) : line);
  const destination = new LogDestination({
    target: 2,
    report: (losses) =>
      form(jsonLine(name, LEVELS.warn, lossText(losses), { lost: losses.lines, reason: losses.reason })),
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
 * Opens the log of a command that serves. Each call writes `rollcall: LINE` to standard error, with the format `json` a line like the lines of
 * `openLog`. Warnings of Node, the console and uncaught errors are written to it too. An uncaught error ends the process with exit code 1.
 */
export function openPlainLog({ isInherited = false, format = 'auto' }: PlainLogOptions = {}): (line: string) => void {
  const form = (level: number, line: string): string =>
    format === 'json' ? jsonLine('rollcall', level, line) : `rollcall: ${line}\n`;
  const destination = new LogDestination({
    target: 2,
    isInherited,
    report: (losses) => form(LEVELS.warn, lossText(losses)),
  });
  const say = (line: string): void => destination.write(form(LEVELS.info, line));
  guardProcess({
    info: say,
    warn: (line) => destination.write(form(LEVELS.warn, line)),
    fatal: (error) =>
      destination.write(form(LEVELS.fatal, `uncaught error: ${error instanceof Error ? error.stack : String(error)}`)),
  });
  return say;
}

export interface PlainLogOptions {
  /** Whether child programs write to the same standard error. Default false. */
  readonly isInherited?: boolean;
  readonly format?: LogFormat;
}

function jsonLine(name: string, level: number, msg: string, more: object = {}): string {
  const base = { level, time: Date.now(), pid: process.pid, hostname: os.hostname(), name };
  return `${JSON.stringify({ ...base, ...more, msg })}\n`;
}

/** Colours are for terminals, and not with NO_COLOR or TERM=dumb. */
function hasColoursAt(descriptor: number): boolean {
  return isatty(descriptor) && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
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
