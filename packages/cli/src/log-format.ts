/** `--log-format` of the commands that serve. */
import { LOG_FORMATS, type LogFormat } from '@rollcall/logging';
import { Option } from 'commander';

export interface LogFormatFlags {
  readonly logFormat: LogFormat;
}

export function logFormatOption(): Option {
  return new Option(
    '--log-format <format>',
    'form of the log on standard error; auto: text on a terminal, otherwise JSON, with "rollcall: …" lines of this command',
  )
    .choices(LOG_FORMATS)
    .default('auto')
    .env('ROLLCALL_LOG_FORMAT');
}
