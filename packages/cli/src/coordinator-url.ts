/** Where the coordinator is: `--coordinator` > `ROLLCALL_URL` > the default control port on this machine > the Compose service name. */
import { DEFAULT_CONTROL_PORT } from '@rollcall/protocol';
import { CliFailure, EXIT } from './exit.ts';

/** Base addresses (`http://host:port`) to try in order. */
export function coordinatorUrls(flag: string | undefined, environment: NodeJS.ProcessEnv): readonly string[] {
  const given = flag ?? (environment['ROLLCALL_URL'] || undefined);
  if (given === undefined)
    return [`http://localhost:${DEFAULT_CONTROL_PORT}`, `http://rollcall:${DEFAULT_CONTROL_PORT}`];
  const base = httpBase(given);
  if (base === undefined) throw new CliFailure(`${given} is not an address like http://localhost:8400`, EXIT.usage);
  return [base];
}

/** Scheme, host and port of a ws or http address, as http; `undefined` for anything else. */
export function httpBase(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const scheme = { 'ws:': 'http:', 'http:': 'http:', 'wss:': 'https:', 'https:': 'https:' }[url.protocol];
  if (scheme === undefined) return undefined;
  const port = url.port || (scheme === 'https:' ? '443' : String(DEFAULT_CONTROL_PORT));
  return `${scheme}//${url.hostname}:${port}`;
}
