import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessEntry } from './access-entry.ts';
import { startLane } from './lane.fixture.ts';
import { answering, ok } from './raw-node.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const HOST = 'Host: shop.example\r\n';
const GET = `GET /a HTTP/1.1\r\n${HOST}\r\n`;

const DATE = 'Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n';

test('a request and its answer are forwarded, and both connections serve the next one', () =>
  withLane(startLane([answering((target) => ok(`at ${target}`))], { keepAliveMs: 5_000 }), async (lane) => {
    const client = await lane.connect();
    assert.match(
      await client.write(GET).sees('at /a'),
      /^HTTP\/1\.1 200 OK\r\nContent-Length: 5\r\nDate: .* GMT\r\n\r\nat \/a$/,
    );
    await client.write(`GET /b HTTP/1.1\r\n${HOST}\r\n`).sees('at /b');
    assert.equal(lane.nodes[0]!.connections.length, 1);
    assert.deepEqual(lane.router.reports, [
      'send n1',
      'head n1 200',
      'end n1 ok',
      'send n1',
      'head n1 200',
      'end n1 ok',
    ]);
    assert.equal(lane.router.nodes[0]!.live.inFlight, 0);
  }));

test('the node gets the client identity, a request id and Via, and no identity fields of an untrusted client', () =>
  withLane(startLane([answering(() => ok())]), async (lane) => {
    const client = await lane.connect();
    const lies =
      'X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nProxy: x\r\n';
    await client.write(`GET /a HTTP/1.1\r\n${HOST}${lies}X-A: 1\r\n\r\n`).sees('ok');
    const head = lane.nodes[0]!.connections[0]!.received;
    assert.match(
      head,
      /^GET \/a HTTP\/1\.1\r\nHost: shop\.example\r\nX-A: 1\r\nX-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\.example\r\nVia: 1\.1 rollcall-[0-9a-f]{8}\r\nX-Request-Id: [0-9a-f]{12}-1\r\n\r\n$/,
    );
  }));

test('identity fields of a trusted proxy are kept, and its address is appended', () =>
  withLane(startLane([answering(() => ok())], { trustedProxies: ['127.0.0.0/8'] }), async (lane) => {
    const client = await lane.connect();
    const fields = 'X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Request-Id: abc\r\n';
    await client.write(`GET /a HTTP/1.1\r\n${HOST}${fields}\r\n`).sees('ok');
    const head = lane.nodes[0]!.connections[0]!.received;
    assert.match(head, /X-Forwarded-For: 9\.9\.9\.9, 127\.0\.0\.1\r\n/);
    assert.match(head, /X-Forwarded-Proto: https\r\n/);
    assert.match(head, /X-Request-Id: abc\r\n/);
    assert.equal(lane.router.heads[0]!.isSecure, true);
  }));

test('the router may replace cookie and target, set a cookie, and append a route to application cookies', () =>
  withLane(
    startLane([answering(() => ok('ok', 'Set-Cookie: sid=abc; Path=/\r\nSet-Cookie: other=1\r\n'))]),
    async (lane) => {
      Object.assign(lane.router, {
        setCookie: 'rc_route=x.n1; Path=/',
        forwardCookie: 'sid=abc',
        forwardTarget: '/stripped',
        rewriteCookies: ['sid'],
        rewriteRoute: 'n1',
      });
      const client = await lane.connect();
      const answer = await client.write(`GET /a HTTP/1.1\r\n${HOST}Cookie: sid=abc.n1\r\n\r\n`).sees('\r\n\r\nok');
      assert.match(
        answer,
        /Set-Cookie: sid=abc\.n1; Path=\/\r\nSet-Cookie: other=1\r\nContent-Length: 2\r\nDate: .*\r\nSet-Cookie: rc_route=x\.n1; Path=\/\r\n/,
      );
      assert.match(
        lane.nodes[0]!.connections[0]!.received,
        /^GET \/stripped HTTP\/1\.1\r\n[\s\S]*\r\nCookie: sid=abc\r\n/,
      );
    },
  ));

test('RFC 9110 §6.6.1: an answer without a Date gets one, one with a Date keeps it', () =>
  withLane(startLane([answering((target) => ok('ok', target === '/dated' ? DATE : ''))]), async (lane) => {
    const client = await lane.connect();
    const undated = await client.write(GET).sees('\r\n\r\nok');
    const date = Date.parse(/^Date: (.*)$/m.exec(undated)![1]!);
    assert.ok(Math.abs(date - Date.now()) < 5_000, undated);
    const both = await client.write(`GET /dated HTTP/1.1\r\n${HOST}\r\n`).sees('1994');
    assert.equal(both.slice(undated.length).match(/^Date:/gm)?.length, 1);
  }));

