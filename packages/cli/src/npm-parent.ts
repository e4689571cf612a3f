/**
 * Detects the end of the npm or npx process that started this process. npm forwards SIGTERM and SIGINT. If npm is killed, its
 * children get no signal and would keep their ports.
 */
import { readFileSync } from 'node:fs';
import { readProcess } from './run/process-table.ts';

const LOOK_MS = 1_000;
/** npm starts scripts with a shell, which outlives npm. */
const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'dash', 'zsh', 'ksh', 'ash', 'busybox']);

/** Calls `onEnd` once, when the npm or npx that started this process has ended. Does not keep the process alive. */
export function onNpmEnd(environment: NodeJS.ProcessEnv, onEnd: () => void): void {
  if (environment['npm_lifecycle_event'] === undefined && environment['npm_command'] === undefined) return;
  const parent = process.ppid;
  const shellParent = isShell(parent) ? readProcess(parent)?.parent : undefined;
  const timer = setInterval(() => {
    if (process.ppid === parent && (shellParent === undefined || readProcess(parent)?.parent === shellParent)) return;
    clearInterval(timer);
    onEnd();
  }, LOOK_MS);
  timer.unref();
}

function isShell(pid: number): boolean {
  try {
    return SHELLS.has(readFileSync(`/proc/${pid}/comm`, 'latin1').trim());
  } catch {
    return false;
  }
}
