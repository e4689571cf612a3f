/** Nodes over AJP/1.3: two real Tomcats with a secret behind `rollcall up`. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@rollcall/core/testing';
import { type Authority, makeAuthority } from '@rollcall/proxy/testing';
import { sendMcmp } from '../site/mcmp-message.ts';
import { noServletTomcat, octetsOf, ServletTomcat } from '../site/servlet-tomcat.ts';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const OPTIONS = { skip: noServletTomcat, timeout: 180_000 };
const SECRET = 'a-secret-of-the-tests';
const BIG = 8 * 1024 * 1024;

const closers: (() => Promise<void>)[] = [];
let site: Site;
let mcmpPort = 0;
let authority: Authority;
const tomcats: ServletTomcat[] = [];

before(async () => {
  if (noServletTomcat !== false) return;
  const owner = { after: (close: () => unknown) => closers.push(async () => void (await close())) };
  authority = makeAuthority(owner);
  const { cert, key } = authority.issue('site', ['site.test']);
  mcmpPort = await freePort();
  site = await Site.start(owner, {
    prepare: (stateDir) => writeFileSync(`${stateDir}-ajp-secret`, `${SECRET}\n`, { mode: 0o600 }),
    flags: [
      ...['--ajp-secret-file', 'state-ajp-secret', '--mcmp', `${mcmpPort}`],
      ...['--tls', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key],
    ],
  });
  for (const node of ['t1', 't2']) {
    const tomcat = new ServletTomcat(join(site.directory, node), { node, ajp: { secret: SECRET } });
    tomcats.push(tomcat);
    await tomcat.start();
  }
  for (const [i, { port }] of tomcats.entries()) {
    const words = ['add', `ajp://127.0.0.1:${port}`, '--id', `t${i + 1}`, '--stickysession', 'JSESSIONID|jsessionid'];
    const added = await site.cli(...words);
    assert.equal(added.code, 0, added.stderr);
  }
  await site.isCurrent();
});

after(async () => {
  await Promise.all(tomcats.map((tomcat) => tomcat.stop('SIGKILL')));
  for (const close of closers) await close();
});

interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
after(() => agent.destroy());

function ask(
  path: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: http.OutgoingHttpHeaders; body?: Buffer } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { port: site.proxyPort, host: '127.0.0.1', path, method, headers, agent },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** The lines of the echo page, by name. */