test('redirects to the node itself lead to the public address', () =>
  withLane(
    startLane([answering((_, { socket }) => ok('', `Location: http://127.0.0.1:${socket.localPort}/x?y\r\n`))]),
    async (lane) => {
      const client = await lane.connect();
      assert.match(await client.write(GET).sees('\r\n\r\n'), /Location: http:\/\/shop\.example\/x\?y\r\n/);
    },
  ));

test('a chunked answer that arrives in one read is one write', () =>
  withLane(
    startLane([
      answering(
        () =>
          `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3;x=y\r\ndef\r\n0\r\nX-T: 1\r\n\r\n`,
      ),
    ]),
    async (lane) => {
      const client = await lane.connect();
      const answer = await client.write(GET).sees('0\r\n\r\n');
      assert.equal(answer, `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n`);
    },
  ));

test('an HTTP/1.0 client gets no chunks, and keeps its connection only when it asks and the length is known', () =>
  withLane(
    startLane([
      answering((target) =>
        target === '/c' ? 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n' : ok(),
      ),
    ]),
    async (lane) => {
      const plain = await lane.connect();
      assert.match(await plain.write('GET /a HTTP/1.0\r\n\r\n').ended(), /Connection: close\r\n\r\nok$/);
      const asking = await lane.connect();
      const text = 'GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
      assert.match(await asking.write(text).sees('\r\n\r\nok'), /Connection: keep-alive\r\n\r\nok$/);
      const chunked = 'GET /c HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
      assert.match(await asking.write(chunked).ended(), /\r\n\r\nok[\s\S]*\r\nConnection: close\r\n\r\nok$/);
    },
  ));

test('answers without a body end at the empty line, whatever length they announce', () =>
  withLane(
    startLane(
      [
        answering((target) => {
          if (target === '/head') return 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n';
          if (target === '/304') return 'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n';
          return 'HTTP/1.1 204 No Content\r\n\r\n';
        }),
      ],
      { keepAliveMs: 5_000 },
    ),
    async (lane) => {
      const client = await lane.connect();
      assert.match(
        await client.write(`HEAD /head HTTP/1.1\r\n${HOST}\r\n`).sees('\r\n\r\n'),
        /Content-Length: 99\r\nDate: .* GMT\r\n\r\n$/,
      );
      client.received = '';
      assert.match(await client.write(`GET /304 HTTP/1.1\r\n${HOST}\r\n`).sees('\r\n\r\n'), /304[\s\S]*\r\n\r\n$/);
      client.received = '';
      assert.match(
        await client.write(`GET /204 HTTP/1.1\r\n${HOST}\r\n`).sees('\r\n\r\n'),
        /^HTTP\/1\.1 204 No Content\r\nDate: .* GMT\r\n\r\n$/,
      );
      assert.equal(lane.nodes[0]!.connections.length, 1, 'the node connection was used for all three');
    },
  ));

test('interim responses reach clients that understand them, before the final one', () =>
  withLane(startLane([answering(() => `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok()}`)]), async (lane) => {
    const client = await lane.connect();
    assert.match(
      await client.write(GET).sees('\r\n\r\nok'),
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1\.1 200 OK/,
    );
    const old = await lane.connect();
    assert.match(await old.write('GET /a HTTP/1.0\r\n\r\n').ended(), /^HTTP\/1\.1 200 OK/);
  }));

test('a body waits for 100 Continue when the client asks for it', () =>
  withLane(
    startLane([
      async (connection) => {
        await connection.heads();
        assert.match(connection.received, /Expect: 100-continue\r\n/);
        connection.write('HTTP/1.1 100 Continue\r\n\r\n');
        await connection.until(() => connection.received.endsWith('hello'));
        connection.write(ok());
      },
    ]),
    async (lane) => {
      const client = await lane.connect();
      client.write(`POST /a HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
      await client.sees('100 Continue\r\n\r\n');
      assert.match(await client.write('hello').sees('\r\n\r\nok'), /100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
    },
  ));

test('pipelined requests are answered in order, one at a time', () =>
  withLane(startLane([answering((target) => ok(`<${target}>`))]), async (lane) => {
    const client = await lane.connect();
    const targets = Array.from({ length: 300 }, (_, i) => `/${i}`);
    client.write(targets.map((target) => `GET ${target} HTTP/1.1\r\n${HOST}\r\n`).join(''));
    const answers = await client.sees('</299>');
    assert.deepEqual(
      [...answers.matchAll(/<(\/\d+)>/g)].map(([, target]) => target),
      targets,
    );
  }));

test('pipelined requests that arrive in pieces during earlier answers are complete', () =>
  withLane(startLane([answering((target) => ok(`<${target}>`))]), async (lane) => {
    const client = await lane.connect();
    const targets = Array.from({ length: 60 }, (_, i) => `/${i}`);
    const octets = targets.map((target) => `GET ${target} HTTP/1.1\r\n${HOST}\r\n`).join('');
    for (let at = 0; at < octets.length; at += 7)
      await new Promise<void>((resolve) => client.socket.write(octets.slice(at, at + 7), () => resolve()));
    const answers = await client.sees('</59>');
    assert.deepEqual(
      [...answers.matchAll(/<(\/\d+)>/g)].map(([, target]) => target),
      targets,
    );
    assert.ok(!answers.includes('400'));
  }));

test('a client that has ended its side still gets the answers it asked for', () =>
  withLane(startLane([answering((target) => ok(`<${target}>`))]), async (lane) => {
    const client = await lane.connect();
    client.write(`${GET}GET /b HTTP/1.1\r\n${HOST}\r\n`).socket.end();
    assert.match(await client.ended(), /<\/a>[\s\S]*<\/b>$/);
  }));

test('the health path is answered by the proxy itself', () =>
  withLane(startLane([], { healthPath: '/healthz' }), async (lane) => {
    const client = await lane.connect();
    assert.match(await client.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`).sees('ok\n'), /^HTTP\/1\.1 200 OK/);
    assert.equal(lane.router.heads.length, 0);
  }));

