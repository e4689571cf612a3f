/** Stores and clients of tests with a real Redis, and what they do with them. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Announcement, Exchanged, SharedRecord } from '@rollcall/core';
import { LAYOUT } from '@rollcall/core';
import { Redis } from 'ioredis';
import { RedisProblem, type RedisProblemKind } from '../redis-problem.ts';
import { openRedisSharedStore, type RedisSharedStore, type RedisSharedStoreOptions } from '../redis-shared-store.ts';

export const CLUSTER = 'c1';
export const RECORD: SharedRecord = { key: 'node/a', version: [1, 'a'], value: { a: 1 }, remaining: {} };

/** Time limit of a command on a busy machine, milliseconds. */
const PATIENT_MS = 30_000;

/** A prefix that no other test has. */
export function freshPrefix(): string {
  return `test:${Math.random().toString(36).slice(2)}`;
}

/** Opens a store that is closed with the test. Problems are an error unless `onProblem` is given. */
export async function openStore(
  t: TestContext,
  url: string,
  options: Partial<RedisSharedStoreOptions> = {},
): Promise<RedisSharedStore> {
  const store = await openRedisSharedStore({
    url,
    prefix: freshPrefix(),
    onProblem: (problem) => {
      t.diagnostic(problem.message);
      unexpected.push(problem.message);
    },
    commandTimeoutMs: PATIENT_MS,
    ...options,
  });
  t.after(() => store.close());
  return store;
}

/** Problems that no test expected. */
export const unexpected: string[] = [];

/** A client of the test itself. */
export function openClient(t: TestContext, url: string): Redis {
  const client = new Redis(url);
  client.on('error', () => undefined);
  t.after(() => client.disconnect());
  return client;
}

export function announcement(fields: Partial<Announcement> = {}): Announcement {
  const seen = { epoch: '', change: 0 };
  return { coordinator: 'a', name: 'one', release: '0.2.0', layout: LAYOUT, counter: 1, seen, ...fields };
}

export type Answer = Extract<Exchanged, { type: 'exchanged' }>;

export async function exchange(store: RedisSharedStore, fields: Partial<Announcement> = {}): Promise<Answer> {
  const exchanged = await store.exchange(announcement(fields), CLUSTER);
  assert.ok(exchanged.type === 'exchanged', JSON.stringify(exchanged));
  return exchanged;
}

/** Asserts that a method rejects with a problem of this kind. Returns its sentence. */
export async function rejectedAs(kind: RedisProblemKind, answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(
    () => assert.fail(`no problem; expected ${kind}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RedisProblem, String(error));
  assert.equal(error.kind, kind, error.message);
  return error.message;
}

/** Retries until `run` resolves, at most `attempts` times, 50 ms apart. */
export async function eventually<Value>(run: () => Promise<Value>, attempts = 200): Promise<Value> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (attempt >= attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
