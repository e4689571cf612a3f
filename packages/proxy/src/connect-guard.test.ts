import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import type { NodeReach, ReachBounds } from '@rollcall/protocol';
import { ConnectGuard, type GuardedNode, NOT_ALLOWED } from './connect-guard.ts';

const BOUNDS: ReachBounds = { listeners: [{ host: '127.0.0.0/8', port: 8400 }], allow: [] };
const GUEST: NodeReach = { from: '10.0.0.7', isLocal: false, isAnywhere: false };
const LOCAL: NodeReach = { from: '127.0.0.1', isLocal: true, isAnywhere: false };

function guarded(names: Record<string, readonly string[]> = {}) {
  const state: { bounds: ReachBounds | undefined } = { bounds: BOUNDS };
  const reasons: string[] = [];
  const guard = new ConnectGuard<GuardedNode>({
    bounds: () => state.bounds,
    onRefused: (_, reason) => reasons.push(reason),
    resolve: (name, done) => {
      const found = names[name] ?? [];
      process.nextTick(
        done,
        null,
        found.map((address) => ({ address, family: net.isIP(address) })),
      );
    },
  });
  /** What a connect to the node comes to. */
  const connect = async (host: string, port: number, reach?: NodeReach): Promise<string> => {
    const socket = net.connect({ ...guard.target({ host, port, reach }), port });
    const code = await Promise.race([
      once(socket, 'connect').then(() => 'connected'),
      once(socket, 'error').then(([error]) => (error as NodeJS.ErrnoException).code ?? ''),
    ]).catch((error: NodeJS.ErrnoException) => error.code ?? '');
    socket.destroy();
    return code;
  };
  return { connect, reasons, state };
}

/** Something that listens on loopback, as services of the coordinator's machine do. */
async function listener(t: { after(fn: () => void): void }): Promise<{ port: number; accepted: () => number }> {
  let accepted = 0;
  const server = net.createServer((socket) => {
    accepted++;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { port: (server.address() as net.AddressInfo).port, accepted: () => accepted };
}

test('a name that has come to be a loopback address reaches nothing, and the reason says what it is', async (t) => {
  const names: Record<string, readonly string[]> = { 'app.internal': ['127.0.0.1'] };
  const { connect, reasons } = guarded(names);
  const { port, accepted } = await listener(t);
  assert.equal(await connect('app.internal', port, LOCAL), 'connected');
  assert.equal(await connect('app.internal', port, GUEST), NOT_ALLOWED);
  assert.deepEqual(reasons, [
    'app.internal is 127.0.0.1, which is a loopback address, and the node was registered from another machine (10.0.0.7)',
  ]);
  names['app.internal'] = ['10.0.0.7', '127.0.0.1'];
  assert.equal(await connect('app.internal', port, GUEST), NOT_ALLOWED, 'every address of it counts');
  names['app.internal'] = ['169.254.169.254'];
  assert.equal(await connect('app.internal', port, LOCAL), NOT_ALLOWED);
  names['app.internal'] = ['10.0.0.8'];
  assert.equal(await connect('app.internal', port, GUEST), NOT_ALLOWED);
  assert.match(reasons.at(-1) ?? '', /10\.0\.0\.8, which is not the address that the node was registered from/);
  assert.equal(accepted(), 1);
});

test('a literal address is asked about, also when the rule or its registrant changes', async (t) => {
  const { connect, state, reasons } = guarded();
  const { port, accepted } = await listener(t);
  assert.equal(await connect('127.0.0.1', port, LOCAL), 'connected');
  assert.equal(await connect('127.0.0.1', port, GUEST), NOT_ALLOWED);
  assert.equal(await connect('::ffff:127.0.0.1', port, GUEST), NOT_ALLOWED);
  state.bounds = { listeners: [{ host: '127.0.0.1', port }], allow: ['0.0.0.0/0'] };
  assert.equal(await connect('127.0.0.1', port, LOCAL), NOT_ALLOWED);
  assert.match(reasons.at(-1) ?? '', /^127\.0\.0\.1:\d+ is a listener of Rollcall itself$/);
  assert.equal(accepted(), 1);
});

test('before a coordinator has sent the rule, only what no node may have is refused', async (t) => {
  const { connect, state } = guarded({ 'app.internal': ['127.0.0.1'] });
  state.bounds = undefined;
  const { port } = await listener(t);
  assert.equal(await connect('app.internal', port, GUEST), 'connected');
  assert.equal(await connect('0.0.0.0', port), NOT_ALLOWED);
  assert.equal(await connect('169.254.169.254', port), NOT_ALLOWED);
});

test('a name without an address fails as before', async () => {
  const { connect, reasons } = guarded();
  assert.equal(await connect('nowhere.internal', 80, LOCAL), 'ENOTFOUND');
  assert.deepEqual(reasons, []);
});
