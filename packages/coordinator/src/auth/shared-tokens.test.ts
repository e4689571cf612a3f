/** Tokens of several coordinators on one memory. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type MemoryMedium, memorySharedMedium, memoryStore, Registry, type Store } from '@rollcall/core';
import { pino } from 'pino';
import { Cluster } from '../cluster.ts';
import { SharedSync } from '../sync/shared-sync.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { SharedTokens } from './shared-tokens.ts';
import { type NewSecret, openTokens, type Tokens } from './tokens.ts';

const logger = pino({ level: 'silent' });

interface Place {
  readonly tokens: Tokens;
  readonly sync: SharedSync;
  readonly shared: SharedTokens;
  readonly clocks: ManualClocks;
  readonly warnings: readonly string[];
  /** Resolves when the condition is true after a change by another coordinator. */
  until(isTrue: () => boolean): Promise<void>;
  /** Shares a change and waits until the other coordinators have it. */
  share(): Promise<void>;
  /** Ends as if by a signal: `tokens.json` is written. */
  close(): Promise<void>;
}

interface PlaceOptions {
  readonly stateDir?: string;
  readonly file?: Store;
  readonly coordinator?: string;
  readonly clusterId?: string | undefined;
}

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rollcall-shared-tokens-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A file that is kept when its coordinator ends. */
function keptFile(): Store {
  return { ...memoryStore(), close: async () => undefined };
}

let places = 0;
async function start(t: TestContext, medium: MemoryMedium, options: PlaceOptions = {}): Promise<Place> {
  const { stateDir = await directory(t), file = memoryStore(), coordinator, clusterId } = options;
  places += 1;
  const clocks = new ManualClocks();
  const cluster = new Cluster(new Registry({ startedAtMs: clocks.nowMs(), isShared: true }), clocks);
  const sync = new SharedSync({
    store: medium.open(),
    file,
    cluster,
    coordinator: coordinator ?? places.toString(16).padStart(32, '0'),
    name: `c${places}`,
    release: '1.0.0',
    logger,
    clusterId,
    onClusterId: async () => undefined,
  });
  const tokens = await openTokens(stateDir, {}, clocks);
  const listeners = new Set<() => void>();
  const warnings: string[] = [];
  const warn = ((text: string) => void warnings.push(text)) as typeof logger.warn;
  const onChange = (): void => {
    for (const listener of listeners) listener();
  };
  const shared = new SharedTokens({ tokens, sync, clocks, logger: { warn }, onChange });
  let closing: Promise<void> | undefined;
  const end = (): Promise<void> => {
    closing ??= sync.close();
    return closing;
  };
  t.after(end);
  const close = async (): Promise<void> => {
    await end();
    for (const [path, text] of tokens.files) await writeFile(path, text);
  };
  await sync.introduce();
  await sync.start();
  return {
    tokens,
    sync,
    shared,
    clocks,
    warnings,
    close,
    until: (isTrue) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!isTrue()) return;
          listeners.delete(check);
          resolve();
        };
        listeners.add(check);
        check();
      }),
    share: async () => {
      await sync.applied(shared.follow().keys, 10_000);
    },
  };
}

async function pair(t: TestContext): Promise<{ medium: MemoryMedium; a: Place; b: Place }> {
  const medium = memorySharedMedium();
  const [a, b] = [await start(t, medium), await start(t, medium)];
  await known(a, b);
  return { medium, a, b };
}

