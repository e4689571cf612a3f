/** A complete coordinator on a free loopback port, with its own state directory. For tests. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryStore } from '@rollcall/core';
import { pino } from 'pino';
import type { CoordinatorOptions } from '../config.ts';
import { type Coordinator, startCoordinator } from '../coordinator.ts';

/** An answer of the admin API. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; throws if it is not JSON. */
  json<Body>(): Body;
}

export interface ApiRequest {
  readonly method?: string;
  readonly body?: unknown;
  /** `undefined` sends the admin token, `''` none. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestCoordinator {
  readonly coordinator: Coordinator;
  readonly stateDir: string;
  readonly adminToken: string;
  api(path: string, request?: ApiRequest): Promise<ApiAnswer>;
  close(): Promise<void>;
}

export const TEST_FEED_TOKEN = 'feed-token-of-the-test';

export async function startTestCoordinator(options: Partial<CoordinatorOptions> = {}): Promise<TestCoordinator> {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'rollcall-coordinator-')));
  const coordinator = await startCoordinator({
    listen: { host: '127.0.0.1', port: 0 },
    store: memoryStore(),
    stateDir,
    feedToken: TEST_FEED_TOKEN,
    proxyUrl: 'http://127.0.0.1:8080',
    version: '0.0.0-test',
    log: pino({ level: 'silent' }),
    ...options,
  });
  const adminToken = options.adminToken ?? (await readFile(join(stateDir, 'admin-token'), 'utf8')).trim();
  return {
    coordinator,
    stateDir,
    adminToken,
    api: (path, { method = 'GET', body, token = adminToken, headers = {} } = {}) =>
      api(`${coordinator.url}${path}`, {
        method,
        headers: {
          ...(token !== '' && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        redirect: 'manual',
      }),
    close: async () => {
      await coordinator.close();
      await rm(stateDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function api(url: string, init: RequestInit): Promise<ApiAnswer> {
  const response = await fetch(url, init);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: <Body>() => JSON.parse(text) as Body,
  };
}
