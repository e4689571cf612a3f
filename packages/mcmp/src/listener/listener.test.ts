import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type Answer, text } from '../answers/answer.ts';
import type { Message } from '../messages/message.ts';
import { type Listener, type ListenerOptions, listenMcmp } from './listener.ts';

interface Setup {
  readonly listener: Listener;
  readonly messages: Message[];
  client(): Promise<Client>;
  close(): Promise<void>;
}

interface Client {
  readonly socket: Socket;
  send(text: string): void;
  /** All that the listener has sent, once it matches. */
  received(pattern: RegExp): Promise<string>;
  readonly closed: Promise<string>;
}

async function start(
  t: TestContext,
  options: Partial<ListenerOptions> & { answer?: (message: Message) => Promise<Answer> } = {},
): Promise<Setup> {
  const { answer = async (message) => text(`${message.type}\n`), ...others } = options;
  const messages: Message[] = [];
  const listener = await listenMcmp({
    host: '127.0.0.1',
    port: 0,
    admit: () => ({
      answer: (message) => {
        messages.push(message);
        return answer(message);
      },
      closed: () => {},
    }),
    onBug: (error) => assert.fail(error as Error),
    ...others,
  });
  const clients: Socket[] = [];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    for (const socket of clients) socket.destroy();
    closing ??= listener.close();
    return closing;
  };
  t.after(close);
  return {
    listener,
    messages,
    client: async () => {
      const socket = connect(listener.address.port, '127.0.0.1');
      clients.push(socket);
      await once(socket, 'connect');
      return clientOf(socket);
    },
    close,
  };
}

function clientOf(socket: Socket): Client {
  socket.setEncoding('latin1');
  socket.on('error', () => {});
  let all = '';
  let look = (): void => {};
  socket.on('data', (part: string) => {
    all += part;
    look();
  });
  return {
    socket,
    send: (part) => void socket.write(part, 'latin1'),
    received: (pattern) =>
      new Promise((resolve) => {
        look = () => {
          if (pattern.test(all)) resolve(all);
        };
        look();
      }),
    closed: new Promise((resolve) => socket.once('close', () => resolve(all))),
  };
}

function request(method: string, body = '', fields = ''): string {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  return `${method} / HTTP/1.1\r\nHost: x\r\n${length}${fields}\r\n${body}`;
}

void test('keep-alive and pipelining: answers come in order, one request at a time', async (t) => {
  let running = 0;
  const setup = await start(t, {
    answer: async (message) => {
      running += 1;
      assert.equal(running, 1);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return text(`${message.type}\n`);
    },
  });
  const client = await setup.client();
  client.send(request('INFO') + request('PING') + request('DUMP').slice(0, 10));
  client.send(request('DUMP').slice(10));
  const all = await client.received(/DUMP\n/);
  assert.deepEqual(
    [...all.matchAll(/\r\n\r\n(\w+)\n/g)].map(([, name]) => name),
    ['INFO', 'PING', 'DUMP'],
  );
  assert.match(
    all,
    /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n/,
  );
  await setup.close();
});

void test('a fault has Version, Type and Mess, and ends the connection; the rest is dropped', async (t) => {
  const setup = await start(t);
  const client = await setup.client();
  client.send(request('STATUS', 'Load=5') + request('INFO'));
  const all = await client.closed;
  assert.match(all, /^HTTP\/1\.1 500 [^\r]*\r\nVersion: 0\.2\.1\r\nType: SYNTAX\r\nMess: TODO: No JVMRoute given!\r\n/);
  assert.match(all, /Connection: close/);
  assert.deepEqual(setup.messages, []);
  for (const line of all.split('\r\n').slice(1, -2)) assert.match(line, /^[^:]+: /);
  await setup.close();
});

void test('no HTTP is 400, an unknown method 501 with Allow, and Connection: close is honoured', async (t) => {
  const setup = await start(t);
  const [bad, unknown, last] = [await setup.client(), await setup.client(), await setup.client()];
  bad.send('nonsense\r\n\r\n');
  assert.match(await bad.closed, /^HTTP\/1\.1 400 Bad Request\r\n/);
  unknown.send(request('GET'));
  assert.match(await unknown.closed, /^HTTP\/1\.1 501 Not Implemented\r\nAllow: CONFIG, ENABLE-APP/);
  last.send(request('INFO', '', 'Connection: close\r\n'));
  assert.match(await last.closed, /^HTTP\/1\.1 200 OK[\s\S]*Connection: close\r\n\r\nINFO\n$/);
  await setup.close();
});

