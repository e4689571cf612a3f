import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '@rollcall/core/testing';
import { startLane } from './lane.fixture.ts';
import { answering, ok } from './raw-node.fixture.ts';
import { upstreamNode } from './scripted-router.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const HOST = 'Host: shop.example\r\n';
const GET = `GET /a HTTP/1.1\r\n${HOST}\r\n`;
const POST = `POST /a HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`;

test('after a refused connect the request goes to another node, also a POST, and the router gets a report at once', () =>
  withLane(startLane([answering(() => ok())]), async (lane) => {
    lane.router.nodes.unshift(upstreamNode('dead', await freePort()));
    const client = await lane.connect();
    assert.match(await client.write(POST).sees('\r\n\r\nok'), /^HTTP\/1\.1 200/);
    assert.deepEqual(lane.router.reports, [
      'send dead',
      'connect dead: connection refused',
      'end dead failed: connection refused',
      'again: connection refused',
      'send n1',
      'head n1 200',
      'end n1 ok',
    ]);
    assert.ok(lane.nodes[0]!.connections[0]!.received.endsWith('hello'));
    assert.equal(lane.engine.counters(0).retries, 1);
  }));

test('without retries a refused connect is 502', () =>
  withLane(startLane([answering(() => ok())]), async (lane) => {
    lane.router.nodes.unshift(upstreamNode('dead', await freePort()));
    lane.router.retries = 0;
    const client = await lane.connect();
    assert.match(await client.write(GET).sees('\n'), /^HTTP\/1\.1 502/);
  }));

test('a GET whose node closes before an answer is sent to another node', () =>
  withLane(
    startLane([(connection) => connection.heads().then(() => connection.socket.destroy()), answering(() => ok())]),
    async (lane) => {
      const client = await lane.connect();
      assert.match(await client.write(GET).sees('\r\n\r\nok'), /^HTTP\/1\.1 200/);
    },
  ));

test('a POST whose node closes is answered 502 and never sent again', () =>
  withLane(
    startLane([
      (connection) =>
        connection.until(() => connection.received.endsWith('hello')).then(() => connection.socket.destroy()),
      answering(() => ok()),
    ]),
    async (lane) => {
      const client = await lane.connect();
      assert.match(await client.write(POST).sees('request '), /^HTTP\/1\.1 502/);
      assert.equal(lane.nodes[1]!.connections.length, 0);
      assert.ok(lane.router.reports.includes('end n1 failed: connection closed without an octet'));
    },
  ));

test('a GET on a reused connection that the node has closed goes to the same node on a fresh one', () =>
  withLane(
    startLane(
      [
        (connection, number) => {
          let requests = 0;
          connection.socket.on('data', () => {
            if (++requests === 2 && number === 1) connection.socket.resetAndDestroy();
            else connection.write(ok(`by ${number}`));
          });
        },
      ],
      { keepAliveMs: 60_000 },
    ),
    async (lane) => {
      const client = await lane.connect();
      await client.write(GET).sees('by 1');
      await client.write(GET).sees('by 2');
      assert.deepEqual(lane.router.reports, [
        'send n1',
        'head n1 200',
        'end n1 ok',
        'send n1',
        'head n1 200',
        'end n1 ok',
      ]);
      assert.equal(lane.engine.counters(0).retries, 1);
    },
  ));

test('a POST does not use an idle connection of unknown keep-alive that the node may be about to close', () => {
  let nowMs = 1_000;
  return withLane(
    startLane([(connection, number) => connection.socket.on('data', () => connection.write(ok(`by ${number}`)))], {
      now: () => nowMs,
    }),
    async (lane) => {
      const client = await lane.connect();
      await client.write(POST).sees('by 1');
      nowMs += 150;
      client.received = '';
      await client.write(POST).sees('by 1');
      nowMs += 250;
      await client.write(POST).sees('by 2');
      nowMs += 900;
      client.received = '';
      await client.write(GET).sees('by 2');
    },
  );
});

