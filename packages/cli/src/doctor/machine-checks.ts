/** Checks of this machine: limits of the system, the state directory, and whether the proxy answers. */
import { accessSync, constants, readFileSync, statfsSync } from 'node:fs';
import { printableUrl } from '@rollcall/protocol';
import { type Check, note, ok, problem } from './check.ts';

/** A proxy has two sockets per request in flight; below this a busy site runs out of them. */
const MIN_OPEN_FILES = 4_096;
/** Default of Linux since 5.4; smaller queues drop connections while a worker is replaced. */
const MIN_SOMAXCONN = 1_024;
/** Ports for connections to one node. */
const MIN_EPHEMERAL_PORTS = 10_000;
/** Free space of the state directory, octets. */
const MIN_FREE = 100 * 1024 * 1024;
/** Time for an answer of the proxy, milliseconds. */
const PROXY_MS = 3_000;

/** Limits of the system; empty on systems without `/proc`. */
export function limitChecks(read: (path: string) => string = (path) => readFileSync(path, 'utf8')): Check[] {
  const checks: Check[] = [];
  const take = (path: string, check: (text: string) => Check | undefined): void => {
    try {
      const made = check(read(path));
      if (made !== undefined) checks.push(made);
    } catch {
      // Not Linux.
    }
  };
  take('/proc/self/limits', (text) => {
    const soft = /^Max open files\s+(\S+)/m.exec(text)?.[1];
    if (soft === undefined) return undefined;
    return soft !== 'unlimited' && Number(soft) < MIN_OPEN_FILES
      ? problem(
          'open files',
          `at most ${soft} open files for a process of this user`,
          `raise it to ${MIN_OPEN_FILES} or more: ulimit -n, or LimitNOFILE of the unit`,
        )
      : ok('open files', `at most ${soft} for a process of this user`);
  });
  take('/proc/sys/net/core/somaxconn', (text) => {
    const value = Number(text);
    return value < MIN_SOMAXCONN
      ? note(
          'somaxconn',
          `the queue of a listener has ${value} connections at most`,
          `sysctl net.core.somaxconn=${MIN_SOMAXCONN}`,
        )
      : ok('somaxconn', `${value} connections may wait at a listener`);
  });
  take('/proc/sys/net/ipv4/ip_local_port_range', (text) => {
    const [first = 0, last = 0] = text.trim().split(/\s+/).map(Number);
    const count = last - first + 1;
    return count < MIN_EPHEMERAL_PORTS
      ? note('ports', `${count} ports for connections to one node`, 'sysctl net.ipv4.ip_local_port_range="32768 60999"')
      : ok('ports', `${count} ports for connections to one node`);
  });
  return checks;
}

/** The state directory, if it is on this machine. */
export function stateChecks(directory: string): Check[] {
  try {
    accessSync(directory, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      return [note('state', `${directory} is not on this machine: see it on that of the coordinator`)];
    return [
      note('state', `${directory}: not writable by this user (${code})`, 'run doctor as the user of rollcall up'),
    ];
  }
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  const text = `${directory}: ${Math.floor(free / 1024 / 1024)} MiB free`;
  return [free < MIN_FREE ? problem('state', text, 'free space on its disk') : ok('state', text)];
}

/** Any HTTP answer counts, also an error: the proxy makes it. */
export async function proxyCheck(proxy: string): Promise<Check> {
  const url = reachableUrl(proxy);
  if (url === undefined) return note('proxy', `${printableUrl(proxy)} is no address that this machine can request`);
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(PROXY_MS) });
    await response.body?.cancel();
    return ok('proxy', `${printableUrl(url)} answers with ${response.status}`);
  } catch (error) {
    const cause = (error as { readonly cause?: { readonly code?: string } }).cause?.code ?? (error as Error).name;
    return problem(
      'proxy',
      `${printableUrl(url)} does not answer (${cause})`,
      'see rollcall status for its workers, and a firewall in between',
    );
  }
}

/** The address of a listener on all interfaces is that of this machine. */
function reachableUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  if (url.hostname === '[::]') url.hostname = '[::1]';
  return url.href;
}