test('a request that loops through the proxy is refused', () =>
  withLane(
    startLane([answering((_, connection) => ok(/\r\nVia: (.*)\r\n/.exec(connection.received)![1]))]),
    async (lane) => {
      const client = await lane.connect();
      const via = /\r\n\r\n(.*)$/.exec(await client.write(GET).sees('rollcall-'))![1]!;
      assert.match(await client.write(`GET /a HTTP/1.1\r\n${HOST}Via: ${via}\r\n\r\n`).ended(), /HTTP\/1\.1 508 /);
    },
  ));

test('with Via off the field of a request is forwarded unchanged, and no request is refused for it', async () => {
  const table: readonly (readonly [version: string, lines: string, via: string])[] = [
    ['1.1', '', ''],
    ['1.0', '', ''],
    ['1.1', 'Via: 1.1 front\r\n', '1.1 front'],
    ['1.0', 'Via: 1.1 front\r\nVia: 1.1 rollcall-00000000\r\n', '1.1 front, 1.1 rollcall-00000000'],
  ];
  const node = answering((_, { received }) => ok(`[${/\r\nVia: (.*)\r\n/.exec(received)?.[1] ?? ''}]`));
  const ask = (trustedProxies: readonly string[], [version, lines, via]: (typeof table)[number]): Promise<void> =>
    withLane(startLane([node], { addsVia: false, trustedProxies }), async (lane) => {
      const client = await lane.connect();
      const answer = await client.write(`GET /a HTTP/${version}\r\n${HOST}${lines}\r\n`).sees(']');
      assert.match(answer, /^HTTP\/1\.1 200 /);
      assert.ok(answer.endsWith(`\r\n\r\n[${via}]`), answer);
    });
  for (const trusted of [[], ['127.0.0.0/8']]) for (const row of table) await ask(trusted, row);
});

test('every finished request is reported, with status, node and octets', () => {
  const entries: AccessEntry[] = [];
  return withLane(startLane([answering(() => ok())], { onAccess: (entry) => entries.push(entry) }), async (lane) => {
    const client = await lane.connect();
    await client.write(`GET /a?b HTTP/1.1\r\n${HOST}User-Agent: curl/8\r\n\r\n`).sees('\r\n\r\nok');
    const [entry] = entries;
    assert.ok(entry);
    assert.equal(entry.target, '/a?b');
    assert.equal(entry.status, 200);
    assert.equal(entry.node, 'n1');
    assert.equal(entry.userAgent, 'curl/8');
    assert.equal(entry.client, '127.0.0.1');
    assert.equal(entry.bytesOut, client.received.length);
    assert.equal(entry.attempts, 1);
  });
});

test('counters and scoreboard show past and present requests', () =>
  withLane(
    startLane([
      (connection) => {
        void connection.heads();
      },
    ]),
    async (lane) => {
      const client = await lane.connect();
      client.write(`GET /slow?secret=1 HTTP/1.1\r\n${HOST}\r\n`);
      await lane.reported('send n1');
      const [row] = lane.engine.scoreboard().connections;
      assert.equal(row?.state, 'sending');
      assert.equal(row?.path, '/slow');
      assert.equal(row?.node, 'n1');
      assert.equal(lane.engine.counters(1).inFlight, 1);
      client.close();
      await lane.reported('end n1 client');
      const counters = lane.engine.counters(1);
      assert.equal(counters.inFlight, 0);
      assert.equal(counters.clientAborts, 1);
      assert.equal(counters.requests, 1);
    },
  ));
