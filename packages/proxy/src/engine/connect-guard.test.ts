import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import type { NodeReach, ReachBounds } from '@rollcall/feed';
import { ConnectGuard, type GuardedNode } from './connect-guard.ts';
import { NOT_ALLOWED } from './failure.ts';

const BOUNDS: ReachBounds = { listeners: [{ host: '127.0.0.0/8', port: 8400 }], allow: [] };
const GUEST: NodeReach = { from: '10.0.0.7', isLocal: false, isAnywhere: false };
const LOCAL: NodeReach = { from: '127.0.0.1', isLocal: true, isAnywhere: false };

function guarded(names: Record<string, readonly string[]> = {}) {
  const state: { bounds: ReachBounds | undefined } = { bounds: BOUNDS };
  const reasons: string[] = [];
  const allowed: string[] = [];
  const guard = new ConnectGuard<GuardedNode>({
    bounds: () => state.bounds,
    onRefused: (_, reason) => reasons.push(reason),
    onAllowed: ({ host }) => allowed.push(host),
    resolve: (name, done) => {
      const found = names[name] ?? [];
      process.nextTick(
        done,
        null,
        found.map((address) => ({ address, family: net.isIP(address) })),
      );
    },
  });
  /** The result of a connect to the node. */
  const connect = async (host: string, port: number, reach?: NodeReach): Promise<string> => {
    const socket = net.connect({ ...guard.target({ host, port, reach }), port });
    const code = await Promise.race([
      once(socket, 'connect').then(() => 'connected'),
      once(socket, 'error').then(([error]) => (error as NodeJS.ErrnoException).code ?? ''),
    ]).catch((error: NodeJS.ErrnoException) => error.code ?? '');
    socket.destroy();
    return code;
  };
  return { connect, reasons, allowed, state };
}

/** A listener on the loopback interface, like services of the coordinator's machine. */
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

test('a name that changed to a loopback address is not connected to, and the reason names the address', async (t) => {
  const names: Record<string, readonly string[]> = { 'app.internal': ['127.0.0.1'] };
  const { connect, reasons, allowed } = guarded(names);
  const { port, accepted } = await listener(t);
  assert.equal(await connect('app.internal', port, LOCAL), 'connected');
  assert.deepEqual(allowed, ['app.internal']);
  assert.equal(await connect('app.internal', port, GUEST), NOT_ALLOWED);
  assert.equal(allowed.length, 1);
  assert.deepEqual(reasons, [
    'app.internal is 127.0.0.1, which is a loopback address, and the node was registered from another machine (10.0.0.7)',
  ]);
  names['app.internal'] = ['10.0.0.7', '127.0.0.1'];
  assert.equal(await connect('app.internal', port, GUEST), NOT_ALLOWED, 'every address of the name is checked');
  names['app.internal'] = ['169.254.169.254'];
  assert.equal(await connect('app.internal', port, LOCAL), NOT_ALLOWED);
  names['app.internal'] = ['10.0.0.8'];
  assert.equal(await connect('app.internal', port, GUEST), NOT_ALLOWED);
  assert.match(reasons.at(-1) ?? '', /10\.0\.0\.8, which is not the address that the node was registered from/);
  assert.equal(accepted(), 1);
});

test('a literal address is checked, also after a change of the rule or its registrant', async (t) => {
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

test('before the coordinator has sent the rule, only addresses that no node may have are refused', async (t) => {
  const { connect, state } = guarded({ 'app.internal': ['127.0.0.1'] });
  state.bounds = undefined;
  const { port } = await listener(t);
  assert.equal(await connect('app.internal', port, GUEST), 'connected');
  assert.equal(await connect('0.0.0.0', port), NOT_ALLOWED);
  assert.equal(await connect('169.254.169.254', port), NOT_ALLOWED);
});

test('a name without an address fails with its own error', async () => {
  const { connect, reasons } = guarded();
  assert.equal(await connect('nowhere.internal', 80, LOCAL), 'ENOTFOUND');
  assert.deepEqual(reasons, []);
});
