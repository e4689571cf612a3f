/** A worker and a coordinator of different releases: the site continues, whether their feed versions match or not. */
import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusResource } from '@rollcall/protocol';
import { type Dialect, FeedRelay, PLAIN, type Rewrite } from './feed-relay.ts';
import { startUp, until } from './up.ts';

/** Longer than the pause of a worker that was refused, milliseconds. */
const LOOK_MS = 6_000;

const says =
  (feedVersion: number | undefined): Rewrite =>
  (message) => [message.type === 'hello' ? { ...message, feedVersion } : message];

/** Every message has one before it that is not known, every list of changes one of a type that is not known. */
const adds: Rewrite = (message) => [
  { type: 'tidings', of: message.type },
  { type: 'ask', id: 1_000_000, question: { type: 'weather' } },
  {
    ...message,
    extra: [1],
    ...(message.type === 'changes' && { changes: [{ type: 'rack' }, ...(message['changes'] as [])] }),
  },
];
const addsToCoordinator: Rewrite = (message) =>
  message.type === 'hello' ? [{ ...message, extra: 1 }] : [{ type: 'tidings' }, message];

const DIALECTS: readonly (Dialect & { readonly what: string; readonly isRefused: boolean })[] = [
  { what: 'a worker of another feed version', isRefused: true, toWorker: PLAIN.toWorker, toCoordinator: says(2) },
  {
    what: 'a coordinator of another feed version',
    isRefused: true,
    toWorker: says(7),
    toCoordinator: PLAIN.toCoordinator,
  },
  {
    what: 'a newer release of the same feed version',
    isRefused: false,
    toWorker: adds,
    toCoordinator: addsToCoordinator,
  },
  {
    what: 'releases from before the feed had versions',
    isRefused: false,
    toWorker: says(undefined),
    toCoordinator: says(undefined),
  },
];

test('versions of the feed are mixed', async (t) => {
  const up = await startUp();
  t.after(() => up.close());
  const node = http.createServer((_, response) => response.end('whole')).listen(0, '127.0.0.1');
  t.after(() => node.close());
  const relay = await FeedRelay.start(t, up.controlUrl);
  const { url } = await up.worker('other', relay.url);
  await up.member('first', 'shop', `http://127.0.0.1:${(node.address() as AddressInfo).port}`);
  const page = async (): Promise<string> => {
    const { hostname, port } = new URL(url);
    return new Promise((resolve) => {
      http
        .get({ hostname, port, headers: { host: 'shop.test' }, agent: false }, (response) => {
          let text = '';
          response.on('data', (octets: Buffer) => {
            text += octets.toString();
          });
          response.on('end', () => resolve(text));
        })
        .on('error', (error) => resolve(error.message));
    });
  };
  const other = async (): Promise<StatusResource['workers'][number] | undefined> =>
    (await up.api<StatusResource>('GET', '/v1/status')).workers.find(({ worker }) => worker === 'other');
  const isCurrent = (): Promise<void> =>
    until(async () => (await other())?.isCurrent === true, 'the worker to be current');
  let weight = 1;
  /** A change of the cluster while they speak. */
  const change = (): Promise<unknown> => up.api('PATCH', '/v1/nodes/first', { weight: ++weight });

  await isCurrent();
  for (const dialect of DIALECTS)
    await t.test(dialect.what, async () => {
      const before = relay.connections;
      relay.speak(dialect);
      await until(async () => relay.connections > before, 'the worker to come');
      await change();
      if (dialect.isRefused) {
        const endMs = performance.now() + LOOK_MS;
        while (performance.now() < endMs) {
          assert.equal(await page(), 'whole');
          await sleep(50);
        }
        assert.ok(relay.connections - before <= 3, `${relay.connections - before} connections in ${LOOK_MS} ms`);
        // The coordinator is the real one: it knows of a refusal where it was the one to refuse.
        if (dialect.toWorker === PLAIN.toWorker)
          assert.match((await other())?.refused ?? '', /speaks feed version 2, this coordinator 1/);
      } else await isCurrent();
      relay.speak(PLAIN);
      await isCurrent();
      assert.equal(await page(), 'whole');
    });
});
