import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '@rollcall/core/testing';

const PROGRAM = fileURLToPath(new URL('early-node.fixture.ts', import.meta.url));

/** The ways in which `early-node.fixture.ts` answers, and the end of each answer. */
export const EARLY_WAYS: Readonly<Record<string, RegExp>> = {
  '/at-once': /^HTTP\/1\.1 413 [\s\S]*large\n$/,
  '/later': /^HTTP\/1\.1 413 [\s\S]*large\n$/,
  '/after-a-part': /^HTTP\/1\.1 413 [\s\S]*large\n$/,
  '/ended': /^HTTP\/1\.1 413 [\s\S]*large\n$/,
  '/two-pieces': /^HTTP\/1\.1 413 [\s\S]*large\n$/,
  '/chunked': /^HTTP\/1\.[01] 413 [\s\S]*large\n(?:\r\n0\r\n\r\n)?$/,
  '/no-body': /^HTTP\/1\.1 401 [\s\S]*\r\n\r\n$/,
  '/long': /^HTTP\/1\.1 413 [\s\S]*\r\n\r\nx{150000}$/,
  '/keep-alive': /^HTTP\/1\.1 413 [\s\S]*large\n$/,
  '/open': /^HTTP\/1\.1 413 [\s\S]*large\n$/,
  '/continue': /^(?:HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 413 [\s\S]*large\n$/,
};

export interface EarlyNode {
  readonly port: number;
  /** Resolves when the node has a complete head, counted from the call. */
  head(): Promise<void>;
  close(): void;
}

/** Starts the node; with `files` it uses TLS. */
export async function startEarlyNode(files?: { readonly key: string; readonly cert: string }): Promise<EarlyNode> {
  const args = files === undefined ? [] : [files.key, files.cert];
  const child: ChildProcess = spawn(process.execPath, [...TYPESCRIPT, PROGRAM, ...args], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [port] = (await once(child, 'message')) as [number];
  return {
    port,
    head: async () => {
      await once(child, 'message');
    },
    close: () => child.kill('SIGKILL'),
  };
}