void test('a client that closes its half gets its answers', async (t) => {
  const setup = await start(t);
  const client = await setup.client();
  client.socket.end(request('INFO') + request('PING'), 'latin1');
  const all = await client.closed;
  assert.match(all, /INFO\n[\s\S]*PING\n$/);
  await setup.close();
});

void test('100 Continue is sent to a client that waits for it', async (t) => {
  const setup = await start(t);
  const client = await setup.client();
  client.send('PING / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n');
  await client.received(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  client.send('JVMRoute=n1');
  await client.received(/200 OK[\s\S]*PING\n/);
  assert.deepEqual(setup.messages, [{ type: 'PING', route: 'n1' }]);
  await setup.close();
});

void test('bounds: connections in all and of an address, and connections that are not admitted', async (t) => {
  const setup = await start(t, { bounds: { maxOfAddress: 2 } });
  const [one, two] = [await setup.client(), await setup.client()];
  one.send(request('PING'));
  await one.received(/PING/);
  two.send(request('PING'));
  await two.received(/PING/);
  assert.equal(await (await setup.client()).closed, '');
  one.socket.destroy();
  await setup.close();

  const few = await start(t, { bounds: { maxConnections: 1 } });
  const first = await few.client();
  first.send(request('PING'));
  await first.received(/PING/);
  assert.equal(await (await few.client()).closed, '');
  await few.close();

  const refusing = await start(t, { admit: () => undefined });
  assert.equal(await (await refusing.client()).closed, '');
  await refusing.close();
});

void test('time: a request that is not completed, and an idle connection, are closed', async (t) => {
  const slow = await start(t, { bounds: { requestMs: 20 } });
  const client = await slow.client();
  client.send('INFO / HT');
  assert.equal(await client.closed, '');
  await slow.close();
  const idle = await start(t, { bounds: { idleMs: 20 } });
  assert.equal(await (await idle.client()).closed, '');
  await idle.close();
});

void test('rate: requests of an address above the rate wait, and are answered', async (t) => {
  let nowMs = 1_000;
  const setup = await start(t, { bounds: { perSecond: 2 }, nowMs: () => nowMs });
  const [one, two] = [await setup.client(), await setup.client()];
  one.send(request('PING') + request('PING') + request('DUMP'));
  await one.received(/(PING\n[\s\S]*){2}/);
  assert.equal(setup.messages.length, 2);
  two.send(request('INFO'));
  nowMs += 1_000;
  await one.received(/DUMP\n/);
  await two.received(/INFO\n/);
  assert.equal(setup.messages.length, 4);
});

void test('close ends open connections', async (t) => {
  const setup = await start(t);
  const client = await setup.client();
  client.send(request('PING'));
  await client.received(/PING/);
  assert.equal(setup.listener.size, 1);
  await setup.close();
  await client.closed;
  assert.equal(setup.listener.size, 0);
});

void test('an answer that throws ends its connection with a fault, is reported, and harms no other connection', async (t) => {
  const bugs: unknown[] = [];
  const setup = await start(t, {
    answer: async (message) => {
      if (message.type === 'INFO') throw new Error('a bug');
      return text('ok\n');
    },
    onBug: (error) => bugs.push(error),
  });
  const [broken, other] = [await setup.client(), await setup.client()];
  broken.send(request('INFO') + request('PING'));
  const all = await broken.closed;
  assert.match(all, /^HTTP\/1\.1 500 .*\r\n[\s\S]*Type: GENERAL\r\nMess: GENERAL: internal error/);
  assert.match(all, /Connection: close\r\n/);
  assert.doesNotMatch(all, /ok\n/, 'the pipelined request is dropped');
  assert.deepEqual(bugs, [new Error('a bug')]);
  other.send(request('PING'));
  await other.received(/ok\n/);
});
