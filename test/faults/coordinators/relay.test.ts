/** Each mode of the relay breaks links in its way. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Relay, type RelayMode } from './relay.ts';

interface Echo {
  readonly relay: Relay;
  /** Octets that the target has received. */
  readonly received: () => string;
}

async function echo(t: TestContext): Promise<Echo> {
  let received = '';
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received += String(chunk);
      socket.write(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = await Relay.start((server.address() as AddressInfo).port);
  t.after(async () => {
    await relay.close();
    server.close();
  });
  return { relay, received: () => received };
}

async function connect(t: TestContext, { port }: Relay): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function answer(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return String(chunk);
}

/** Whether an answer arrives within a time in which it would have arrived on a link that passes. */
async function isSilent(socket: Socket): Promise<boolean> {
  const signal = AbortSignal.timeout(150);
  return await once(socket, 'data', { signal }).then(
    () => false,
    () => true,
  );
}

test('passes octets both ways, and the end of either side', async (t) => {
  const { relay } = await echo(t);
  const socket = await connect(t, relay);
  assert.equal(await answer(socket, 'a'), 'a');
  socket.end();
  await once(socket, 'close');
});

for (const [name, mode, isReceived] of [
  ['both ways', { type: 'stall' }, false],
  ['the way to the target', { type: 'stall', way: 'to' }, false],
  ['the way from the target', { type: 'stall', way: 'from' }, true],
] satisfies [string, RelayMode, boolean][])
  test(`a stall of ${name} forwards later what was sent`, async (t) => {
    const { relay, received } = await echo(t);
    const socket = await connect(t, relay);
    assert.equal(await answer(socket, 'a'), 'a');
    await relay.set(mode);
    socket.write('b');
    assert.ok(await isSilent(socket));
    assert.equal(received(), isReceived ? 'ab' : 'a');
    assert.ok(relay.met > 0);
    const arrival = once(socket, 'data');
    await relay.set({ type: 'pass' });
    assert.equal(String((await arrival)[0]), 'b');
  });

test('a connect during a stall reaches the target later', async (t) => {
  const { relay } = await echo(t);
  await relay.set({ type: 'stall' });
  const socket = await connect(t, relay);
  socket.write('a');
  assert.ok(await isSilent(socket));
  const arrival = once(socket, 'data');
  await relay.set({ type: 'pass' });
  assert.equal(String((await arrival)[0]), 'a');
});

test('a cut resets connections and refuses connects until it ends', async (t) => {
  const { relay } = await echo(t);
  const socket = await connect(t, relay);
  assert.equal(await answer(socket, 'a'), 'a');
  const failure = once(socket, 'error');
  await relay.set({ type: 'cut' });
  assert.equal(((await failure)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
  const refused = net.connect(relay.port, '127.0.0.1');
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
  await relay.set({ type: 'pass' });
  assert.equal(await answer(await connect(t, relay), 'b'), 'b');
});

test('a slow link answers after its pause, in order', async (t) => {
  const { relay } = await echo(t);
  const socket = await connect(t, relay);
  await relay.set({ type: 'slow', ms: 120 });
  const startMs = performance.now();
  assert.equal(await answer(socket, 'a'), 'a');
  assert.ok(performance.now() - startMs >= 115);
});

test('connections are reset again and again', async (t) => {
  const { relay } = await echo(t);
  await relay.set({ type: 'cut-every', ms: 40 });
  for (let round = 0; round < 2; round++) {
    const socket = await connect(t, relay);
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
  }
  assert.ok(relay.met >= 2);
});
