/**
 * Whether a program on this machine takes connections off its queue, found out without saying a word to it: the
 * kernel completes a connect on behalf of a frozen program, but only `accept` gives the connection an inode in
 * /proc/net/tcp. An HTTP question each second would fill the program's log, and its session table.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

/** `unknown`: not on this machine, no /proc, not accepted yet, or a server that accepts only once data has come. */
export type Acceptance = 'accepted' | 'refused' | 'unknown';

const CONNECT_TIMEOUT_MS = 1_000;
/** When to look, in milliseconds after the look before: an idle program accepts within one. */
const LOOKS_MS = [0, 2, 8, 40, 200] as const;
const ESTABLISHED = '01';

/** Connects once, looks a few times within a quarter of a second, and closes. Never rejects. */
export function acceptanceOf(port: number, host: string): Promise<Acceptance> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const finish = (acceptance: Acceptance) => {
      socket.removeAllListeners('timeout');
      socket.end();
      // Whoever does not answer our end is not waited for.
      setTimeout(() => socket.destroy(), CONNECT_TIMEOUT_MS).unref();
      resolve(acceptance);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => finish('refused'));
    socket.on('error', () => finish('refused'));
    socket.once('connect', () => {
      socket.setTimeout(0);
      void look(port, socket.localPort ?? 0).then(finish);
    });
    socket.resume();
  });
}

async function look(port: number, ourPort: number): Promise<Acceptance> {
  for (const delayMs of LOOKS_MS) {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (isAccepted(port, ourPort)) return 'accepted';
  }
  return 'unknown';
}

function isAccepted(port: number, ourPort: number): boolean {
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text: string;
    try {
      text = readFileSync(table, 'latin1');
    } catch {
      continue;
    }
    const row = connectionRow(text, port, ourPort);
    if (row !== undefined) return row[3] === ESTABLISHED && row[9] !== '0';
  }
  return false;
}

/** The program's end of the connection in a table of /proc/net: its fields, `undefined` when it is not there. */
export function connectionRow(table: string, localPort: number, remotePort: number): readonly string[] | undefined {
  const pattern = new RegExp(`^ *\\d+: [0-9A-F]+:${hex(localPort)} [0-9A-F]+:${hex(remotePort)} .*$`, 'm');
  return pattern.exec(table)?.[0].trim().split(/\s+/);
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