test('the client sees that an incomplete answer is incomplete', () =>
  withLane(
    startLane([
      answering((target, { socket }) => {
        setImmediate(() => socket.end());
        if (target === '/length') return 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';
        return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n';
      }),
    ]),
    async (lane) => {
      for (const target of ['/length', '/chunked']) {
        const client = await lane.connect();
        const answer = await client.write(`GET ${target} HTTP/1.1\r\n${HOST}\r\n`).ended();
        assert.match(answer, /half(?:\r\n)?$/);
      }
      const old = await lane.connect();
      const errors: string[] = [];
      old.socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? ''));
      old.write('GET /chunked HTTP/1.0\r\n\r\n');
      await old.closed();
      assert.deepEqual(errors, ['ECONNRESET'], 'only a reset shows an HTTP/1.0 client that the answer is incomplete');
    },
  ));

test('an answer that is not HTTP is 502, and nothing of it reaches the client', () =>
  withLane(startLane([answering(() => 'SSH-2.0-OpenSSH POISON\r\n\r\n')]), async (lane) => {
    const client = await lane.connect();
    const answer = await client.write(GET).sees('request ');
    assert.match(answer, /^HTTP\/1\.1 502/);
    assert.ok(!answer.includes('POISON'));
  }));

test('octets behind an answer are not an answer: their connection is closed, never used again', () =>
  withLane(
    startLane(
      [
        (connection, number) =>
          connection.socket.on('data', () =>
            connection.write(number === 1 ? `${ok('first')}${ok('POISON')}` : ok('second')),
          ),
      ],
      { keepAliveMs: 60_000 },
    ),
    async (lane) => {
      const client = await lane.connect();
      await client.write(GET).sees('first');
      await (await lane.nodes[0]!.connection()).closed();
      assert.ok(!(await client.write(GET).sees('second')).includes('POISON'));
    },
  ));

test('an idle connection on which the node sends octets is closed', () =>
  withLane(startLane([answering(() => ok())], { keepAliveMs: 60_000 }), async (lane) => {
    const client = await lane.connect();
    await client.write(GET).sees('\r\n\r\nok');
    const [connection] = lane.nodes[0]!.connections;
    connection!.write(ok('POISON'));
    await connection!.closed();
    client.received = '';
    assert.match(await client.write(GET).sees('\r\n\r\nok'), /ok$/);
    assert.equal(lane.nodes[0]!.connections.length, 2);
  }));