function linesOf({ body }: Reply): Map<string, string> {
  return new Map(
    body
      .toString('latin1')
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

function sha(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('hex');
}

test('sessions stay, a drained node keeps them, and those of a killed node go to the other', OPTIONS, async () => {
  const visitors = Array.from({ length: 12 }, () => ({ visitor: new Visitor(site.proxyPort), home: '', count: 0 }));
  const round = async (): Promise<void> => {
    for (const person of visitors) {
      const { status, body } = await person.visitor.get('/session');
      assert.equal(status, 200, body);
      person.home ||= body.split(' ')[0]!;
      assert.equal(body, `${person.home} ${++person.count}`);
    }
  };
  await round();
  await round();
  assert.deepEqual([...new Set(visitors.map(({ home }) => home))].sort(), ['t1', 't2']);
  await site.admin('POST', '/v1/nodes/t1/drain', {});
  await site.isCurrent();
  await round();
  for (let i = 0; i < 5; i++) assert.match((await ask('/session')).body.toString(), /^t2 /);
  await site.admin('POST', '/v1/nodes/t1/enable', {});
  await site.isCurrent();
  await tomcats[0]!.stop('SIGKILL');
  for (const person of visitors)
    if (person.home === 't1') {
      person.home = 't2';
      person.count = 0;
    }
  await round();
  await round();
  await tomcats[0]!.start();
  await until(async () => (await site.node('t1'))?.liveness === 'up', 't1 is not up');
  await until(async () => (await ask('/session')).body.toString().startsWith('t1 '), 'no new session at t1');
  await round();
});

test('each method arrives with target, fields and client', OPTIONS, async () => {
  for (const method of [
    'GET',
    'POST',
    'PUT',
    'DELETE',
    'OPTIONS',
    'PATCH',
    'PROPFIND',
    'REPORT',
    'SEARCH',
    'PURGE',
    'QUERY',
  ]) {
    const body = Buffer.from(method === 'GET' ? '' : 'the body');
    const reply = await ask('/echo?a=1&b=%20;c', {
      method,
      headers: {
        'x-mine': 'v1',
        'content-type': 'text/x-mine',
        ...(body.length > 0 && { 'content-length': body.length }),
      },
      body,
    });
    assert.equal(reply.status, 200, method);
    const lines = linesOf(reply);
    assert.deepEqual(
      [
        'method',
        'length',
        'sha',
        'uri',
        'query',
        'remote',
        'scheme',
        'server',
        'user',
        'protocol',
        'header x-mine',
        'header content-type',
      ].map((name) => lines.get(name)),
      [
        method,
        String(body.length),
        sha(body),
        '/echo',
        'a=1&b=%20;c',
        '127.0.0.1',
        'http',
        `127.0.0.1:${site.proxyPort}`,
        'null',
        'HTTP/1.1',
        'v1',
        'text/x-mine',
      ],
    );
    assert.equal(reply.headers['x-two'], '1, 2');
  }
});

test('HEAD, 204 and 304 have no body', OPTIONS, async () => {
  const head = await ask('/big?bytes=100&announced=1', { method: 'HEAD' });
  assert.deepEqual([head.status, head.body.length, head.headers['content-length']], [200, 0, '100']);
  for (const code of [204, 304]) {
    const reply = await ask(`/status?code=${code}`);
    assert.deepEqual([reply.status, reply.body.length], [code, 0]);
  }
  assert.equal((await ask('/status?code=418')).status, 418);
});

test('8 MiB arrive both ways, with a length and in chunks', OPTIONS, async () => {
  const octets = octetsOf(BIG);
  for (const headers of [{ 'content-length': BIG }, { 'transfer-encoding': 'chunked' }]) {
    const lines = linesOf(await ask('/echo', { method: 'PUT', headers, body: octets }));
    assert.deepEqual([lines.get('length'), lines.get('sha')], [String(BIG), sha(octets)]);
  }
  for (const announced of ['', '&announced=1']) {
    const reply = await ask(`/big?bytes=${BIG}${announced}`);
    assert.deepEqual([reply.body.length, sha(reply.body)], [BIG, sha(octets)]);
  }
});

test('a body that the program does not read does not harm the next request', OPTIONS, async () => {
  for (let i = 0; i < 5; i++) {
    assert.equal((await ask('/early', { method: 'POST', body: Buffer.from('x'.repeat(100)) })).status, 409);
    assert.equal(linesOf(await ask('/echo', { method: 'POST', body: Buffer.from('y') })).get('length'), '1');
  }
});

test('a client that waits for 100 gets it', OPTIONS, async () => {
  for (const framing of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
    const socket = net.connect(site.proxyPort, '127.0.0.1');
    let text = '';
    socket.on('data', (octets) => {
      text += octets.toString('latin1');
    });
    socket.write(`POST /echo HTTP/1.1\r\nHost: a\r\n${framing}\r\nExpect: 100-continue\r\n\r\n`);
    await until(() => text.includes('HTTP/1.1 100 Continue\r\n\r\n'), 'no 100');
    assert.ok(!text.includes('200'));
    socket.write(framing.startsWith('C') ? 'hello' : '5\r\nhello\r\n0\r\n\r\n');
    await until(() => text.includes(`sha=${sha(Buffer.from('hello'))}`), 'no answer');
    socket.destroy();
  }
});

test('connections are used again', OPTIONS, async () => {
  const connections = (): number => tomcats.reduce((sum, { port }) => sum + connectionsTo(port), 0);
  for (let i = 0; i < 200; i++) assert.equal((await ask(`/echo?${i}`)).status, 200);
  assert.ok(connections() <= 12, `${connections()} connections`);
});

test('no field of a client becomes an attribute', OPTIONS, async () => {
  const names = [
    'AJP_REMOTE_PORT',
    'AJP_LOCAL_ADDR',
    'AJP_SSL_PROTOCOL',
    'remote_user',
    'auth_type',
    'secret',
    'query_string',
    'jvm_route',
    'javax.servlet.include.path_info',
  ];
  const headers = Object.fromEntries(names.map((name) => [name, '99']));
  const lines = linesOf(await ask('/echo', { headers }));
  for (const name of names) {
    assert.equal(lines.get(`header ${name.toLowerCase()}`), '99', name);
    assert.equal(lines.has(`attribute ${name}`), false, name);
  }
  assert.deepEqual([lines.get('user'), lines.get('query'), lines.get('remote')], ['null', 'null', '127.0.0.1']);
  assert.notEqual(lines.get('port'), '99');
});

test('a client on the TLS port is secure for the program, which sees the cipher', OPTIONS, async () => {
  const body = await new Promise<Buffer>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: site.tlsPort, path: '/echo', servername: 'site.test', ca: authority.ca };
    const headers = { host: 'site.test' };
    const ciphers = 'TLS_AES_256_GCM_SHA384';
    https
      .get({ ...options, headers, ciphers, agent: false }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part)).on('end', () => resolve(Buffer.concat(parts)));
      })
      .on('error', reject);
  });
  const lines = linesOf({ status: 200, headers: {}, body });
  assert.deepEqual(
    ['scheme', 'server', 'cipher', 'bits'].map((name) => lines.get(name)),
    ['https', 'site.test:443', 'TLS_AES_256_GCM_SHA384', '256'],
  );
});

