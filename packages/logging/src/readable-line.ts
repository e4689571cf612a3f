/** Readable form of the JSON lines of pino, for a log that is a terminal. */

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
/** Fields that the beginning of the line has already, or that are the same in all lines of a process. */
const BASE_FIELDS: ReadonlySet<string> = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'err']);

/**
 * `12:34:56.789 warn control: cannot connect to the store (code=ECONNREFUSED)`, with its line end; times are local. The stack of an error
 * follows in lines of its own. A line that is not JSON is returned unchanged. With colours the level is yellow or red, from `warn` on.
 */
export function readableLine(line: string, hasColours = false): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { level, time, name, msg, err } = entry;
  const others = Object.entries(entry).filter(([field]) => !BASE_FIELDS.has(field));
  const fields = others.map(
    ([field, value]) => `${field}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const error = err as { readonly stack?: unknown; readonly message?: unknown } | undefined;
  const text = [
    `${clockTime(Number(time))} ${LEVELS[Number(level)] ?? String(level)} ${String(name)}: ${String(msg ?? '')}`,
    ...(fields.length === 0 ? [] : [`(${fields.join(', ')})`]),
  ].join(' ');
  // Texts of clients must not contain control characters for the terminal.
  const lines = [text, ...(error === undefined ? [] : String(error.stack ?? error.message).split('\n'))];
  const safe = `${lines.map((part) => part.replaceAll(/\p{Cc}/gu, ' ')).join('\n')}\n`;
  const colour = hasColours ? colourOf(Number(level)) : undefined;
  return colour === undefined ? safe : safe.replace(/ (\w+)/, ` \u001b[${colour}m$1\u001b[39m`);
}

function colourOf(level: number): number | undefined {
  return level >= 50 ? 31 : level >= 40 ? 33 : undefined;
}

function clockTime(unixMs: number): string {
  const at = new Date(unixMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}