test('an early answer reaches the client during its upload, and both connections end after it', () =>
  withLane(
    startLane(
      [
        async (connection) => {
          await connection.heads();
          connection.write(ok('too big', 'X-Early: 1\r\n'));
        },
      ],
      { keepAliveMs: 60_000 },
    ),
    async (lane) => {
      const client = await lane.connect();
      client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 1000000\r\n\r\nsome`);
      assert.match(await client.ended(), /X-Early: 1\r\n[\s\S]*Connection: close\r\n\r\ntoo big$/);
      await (await lane.nodes[0]!.connection()).closed();
    },
  ));

test('a body with invalid framing leaves the request at the node incomplete, and is 400 for the client', () =>
  withLane(startLane([() => {}]), async (lane) => {
    const client = await lane.connect();
    client.write(`POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n`);
    await lane.reported('send n1');
    const connection = await lane.nodes[0]!.connection();
    await connection.until(() => connection.received.includes('well'));
    client.write('zz\r\n');
    assert.match(await client.ended(), /^HTTP\/1\.1 400/);
    await lane.reported('end n1 client');
    await connection.closed();
    assert.ok(!connection.received.includes('0\r\n\r\n'));
  }));

test('a client that leaves ends its request at the node', () =>
  withLane(startLane([() => {}]), async (lane) => {
    const client = await lane.connect();
    client.write(GET);
    await lane.reported('send n1');
    client.socket.resetAndDestroy();
    await (await lane.nodes[0]!.connection()).closed();
    assert.deepEqual(lane.router.reports, ['send n1', 'end n1 client']);
  }));

test('a client that closes while nothing is written to it is detected', () =>
  withLane(startLane([() => {}]), async (lane) => {
    const client = await lane.connect();
    client.write(GET);
    await lane.reported('send n1');
    client.close();
    await (await lane.nodes[0]!.connection()).closed();
    assert.deepEqual(lane.router.reports, ['send n1', 'end n1 client']);
  }));

test('a refused HEAD is answered without a body', () =>
  withLane(startLane([answering(() => ok())]), async (lane) => {
    const client = await lane.connect();
    const answer = await client.write('HEAD /a HTTP/1.1\r\n\r\n').ended();
    assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*\r\n\r\n$/);
    assert.equal(answer.indexOf('\r\n\r\n'), answer.length - 4);
  }));

test('errors are sent in the form that the client accepts', () =>
  withLane(startLane([]), async (lane) => {
    lane.router.choice = 'unavailable';
    const client = await lane.connect();
    const text = await client.write(GET).sees('request ');
    assert.match(
      text,
      /^HTTP\/1\.1 503 [\s\S]*Retry-After: 2\r\nX-Request-Id: \S+\r\n\r\n503 no server available\nrequest \S+\n$/,
    );
    client.received = '';
    const html = await client.write(`GET /a HTTP/1.1\r\n${HOST}Accept: text/html\r\n\r\n`).sees('</html>');
    assert.match(html, /Content-Type: text\/html/);
    client.received = '';
    const json = await client.write(`GET /a HTTP/1.1\r\n${HOST}Accept: application/json\r\n\r\n`).sees('}\n');
    const { requestId, ...problem } = JSON.parse(json.slice(json.indexOf('{')));
    assert.deepEqual(problem, { type: 'about:blank', title: 'no server available', status: 503 });
    assert.equal(typeof requestId, 'string');
    assert.equal(lane.engine.counters(0).unavailable, 3);
  }));

test('browsers get the pages of the operator', () =>
  withLane(startLane([], { errorPages: new Map([[404, Buffer.from('<p>Où?</p>')]]) }), async (lane) => {
    lane.router.choice = 'not-found';
    const client = await lane.connect();
    const html = await client.write(`GET /a HTTP/1.1\r\n${HOST}Accept: text/html\r\n\r\n`).sees('</p>');
    assert.match(html, /^HTTP\/1\.1 404 /);
    assert.equal(Buffer.from(html.slice(html.indexOf('<p>')), 'latin1').toString(), '<p>Où?</p>');
  }));

test('a request that waits for a node is sent with its body once a node exists', () =>
  withLane(
    startLane([
      (connection) =>
        void connection.until(() => connection.received.endsWith('hello')).then(() => connection.write(ok())),
    ]),
    async (lane) => {
      lane.router.choice = 'wait';
      lane.router.waitMs = 60_000;
      const client = await lane.connect();
      client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhe`);
      const other = await lane.connect();
      await other.write(`GET /b HTTP/1.1\r\n${HOST}\r\n`).until(() => true);
      client.write('llo');
      while (lane.router.heads.length < 2) await new Promise((resolve) => setImmediate(resolve));
      lane.router.choice = undefined;
      lane.router.onChange();
      assert.match(await client.sees('\r\n\r\nok'), /^HTTP\/1\.1 200/);
    },
  ));

test('a request that waits too long for a node is answered 503, and so is a request above the limit', () => {
  let nowMs = 0;
  return withLane(startLane([], { now: () => nowMs, limits: { maxParked: 1 } }), async (lane) => {
    lane.router.choice = 'wait';
    const first = await lane.connect();
    first.write(GET);
    while (lane.router.heads.length < 1) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([lane.engine.counters(0).parked, lane.engine.counters(0).oldestParkedMs], [1, 0]);
    const second = await lane.connect();
    assert.match(await second.write(GET).sees('\r\n\r\n'), /^HTTP\/1\.1 503/);
    nowMs += lane.router.waitMs;
    assert.equal(lane.engine.counters(0).oldestParkedMs, lane.router.waitMs);
    lane.engine.checkDeadlines();
    assert.match(await first.sees('\r\n\r\n'), /^HTTP\/1\.1 503[\s\S]*Retry-After: 2/);
    assert.equal(lane.engine.counters(0).parked, 0);
  });
});