/** Polls until the coordinators know each other, which no event announces. */
async function known(...places: readonly Place[]): Promise<void> {
  const isKnown = ({ sync }: Place): boolean =>
    sync.status.coordinators.filter(({ liveness }) => liveness === 'running').length === places.length;
  while (!places.every(isKnown)) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Polls a value that no event announces. */
async function eventually(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function made(result: NewSecret | object): NewSecret {
  assert.ok('secret' in result, JSON.stringify(result));
  return result;
}

function create({ tokens }: Place, name: string, more: object = {}): NewSecret {
  return made(tokens.create({ name, role: 'join', ...more }));
}

test('a token is in force at the other coordinator with all its fields, and its revocation as well', async (t) => {
  const { a, b } = await pair(t);
  const bindings = { balancers: ['shop'], nodes: 3 };
  const { secret, record } = create(a, 'web', { bindings, certificate: 'web.test' });
  await a.share();
  assert.deepEqual(b.tokens.find(secret), record);
  assert.equal(b.tokens.findByCertificate('web.test')?.id, record.id);
  const shown = b.tokens.lookUp(secret);
  assert.ok('record' in shown);
  a.tokens.revoke('web');
  await a.share();
  assert.equal(b.tokens.find(secret), undefined);
  assert.match(b.tokens.standing(shown.record, shown.digest)?.message ?? '', /was revoked/);
  assert.deepEqual([...b.tokens.takeEndedNames()], ['web'], 'its nodes leave');
  assert.deepEqual([b.tokens.isOver(shown.record), b.tokens.isJoinTokenNeeded], [true, true]);
});

test('the store gets digests, and never a secret', async (t) => {
  const { medium, a } = await pair(t);
  const { secret, record } = create(a, 'web');
  await a.share();
  const { records } = await medium.open().read([`token/${record.id}`]);
  assert.equal(records.length, 1);
  assert.ok(!JSON.stringify(records).includes(secret));
  assert.equal((records[0]!.value as { name: string }).name, 'web');
});

test('after a rotation the other coordinator takes both secrets until the overlap ends, and no node leaves', async (t) => {
  const { a, b } = await pair(t);
  const { secret: first } = create(a, 'web');
  await a.share();
  const shown = b.tokens.lookUp(first);
  assert.ok('record' in shown);
  const { secret: second, record } = made(a.tokens.rotate('web', 60_000));
  await a.share();
  assert.deepEqual(
    [first, second].map((one) => b.tokens.find(one)?.id),
    [record.id, record.id],
  );
  assert.deepEqual([b.tokens.standing(shown.record, shown.digest), b.tokens.isOver(shown.record)], [undefined, false]);
  b.clocks.advance(60_000);
  assert.deepEqual([b.tokens.find(first), b.tokens.find(second)?.name], [undefined, 'web']);
  assert.match(b.tokens.standing(shown.record, shown.digest)?.message ?? '', /was replaced/);
  assert.deepEqual([[...b.tokens.takeEndedNames()], b.tokens.isOver(shown.record)], [[], false]);
  assert.deepEqual(
    b.tokens.records.map(({ name }) => name),
    ['admin', 'web'],
  );
});

test('an expiry counts from the receipt, on the clock of each coordinator; an expired token stays in the list', async (t) => {
  const { a, b } = await pair(t);
  b.clocks.advance(7_200_000);
  const { secret } = create(a, 'web', { expiresAtMs: a.clocks.nowUnixMs() + 60_000 });
  await a.share();
  b.clocks.advance(59_999);
  assert.ok(b.tokens.find(secret));
  b.clocks.advance(1);
  assert.equal(b.tokens.find(secret), undefined);
  assert.deepEqual(
    b.tokens.records.map(({ name }) => name),
    ['admin', 'web'],
  );
  b.tokens.revoke('web');
  await b.share();
  assert.deepEqual(
    a.tokens.records.map(({ name }) => name),
    ['admin'],
  );
});

test('a revocation without the store is kept over a restart, and wins over a later change of the token', async (t) => {
  const medium = memorySharedMedium();
  const [file, stateDir, coordinator] = [keptFile(), await directory(t), 'f'.repeat(32)];
  const a = await start(t, medium, { file, stateDir, coordinator });
  const b = await start(t, medium);
  await known(a, b);
  const { secret } = create(a, 'web');
  await a.share();
  medium.isReachable = false;
  await eventually(() => !a.sync.status.isReachable && !b.sync.status.isReachable);
  a.tokens.revoke('web');
  await a.share();
  b.clocks.advance(3_600_000);
  b.tokens.change('web', { bindings: { nodes: 9 } });
  await b.share();
  await a.close();
  const again = await start(t, medium, { file, stateDir, coordinator });
  assert.equal(again.tokens.find(secret), undefined);
  assert.ok(b.tokens.find(secret), 'it cannot know yet');
  medium.isReachable = true;
  await b.until(() => b.tokens.find(secret) === undefined);
  assert.equal(again.tokens.find(secret), undefined);
});

test('a revocation wins over an older file, also with an emptied store', async (t) => {
  const medium = memorySharedMedium();
  const [stateDir, coordinator] = [await directory(t), 'e'.repeat(32)];
  const a = await start(t, medium);
  const old = await start(t, medium, { stateDir, coordinator });
  await known(a, old);
  const { secret, record } = create(a, 'web');
  await a.share();
  await old.close();
  a.tokens.revoke('web');
  await a.share();
  medium.wipe();
  // The file is one from before the revocation: tokens.json has the token.
  const back = await start(t, medium, { stateDir, coordinator, clusterId: a.sync.clusterId });
  await back.until(() => back.tokens.find(secret) === undefined);
  assert.equal(a.tokens.find(secret), undefined);
  const { records } = await medium.open().read([`token/${record.id}`]);
  assert.equal(records[0]?.value, null);
  assert.deepEqual(records[0]?.remaining, {}, 'it does not expire');
});

test('a token that was rotated at one coordinator and revoked at the other is revoked, with its new secret', async (t) => {
  const { medium, a, b } = await pair(t);
  const { secret: first } = create(a, 'web');
  await a.share();
  medium.isReachable = false;
  await eventually(() => !a.sync.status.isReachable && !b.sync.status.isReachable);
  const { secret: second } = made(a.tokens.rotate('web', 60_000));
  const { secret: third } = made(a.tokens.rotate('web', 60_000));
  await a.share();
  b.tokens.revoke('web');
  await b.share();
  medium.isReachable = true;
  await a.until(() => a.tokens.find(third) === undefined);
  await eventually(() => a.sync.status.waiting === 0 && b.sync.status.waiting === 0);
  await b.share();
  for (const { tokens } of [a, b])
    assert.deepEqual(
      [first, second, third].map((secret) => tokens.find(secret)),
      [undefined, undefined, undefined],
    );
});

test('two tokens of one name that were made apart both work; a revocation ends both, a rotation makes them one', async (t) => {
  const { medium, a, b } = await pair(t);
  medium.isReachable = false;
  await eventually(() => !a.sync.status.isReachable && !b.sync.status.isReachable);
  const [one, other] = [create(a, 'web'), create(b, 'web')];
  a.shared.follow();
  b.shared.follow();
  medium.isReachable = true;
  await Promise.all([a, b].map((at) => at.until(() => at.tokens.stored.length === 2)));
  for (const { tokens } of [a, b])
    assert.deepEqual(
      [one, other].map(({ secret, record }) => tokens.find(secret)?.id === record.id),
      [true, true],
    );
  assert.equal('code' in a.tokens.create({ name: 'web', role: 'join' }), true, 'the name is taken');
  await known(a, b);
  const { secret } = made(a.tokens.rotate('web', 60_000));
  await a.share();
  for (const { tokens } of [a, b]) {
    const ids = [one.secret, other.secret, secret].map((each) => tokens.find(each)?.id);
    assert.deepEqual([new Set(ids).size, ids.includes(undefined), tokens.stored.length], [1, false, 1]);
  }
  b.tokens.revoke('web');
  await b.share();
  for (const { tokens } of [a, b])
    for (const each of [one.secret, other.secret, secret]) assert.equal(tokens.find(each), undefined);
});

test('tokens from before the coordinators shared are shared after the first whole read, unless others have ended them', async (t) => {
  const stateDirs = [await directory(t), await directory(t)];
  const before = await openTokens(stateDirs[0]!, {});
  const kept = made(before.create({ name: 'kept', role: 'viewer' }));
  const ended = made(before.create({ name: 'ended', role: 'viewer' }));
  for (const [path, text] of before.files) await writeFile(path, text);
  const medium = memorySharedMedium();
  const first = await start(t, medium);
  // Another coordinator with a copy of the state directory has revoked one token.
  for (const [path, text] of before.files) await writeFile(path.replace(stateDirs[0]!, stateDirs[1]!), text);
  const copy = await start(t, medium, { stateDir: stateDirs[1]! });
  copy.tokens.revoke('ended');
  await known(first, copy);
  await copy.share();
  const late = await start(t, medium, { stateDir: stateDirs[0]! });
  assert.deepEqual(
    [kept, ended].map(({ secret }) => late.tokens.find(secret)?.name),
    ['kept', undefined],
  );
  await first.until(() => first.tokens.find(kept.secret) !== undefined);
});

test('records that are no tokens, and reserved names, change nothing, and each is reported once', async (t) => {
  const { medium, a } = await pair(t);
  const good = { name: 'web', role: 'join', secrets: [{ sha256: 'a'.repeat(64) }] };
  const bad: readonly unknown[] = [
    'text',
    { ...good, name: 'admin', role: 'admin' },
    { ...good, name: 'join', role: 'admin' },
    { ...good, name: '../x' },
    { ...good, role: 'god' },
    { ...good, secrets: 'none' },
    { ...good, secrets: [{ sha256: 'short' }] },
    { ...good, bindings: { hosts: ['/'] } },
    { ...good, earlierIds: ['x'] },
  ];
  const records = bad.map((value, i) => {
    return { key: `token/${String(i).padStart(16, '0')}`, version: [9, 'a'] as const, value, remaining: {} };
  });
  const last = { key: `token/${'f'.repeat(16)}`, version: [9, 'a'] as const, value: good, remaining: {} };
  const odd = { key: 'token/no-id', version: [9, 'a'] as const, value: good, remaining: {} };
  await medium.open().write([...records, odd, last], a.sync.clusterId!);
  await a.until(() => a.tokens.stored.length > 0);
  assert.deepEqual(
    a.tokens.stored.map(({ id }) => id),
    ['f'.repeat(16)],
  );
  assert.equal(a.warnings.length, bad.length + 1);
});
