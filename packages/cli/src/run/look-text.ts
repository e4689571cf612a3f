/** Log lines about changes of a program's condition: one sentence for each change. */
import { unreadyText } from '@rollcall/protocol';
import type { Liveness, Look } from './program-watch.ts';

export interface LookNames {
  readonly id: string;
  readonly port: number;
  readonly readyPath: string | undefined;
  readonly readyLateMs: number;
  /** Status of the last answer of the ready path; 0 for an answer that was not HTTP. */
  readonly status: number | undefined;
}

/** The changes between two checks; empty if nothing has changed. */
export function changesOf(before: Look, now: Look, names: LookNames): readonly string[] {
  const { id, readyPath, readyLateMs, status } = names;
  const lines: string[] = [];
  const say = (text: string) => void lines.push(`${id} ${text}`);
  if (now.liveness !== before.liveness) say(livenessText(now.liveness, names));
  if (isSlow(now) && !isSlow(before))
    say(`takes more than ${readyLateMs / 1_000} s to answer ${readyPath}; heartbeats with load 1 until it is prompt`);
  if (isSlow(before) && now.liveness === 'accepting' && !now.isLate) say('answers promptly again');
  if (now.isReady && !before.isReady) say('is ready again');
  if (!now.isReady && before.isReady)
    say(`${unreadyText(status ?? 0, readyPath ?? '/')}; it is not ready until the answer is below 500`);
  return lines;
}

/** If the program does not accept connections, a late page is no news. */
function isSlow({ liveness, isLate }: Look): boolean {
  return liveness === 'accepting' && isLate;
}

function livenessText(liveness: Liveness, { port }: LookNames): string {
  switch (liveness) {
    case 'accepting':
      return 'accepts connections again';
    case 'busy':
      return `does not accept connections on port ${port} but uses CPU; heartbeats with load 1 for at most 60 s`;
    case 'unresponsive':
      return `does not accept connections on port ${port}; no heartbeats until it does`;
    case 'refused':
      return `refuses connections on port ${port}; no heartbeats until it accepts them`;
    default:
      return liveness satisfies never;
  }
}