test('a request is answered 502 if the probe that it waited for fails', () => {
  let nowMs = 0;
  return withLane(startLane([], { now: () => nowMs }), async (lane) => {
    lane.router.choice = 'wait';
    lane.router.waitKind = 'probe';
    const client = await lane.connect();
    client.write(GET);
    while (lane.router.heads.length < 1) await new Promise((resolve) => setImmediate(resolve));
    nowMs += lane.router.waitMs;
    lane.engine.checkDeadlines();
    assert.match(await client.sees('\r\n\r\n'), /^HTTP\/1\.1 502/);
  });
});

test('a request whose wait grows waits longer', () => {
  let nowMs = 0;
  return withLane(startLane([], { now: () => nowMs }), async (lane) => {
    lane.router.choice = 'wait';
    const client = await lane.connect();
    client.write(GET);
    while (lane.router.heads.length < 1) await new Promise((resolve) => setImmediate(resolve));
    lane.router.waitMs = 10_000;
    lane.router.onChange();
    while (lane.router.heads.length < 2) await new Promise((resolve) => setImmediate(resolve));
    nowMs += 9_999;
    lane.engine.checkDeadlines();
    assert.equal(client.received, '');
    nowMs += 1;
    lane.engine.checkDeadlines();
    assert.match(await client.sees('\r\n\r\n'), /^HTTP\/1\.1 503/);
  });
});

test('only requests that wait for the changed object are routed again', () =>
  withLane(startLane([answering(() => ok())]), async (lane) => {
    const [a, b] = [{}, {}];
    lane.router.choice = 'wait';
    const clients = [await lane.connect(), await lane.connect()];
    for (const [i, waitFor] of [a, b].entries()) {
      lane.router.waitFor = waitFor;
      clients[i]!.write(GET);
      while (lane.router.heads.length < i + 1) await new Promise((resolve) => setImmediate(resolve));
    }
    lane.router.choice = undefined;
    lane.router.onChange(b);
    assert.match(await clients[1]!.sees('\r\n\r\nok'), /^HTTP\/1\.1 200/);
    assert.equal(lane.engine.counters(0).parked, 1);
    lane.router.onChange();
    assert.match(await clients[0]!.sees('\r\n\r\nok'), /^HTTP\/1\.1 200/);
  }));

