import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { DirectWrites } from './direct-write.ts';
import { Outbox } from './outbox.ts';
import { TextWriter } from './text-writer.ts';

/** `count` writers of connected sockets, and the texts received at the other ends. */
async function connected(count: number, outbox: Outbox) {
  const received = new Map<number, string>();
  let onData = (): void => {};
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (octets) => {
      received.set(socket.remotePort!, (received.get(socket.remotePort!) ?? '') + octets.toString());
      onData();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const direct = new DirectWrites();
  const sockets: net.Socket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = net.connect(port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    sockets.push(socket);
  }
  return {
    sockets,
    writers: sockets.map((socket) => new TextWriter(socket, direct, () => {}, outbox)),
    /** Resolves when every other end has received exactly `text`. */
    all: (text: string) =>
      new Promise<void>((resolve) => {
        onData = () => {
          if (received.size === count && [...received.values()].every((one) => one === text)) resolve();
        };
        onData();
      }),
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test('all writers of one turn are written, above the limit as well', { timeout: 60_000 }, async () => {
  const { writers, all, close } = await connected(200, new Outbox());
  for (const writer of writers) assert.equal(writer.write('one '), true);
  for (const writer of writers) writer.write('two');
  await all('one two');
  close();
});

test('a waiting text is written before other writes to the socket', { timeout: 60_000 }, async () => {
  const { writers, sockets, all, close } = await connected(2, new Outbox());
  writers.forEach((writer, i) => {
    writer.write('first ');
    assert.equal(writer.hasQueued, true);
    writer.flush();
    assert.equal(writer.hasQueued, false);
    sockets[i]!.write(Buffer.from('second '));
    writer.write('third');
    writer.flush();
  });
  await all('first second third');
  close();
});

const turnEnd = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('single texts of a turn are written at once after some turns, until a turn has several again', async () => {
  const { writers, close } = await connected(2, new Outbox());
  const [one, other] = writers as [TextWriter, TextWriter];
  const waits = (writer: TextWriter): boolean => {
    writer.write('a');
    return writer.hasQueued;
  };
  let turns = 0;
  while (waits(one)) {
    turns++;
    await turnEnd();
  }
  assert.equal(turns, 2);
  // That text was the first one that may be written at once.
  let atOnce = 1;
  while (!waits(one)) atOnce++;
  assert.equal(atOnce, 32);
  await turnEnd();
  assert.equal(waits(one), false, 'a turn with one text changes nothing');
  while (!waits(one));
  assert.equal(waits(other), true);
  await turnEnd();
  for (turns = 0; waits(one); turns++) await turnEnd();
  assert.equal(turns, 2, 'after a turn with two it begins again');
  close();
});

test('several texts for one socket count as several', async () => {
  const { writers, close } = await connected(1, new Outbox());
  const [writer] = writers as [TextWriter];
  for (let turn = 0; turn < 100; turn++) {
    writer.write('a');
    assert.equal(writer.hasQueued, true);
    writer.write('b');
    await turnEnd();
  }
  close();
});

test('a text for a closed socket is dropped', async () => {
  const outbox = new Outbox();
  const { writers, sockets, close } = await connected(1, outbox);
  writers[0]!.write('late');
  sockets[0]!.destroy();
  outbox.flush();
  assert.equal(writers[0]!.hasQueued, false);
  close();
});
