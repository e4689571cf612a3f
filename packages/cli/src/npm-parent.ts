/**
 * The end of npm or npx that started this process. npm passes SIGTERM and SIGINT on. When it is killed, its children
 * get no signal, and would hold their ports until they are killed too.
 */
import { readFileSync } from 'node:fs';
import { readProcess } from './run/process-table.ts';

const LOOK_MS = 1_000;
/** npm starts scripts by a shell, which outlives it. */
const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'dash', 'zsh', 'ksh', 'ash', 'busybox']);

/** Calls `onEnd` once, after npm or npx that started this process has ended. Keeps no process alive. */
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