test('a request that waits is counted at its node, and a client that leaves frees its place', () =>
  withLane(startLane([answering(() => ok())]), async (lane) => {
    const node = lane.router.nodes[0]!;
    lane.router.choice = 'wait';
    lane.router.waitNode = node;
    const client = await lane.connect();
    client.write(GET);
    while (node.counters.parked === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(lane.engine.counters(0).parked, 1);
    client.socket.resetAndDestroy();
    while (node.counters.parked > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(lane.engine.counters(0).parked, 0);
  }));

test('when a node is lost an unanswered GET is routed again, a POST keeps waiting, and an answer in progress is cut', () =>
  withLane(
    startLane([
      answering((target) => (target === '/begun' ? 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf' : undefined)),
      answering(() => ok('by 2')),
    ]),
    async (lane) => {
      const [lost] = lane.router.nodes;
      const [begun, get, post] = [await lane.connect(), await lane.connect(), await lane.connect()];
      await begun.write(`GET /begun HTTP/1.1\r\n${HOST}\r\n`).sees('half');
      get.write(GET);
      post.write(POST);
      await lane.reported('send n1', 3);
      while (lane.nodes[0]!.connections.filter(({ received }) => received !== '').length < 3)
        await new Promise((resolve) => setImmediate(resolve));
      lane.router.nodes.shift();
      lane.router.onNodeLost(lost!);
      assert.match(await get.sees('by 2'), /^HTTP\/1\.1 200/);
      await begun.ended();
      assert.ok(lane.router.reports.includes('end n1 failed: answer broke off'));
      const [, , third] = lane.nodes[0]!.connections.filter(({ received }) => received.startsWith('POST'));
      const waiting = third ?? lane.nodes[0]!.connections.find(({ received }) => received.startsWith('POST'))!;
      waiting.write(ok('late'));
      assert.match(await post.sees('late'), /^HTTP\/1\.1 200/);
    },
  ));

test('a silent event stream has its own idle limit; other answers are cut, which does not count against the node', () => {
  let nowMs = 0;
  const limits = { upstreamIdleMs: 1_000, eventStreamIdleMs: 5_000 };
  const head = (type: string): string =>
    `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  return withLane(
    startLane([answering((target) => head(target === '/events' ? 'text/event-stream; charset=utf-8' : 'text/plain'))], {
      now: () => nowMs,
      limits,
    }),
    async (lane) => {
      const [events, plain] = [await lane.connect(), await lane.connect()];
      await events.write(`GET /events HTTP/1.1\r\n${HOST}\r\n`).sees('chunked\r\n\r\n');
      await plain.write(`GET /plain HTTP/1.1\r\n${HOST}\r\n`).sees('chunked\r\n\r\n');
      nowMs += 1_001;
      lane.engine.checkDeadlines();
      await plain.ended();
      const cut = 'end n1 client: answer silent beyond our idle bound';
      await lane.reported(cut);
      nowMs += 3_000;
      lane.engine.checkDeadlines();
      assert.equal(events.socket.readableEnded, false);
      nowMs += 1_001;
      lane.engine.checkDeadlines();
      await events.ended();
      await lane.reported(cut, 2);
    },
  );
});

test('chunk extensions above the limit cut the answer, which does not count against the node', () =>
  withLane(
    startLane([
      answering(() => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=${'a'.repeat(5_000)}\r\nhalf\r\n`),
    ]),
    async (lane) => {
      const client = await lane.connect();
      await client.write(GET).ended();
      await lane.reported('end n1 client: response beyond our bounds');
    },
  ));

test('a response head above the limit is 502, which does not count against the node', () =>
  withLane(
    startLane([answering(() => ok('ok', Array.from({ length: 150 }, (_, i) => `X-${i}: 1\r\n`).join('')))]),
    async (lane) => {
      const client = await lane.connect();
      assert.match(await client.write(GET).sees('request '), /^HTTP\/1\.1 502/);
      assert.deepEqual(lane.router.reports.at(-1), 'end n1 client: response beyond our bounds');
    },
  ));

test('a node that is gone loses its idle connections', () =>
  withLane(startLane([answering(() => ok())], { keepAliveMs: 60_000 }), async (lane) => {
    const client = await lane.connect();
    await client.write(GET).sees('\r\n\r\nok');
    lane.router.onNodeGone(lane.router.nodes[0]!);
    await (await lane.nodes[0]!.connection()).closed();
  }));

test('closing lets requests finish, and announces to their clients that the answer is the last', () =>
  withLane(startLane([() => {}]), async (lane) => {
    const idle = await lane.connect();
    const client = await lane.connect();
    client.write(GET);
    await lane.reported('send n1');
    const connection = await lane.nodes[0]!.connection();
    await connection.heads();
    const closing = lane.engine.close(60_000);
    await idle.ended();
    idle.close();
    connection.write(ok());
    assert.match(await client.ended(), /Connection: close\r\n\r\nok$/);
    client.close();
    await closing;
  }));

test('while closing, a kept connection and a fresh one get one more answer, a silent one an orderly end', () =>
  withLane(startLane([answering(() => ok())], { keepAliveMs: 60_000 }), async (lane) => {
    const [kept, fresh, silent] = [await lane.connect(), await lane.connect(), await lane.connect()];
    const errors: Error[] = [];
    for (const { socket } of [kept, fresh, silent]) socket.on('error', (error) => errors.push(error));
    await kept.write(GET).sees('\r\n\r\nok');
    const closing = lane.engine.close(60_000);
    for (const client of [kept, fresh]) {
      client.received = '';
      assert.match(await client.write(GET).ended(), /^HTTP\/1\.1 200 [\s\S]*Connection: close\r\n\r\nok$/);
      client.close();
    }
    assert.equal(await silent.ended(), '');
    silent.close();
    await closing;
    assert.deepEqual(errors, []);
  }));