test('a client that leaves ends its upload and its download at the node', OPTIONS, async () => {
  const aborted = async (): Promise<number> => {
    let sum = 0;
    // Both nodes have counts of their own.
    const seen = new Set<string>();
    for (let i = 0; i < 40 && seen.size < 2; i++) {
      const reply = await ask('/session', {});
      const [node = ''] = reply.body.toString().split(' ');
      if (seen.has(node)) continue;
      seen.add(node);
      const cookie = reply.headers['set-cookie']![0]!.split(';')[0]!;
      sum += Number((await ask('/counts', { headers: { cookie } })).body.toString().split(' ')[0]);
    }
    return sum;
  };
  const before = await aborted();
  const upload = net.connect(site.proxyPort, '127.0.0.1');
  upload.write(`POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(20_000)}`);
  await until(() => tomcats.some(({ port }) => connectionsTo(port) > 0), 'no upload');
  await sleep(300);
  upload.destroy();
  const download = net.connect(site.proxyPort, '127.0.0.1');
  download.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
  await new Promise<void>((resolve) => download.once('data', () => resolve()));
  download.destroy();
  await until(async () => (await aborted()) >= before + 2, 'the node does not see the aborts');
});

test('a head beyond the packet size is 431, and a WebSocket is 501', OPTIONS, async () => {
  assert.equal((await ask('/echo', { headers: { 'x-long': 'x'.repeat(9_000) } })).status, 431);
  const socket = net.connect(site.proxyPort, '127.0.0.1');
  let text = '';
  socket.on('data', (octets) => {
    text += octets.toString('latin1');
  });
  socket.write(
    'GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await until(() => text.startsWith('HTTP/1.1 501 '), 'no 501');
  socket.destroy();
});

test(
  'under load: nodes are drained, ended and killed, and no request and no session of another node is lost',
  OPTIONS,
  async () => {
    /** Nodes whose sessions may be lost, from the instant of their end on. */
    const ended = new Set<string>();
    let isOver = false;
    let requests = 0;
    const wrong: string[] = [];
    const visit = async (): Promise<void> => {
      const visitor = new Visitor(site.proxyPort, { keepsAlive: true });
      let home = '';
      let count = 0;
      while (!isOver) {
        const { status, body } = await visitor
          .get('/session')
          .catch((error: Error) => ({ status: 0, body: error.message }));
        requests++;
        const [node = '', seen] = body.split(' ');
        const isMoved = ended.has(home) && node !== home && seen === '1';
        // The session of an ended Tomcat begins again there if that Tomcat is started again before the visitor returns.
        const isAgain = ended.has(home) && node === home && seen === '1';
        if (status !== 200 || (home !== '' && !isMoved && !isAgain && body !== `${home} ${count + 1}`))
          wrong.push(`${status} ${body} instead of ${home} ${count + 1}`);
        count = Number(seen);
        home = node;
        await sleep(20);
      }
      visitor.close();
    };
    const visits = Promise.all(Array.from({ length: 40 }, visit));
    const put = async (id: string, verb: 'drain' | 'enable'): Promise<void> => {
      await site.admin('POST', `/v1/nodes/${id}/${verb}`, {});
      await site.isCurrent();
    };
    const again = async (i: number): Promise<void> => {
      await tomcats[i]!.start();
      await until(async () => (await site.node(`t${i + 1}`))?.liveness === 'up', `t${i + 1} is not up`);
      await sleep(1_000);
      ended.clear();
    };
    await sleep(1_000);
    await put('t1', 'drain');
    await sleep(500);
    await put('t1', 'enable');
    for (const [i, signal] of [
      [0, 'SIGKILL'],
      [1, 'SIGTERM'],
    ] as const) {
      ended.add(`t${i + 1}`);
      await tomcats[i]!.stop(signal);
      await sleep(1_000);
      await again(i);
    }
    isOver = true;
    await visits;
    assert.deepEqual(wrong, []);
    assert.ok(requests > 1_000, `${requests} requests`);
  },
);

test('a Tomcat with another secret answers 403, and the log names the setting', OPTIONS, async () => {
  const tomcat = new ServletTomcat(join(site.directory, 't3'), { node: 't3', ajp: { secret: 'another-secret' } });
  tomcats.push(tomcat);
  await tomcat.start();
  await site.put('t3', { balancer: 'other', hosts: ['other.test'], url: `ajp://127.0.0.1:${tomcat.port}` });
  for (let i = 0; i < 3; i++) assert.equal((await ask('/echo', { headers: { host: 'other.test' } })).status, 403);
  assert.equal(site.log.split('--ajp-secret-file').length, 2, site.log);
  writeFileSync(`${site.stateDir}-ajp-secret`, 'another-secret\n', { mode: 0o600 });
  await until(
    async () => (await ask('/echo', { headers: { host: 'other.test' } })).status === 200,
    'the secret is not read',
  );
  writeFileSync(`${site.stateDir}-ajp-secret`, `${SECRET}\n`, { mode: 0o600 });
  await until(async () => (await ask('/echo')).status === 200, 'the secret is not read again');
});

test('join registers a Tomcat by its AJP address, which leaves when it ends', OPTIONS, async () => {
  const [tomcat] = tomcats;
  await site.cli('remove', 't1', '--yes');
  const words = ['join', `ajp://127.0.0.1:${tomcat!.port}`, '--id', 't1', '--stickysession', 'JSESSIONID|jsessionid'];
  site.start(words);
  await until(async () => (await site.node('t1'))?.liveness === 'up', 't1 has not joined');
  await site.isCurrent();
  await until(async () => (await ask('/session')).body.toString().startsWith('t1 '), 'no session at t1');
  await tomcat!.stop();
  await until(async () => (await site.node('t1'))?.liveness === 'gone', 't1 has not left');
  assert.equal((await ask('/echo')).status, 200);
});

test('a Tomcat registers over MCMP without a Type, the default of mod_cluster', OPTIONS, async () => {
  const tomcat = new ServletTomcat(join(site.directory, 'm1'), { node: 'm1', ajp: { secret: SECRET } });
  tomcats.push(tomcat);
  await tomcat.start();
  // Their context / is above that of this test, and another identity may not take a part of it.
  await site.cli('remove', 't2', '--yes');
  await site.cli('remove', 't3', '--yes');
  const send = async (method: string, fields: string): Promise<void> => {
    const answer = await sendMcmp(mcmpPort, { method, route: 'm1', fields });
    assert.match(answer, /^HTTP\/1\.1 200 /, answer);
  };
  await send('CONFIG', `&Host=127.0.0.1&Port=${tomcat.port}&StickySessionForce=No`);
  await send('ENABLE-APP', '&Alias=localhost&Context=%2Fsession');
  await send('STATUS', '&Load=80');
  await until(async () => (await site.node('m1'))?.liveness === 'up', 'm1 is not up');
  assert.equal((await site.node('m1'))?.url, `ajp://127.0.0.1:${tomcat.port}`);
  await until(async () => (await ask('/session')).body.toString().startsWith('m1 '), 'no session at m1');
  const visitor = new Visitor(site.proxyPort);
  for (let i = 1; i <= 5; i++) assert.equal((await visitor.get('/session')).body, `m1 ${i}`);
});

/** Established connections of this machine to a port. */
function connectionsTo(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = readFileSync('/proc/net/tcp', 'latin1').split('\n');
  return lines.filter((line) => new RegExp(`^\\s*\\d+: \\S+ \\S+:${hex} 01 `).test(line)).length;
}
