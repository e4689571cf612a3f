/** A coordinator in the process of the test, with nodes, and commands that use it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listening } from '@rollcall/agent/testing';
import { type CoordinatorOptions, startCoordinator } from '@rollcall/coordinator';
import { memoryStore } from '@rollcall/core';
import type { NodePut } from '@rollcall/protocol';
import { command, type Ran, type Surroundings } from './command.ts';

export interface Cluster {
  readonly url: string;
  readonly stateDir: string;
  /** Runs a command with the address and the admin token of this cluster. */
  run(words: string, surroundings?: Surroundings): Promise<Ran>;
  /** Registers a node without an agent, at an address that answers. */
  add(id: string, node?: Partial<NodePut>): Promise<void>;
}

interface Ends {
  after(end: () => void | Promise<void>): void;
}

export const ADMIN_TOKEN = 'admin-token-of-the-test';

/** Starts a coordinator on a free port. It ends after the test. */
export async function startCluster(t: Ends, options: Partial<CoordinatorOptions> = {}): Promise<Cluster> {
  const stateDir = mkdtempSync(join(tmpdir(), 'rollcall-cli-'));
  const coordinator = await startCoordinator({
    listen: { host: '127.0.0.1', port: 0 },
    store: memoryStore(),
    stateDir,
    adminToken: ADMIN_TOKEN,
    proxyUrl: 'http://127.0.0.1:8080',
    version: '0.0.0-test',
    log: SILENT,
    ...options,
  });
  t.after(async () => {
    await coordinator.close();
    rmSync(stateDir, { recursive: true, force: true });
  });
  const { url } = coordinator;
  const env = { ROLLCALL_URL: url, ROLLCALL_ADMIN_TOKEN: ADMIN_TOKEN, ROLLCALL_STATE_DIR: stateDir };
  const run = (words: string, surroundings: Surroundings = {}): Promise<Ran> =>
    command(wordsOf(words), { ...surroundings, env: { ...env, ...surroundings.env } });
  return {
    url,
    stateDir,
    run,
    add: async (id, node = {}) => {
      const port = await listening(
        t,
        createServer((_, response) => void response.end('ok')),
      );
      const response = await fetch(`${url}/v1/nodes/${id}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify({ url: `http://127.0.0.1:${port}`, balancer: 'shop', ...node }),
      });
      if (!response.ok) throw new Error(`PUT ${id}: ${response.status} ${await response.text()}`);
      await response.text();
    },
  };
}

/** Words at spaces; `'two words'` in quotes are one. */
export function wordsOf(text: string): readonly string[] {
  return [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

const nothing = (): void => {};
const SILENT = {
  ...{ trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing },
  child: () => SILENT,
} as unknown as CoordinatorOptions['log'];
