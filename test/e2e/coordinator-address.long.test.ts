/** Agents and commands reach the coordinator behind a path prefix and at the second address of its name, or report the cause. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { Agent, agentUrl, newInstance, toRegistration } from '@rollcall/agent';
import { listening } from '@rollcall/agent/testing';
import { makeAuthority } from '@rollcall/proxy/testing';
import { ROLLCALL } from '../site/commands.ts';
import { Site } from '../site/site.ts';

/** A reverse proxy with TLS that serves `target` below `/rollcall` and nothing else. */
function prefixProxy(target: URL, tls: https.ServerOptions): https.Server {
  const inner = (path = '') => (path.startsWith('/rollcall/') ? path.slice('/rollcall'.length) : undefined);
  const server = https.createServer(tls, (request, response) => {
    const path = inner(request.url);
    if (path === undefined) {
      response.writeHead(404, { server: 'front/1' }).end();
      return;
    }
    const onward = http.request(target, { path, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('upgrade', (request: http.IncomingMessage, socket: Socket, head: Buffer) => {
    const path = inner(request.url);
    if (path === undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\nserver: front/1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      return;
    }
    const fields = request.rawHeaders.flatMap((name, i, all) => (i % 2 === 0 ? [`${name}: ${all[i + 1]}`] : []));
    const onward = net.connect(Number(target.port), target.hostname, () => {
      onward.write(`GET ${path} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`);
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
    socket.on('close', () => onward.destroy());
  });
  return server;
}

/** The first line that matches `words`; fails when the stream ends before. */
async function lineOf(input: NodeJS.ReadableStream, words: RegExp): Promise<string> {
  for await (const line of createInterface({ input })) if (words.test(line)) return line;
  throw new Error(`no line matches ${words}`);
}

test('a coordinator behind TLS and a path prefix: agents join by name, commands are answered', async (t) => {
  const site = await Site.start(t);
  const authority = makeAuthority(t);
  const { key, cert } = authority.issue('front', ['localhost']);
  const tls = { key: readFileSync(key), cert: readFileSync(cert) };
  const port = await listening(t, prefixProxy(new URL(site.controlUrl), tls));
  const program = await listening(
    t,
    http.createServer((_, response) => response.end('hello')),
  );
  const [trusted, front] = [{ NODE_EXTRA_CA_CERTS: authority.caFile }, `https://localhost:${port}`];
  const join = (id: string, environment: Readonly<Record<string, string>>) =>
    site.start(['join', `http://127.0.0.1:${program}`, '--balancer', 'shop', '--id', id], environment).stderr!;
  const joined = lineOf(join('n1', { ...trusted, ROLLCALL_URL: `${front}/rollcall` }), /n1 is registered/);
  const elsewhere = lineOf(join('n2', { ...trusted, ROLLCALL_URL: `${front}/other` }), /cannot connect/);
  const untrusted = lineOf(join('n3', { ROLLCALL_URL: `${front}/rollcall` }), /cannot connect/);
  await joined;
  const at = ['--coordinator', `${front}/rollcall/`, '--state-dir', site.stateDir];
  const nodes = await command(['nodes', '--json', ...at], trusted);
  assert.equal((JSON.parse(nodes.output) as { nodes: { id: string }[] }).nodes[0]?.id, 'n1');
  const other = new RegExp(`at wss://localhost:${port}/other: not a Rollcall port: HTTP 404 from front/1; retrying`);
  assert.match(await elsewhere, other);
  assert.match(await untrusted, /: certificate not trusted \([A-Z_]+\): set ROLLCALL_CA \(--ca\)/);
});

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a command to its end; `output` is both of its streams. */
function command(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const env = { ...process.env, ...environment };
  return new Promise((resolve) => {
    execFile(process.execPath, [ROLLCALL, ...words], { env, timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr }),
    );
  });
}

test('addresses with secrets are refused by name, and the secrets are printed nowhere', async () => {
  const withUser = 'http://admin:s3cret@127.0.0.1:8400';
  const [nodes, run, join, up, config] = await Promise.all([
    command(['nodes', '--coordinator', withUser]),
    command(['run', '--', 'true'], { ROLLCALL_URL: withUser }),
    command(['join', 'http://admin:s3cret@127.0.0.1:3000']),
    command(['up', '--store', 'redis:admin:s3cret@r']),
    command(['config', 'show', '--json', '--', '--store', 'redis://:s3cret@redis.test:6379/2']),
  ]);
  for (const { code, output } of [nodes, run, join, up]) {
    assert.equal(code, 2, output);
    assert.doesNotMatch(output, /s3cret/);
  }
  for (const { output } of [nodes, run])
    assert.match(output, /http:\/\/\*\*\*@127\.0\.0\.1:8400 with a user name or password \(set ROLLCALL_JOIN_TOKEN/);
  assert.equal(config.code, 0);
  assert.match(config.output, /"redis:\/\/\*\*\*@redis\.test:6379\/2"/);
  assert.doesNotMatch(config.output, /s3cret/);
});

test('commands name the cause when no coordinator answers', async (t) => {
  const authority = makeAuthority(t);
  const { key, cert } = authority.issue('ops', ['ops.example']);
  const tls = await listening(t, https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }));
  const url = `https://127.0.0.1:${tls}`;
  const [untrusted, misnamed, health, token] = await Promise.all([
    command(['nodes'], { ROLLCALL_URL: url }),
    command(['drain', 'n1'], { ROLLCALL_URL: url, NODE_EXTRA_CA_CERTS: authority.caFile }),
    command(['health'], { ROLLCALL_URL: url.replace('https', 'http') }),
    command(['nodes'], { ROLLCALL_URL: url, ROLLCALL_ADMIN_TOKEN: 's3cret\nline' }),
  ]);
  for (const { code } of [untrusted, misnamed, health]) assert.equal(code, 3);
  assert.match(
    untrusted.output,
    /connected to https:.*, but TLS failed: certificate not trusted \([A-Z_]+\): set ROLLCALL_CA \(--ca\)/,
  );
  assert.match(misnamed.output, /: certificate is not for 127\.0\.0\.1 but for DNS:ops\.example/);
  assert.match(health.output, /: the port closed the connection without an answer: .*use https:\/\//);
  assert.doesNotMatch(token.output, /s3cret/);
});

test('a name whose first address is dead: the second one is used, at the start and after a restart', async (t) => {
  const site = await Site.start(t);
  const { port } = new URL(site.controlUrl);
  const program = await listening(
    t,
    http.createServer((_, response) => response.end()),
  );
  const instance = newInstance();
  const agent = new Agent({
    coordinators: [agentUrl(`coordinator.test:${port}`)!],
    token: () => ({}),
    registration: () => {
      const node = toRegistration(
        {},
        { id: 'n1', route: 'n1', url: `http://127.0.0.1:${program}`, instance, incarnation: 1 },
      );
      assert.ok(!('code' in node));
      return node;
    },
    report: () => ({}),
    // Nothing listens at the first one.
    lookUp: async () => ['127.0.0.2', '127.0.0.1'],
  });
  t.after(() => agent.leave());
  const warnings: string[] = [];
  agent.on('warning', ({ code }) => warnings.push(code));
  const registered = () => new Promise<void>((resolve) => agent.on('registered', () => resolve()));
  const first = registered();
  agent.start();
  await first;
  assert.ok(!warnings.includes('no-coordinator'), warnings.join());
  const again = registered();
  await site.killControl();
  await again;
});
