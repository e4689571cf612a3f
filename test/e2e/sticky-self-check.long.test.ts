/** Common mistakes in session settings, with real programs: each is reported in log, status and page, with its remedy. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { freePort } from '@rollcall/core/testing';
import type { EventResource, StatusResource } from '@rollcall/protocol';
import express from 'express';
import session from 'express-session';
import { launchChromium, noChromium } from '../browser/chromium.ts';
import { startUp, type Up, until } from './up.ts';

const TOMCAT = { home: '/usr/share/tomcat10', examples: '/usr/share/tomcat10-examples/examples' };
const noTomcat =
  existsSync(join(TOMCAT.home, 'bin', 'catalina.sh')) && existsSync(TOMCAT.examples)
    ? false
    : 'apt-get install tomcat10-common tomcat10-examples';
const noPython = existsSync('/usr/bin/python3') ? false : 'apt-get install python3';
/** As Flask does it: the session itself is the cookie, with the time and a signature. */
const SIGNED_COOKIE = `
import hmac, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Program(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        payload = 'eyJ1c2VyIjoiYW5uIn0.' + str(time.monotonic_ns())
        signature = hmac.new(b'secret', payload.encode(), 'sha256').hexdigest()
        self.send_response(200)
        self.send_header('Set-Cookie', 'session=' + payload + '.' + signature + '; HttpOnly; Path=/')
        self.send_header('Content-Length', '0')
        self.end_headers()
    do_OPTIONS = do_GET
    def log_message(self, *_): pass
server = ThreadingHTTPServer(('127.0.0.1', 0), Program)
print(server.server_port, flush=True)
server.serve_forever()
`;
const noPhp = existsSync('/usr/bin/php') ? false : 'apt-get install php-cli';

describe('the sticky self-check', () => {
  let up: Up;

  before(async () => {
    up = await startUp();
  });

  after(() => up.close());

  test('express-session without genid: reported once, over when it is fixed, reported again when it returns', async (t) => {
    const route = 'express-1';
    let writesRoute = false;
    const app = express();
    const sessions = session({
      secret: 'test',
      resave: false,
      saveUninitialized: true,
      genid: () => `${crypto.randomUUID()}${writesRoute ? `.${route}` : ''}`,
    });
    app.use(sessions, (_, response) => void response.send('hello'));
    await member('express', route, await serve(t, app), { mode: 'suffix', cookies: ['connect.sid'] });
    await visits('express', 12);
    const sentence = await advised('express', 'carry no route');
    assert.match(sentence, /\(in connect\.sid\).*genid: \(\) => node\.sessionId\(\)/);
    await visits('express', 30);
    const isCounted = async () => (await advice('express')).some((text) => text.startsWith('42 of the last 42 '));
    await until(isCounted, 'the numbers to continue');

    // 100 new ids are looked at: when most of these are right, it is over.
    writesRoute = true;
    await visits('express', 100);
    await until(async () => (await advice('express')).length === 0, 'the advice to go');
    writesRoute = false;
    await visits('express', 100);
    assert.match(await advised('express', 'carry no route'), /connect\.sid/);
    const { events } = await up.api<{ events: readonly EventResource[] }>('GET', '/v1/events');
    const told = events.filter(({ balancer, type }) => balancer === 'express' && type.startsWith('sticky-'));
    assert.deepEqual(
      told.map(({ type }) => type),
      ['sticky-problem', 'sticky-fine', 'sticky-problem'],
    );
    assert.equal(up.log.filter((line) => line.includes('balancer express (in connect.sid)')).length, 2);
  });

  test('the advice is in `rollcall status`, and on the page', async (t) => {
    const status = await up.command('status');
    assert.match(status, /^! .*balancer express \(in connect\.sid\) carry no route/m);
    if (noChromium) {
      t.diagnostic(`the page is not looked at: ${noChromium}`);
      return;
    }
    const browser = await launchChromium();
    t.after(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${up.controlUrl}/balancer-manager`);
    await page.locator('main').getByText('balancer express (in connect.sid) carry no route').first().waitFor();
  });

  test('a program whose session cookie has another name is reported with the setting of the name', async (t) => {
    const app = express();
    const genid = (): string => `${crypto.randomUUID()}.named-1`;
    app.use(session({ secret: 'test', name: 'app.sid', resave: false, saveUninitialized: true, genid }));
    app.use((_, response) => void response.send('hello'));
    await member('named', 'named-1', await serve(t, app), { mode: 'suffix', cookies: ['connect.sid'] });
    await visits('named', 12);
    assert.match(
      await advised('named', 'app.sid'),
      /looks for sessions in connect\.sid, but its programs set app\.sid/,
    );
  });

  test('in rewrite mode as well, where the value is opaque', async (t) => {
    const app = express();
    app.use(session({ secret: 'test', name: 'app.sid', resave: false, saveUninitialized: true }));
    app.use((_, response) => void response.send('hello'));
    await member('rewritten', 'rewritten-1', await serve(t, app), { mode: 'rewrite', cookies: ['connect.sid'] });
    await visits('rewritten', 12);
    assert.match(await advised('rewritten', 'app.sid'), /--session-cookie app\.sid/);
    await up.api('PATCH', '/v1/balancers/rewritten', { sticky: { cookies: ['app.sid'] } });
    await until(async () => (await advice('rewritten')).length === 0, 'the advice to go with the settings');
  });

  test('clients that refuse cookies are reported, clients that keep them are not', async (t) => {
    const program = createServer((_, response) => response.end('hello'));
    await member('visitors', 'visitors-1', await serve(t, program), { mode: 'insert' });
    for (let i = 0; i < 12; i++) await visitor('visitors', true);
    assert.deepEqual(await advice('visitors'), []);
    for (let i = 0; i < 30; i++) await visitor('visitors', false);
    assert.match(await advised('visitors', 'did not send the cookie rc_route_'), /suffix/);
  });

  test('a program that writes another route than it registered, and one that writes its neighbour’s', async (t) => {
    const writing = (route: string) =>
      createServer((_, response) => {
        response.setHeader('Set-Cookie', `JSESSIONID=${crypto.randomUUID()}.${route}; Path=/; HttpOnly`);
        response.end('hello');
      });
    const sticky = { mode: 'suffix', cookies: ['JSESSIONID'] };
    await member('routes', 'routes-1', await serve(t, writing('routes-1')), sticky);
    await member('routes', 'routes-2', await serve(t, writing('worker2')), sticky);
    await member('routes', 'routes-3', await serve(t, writing('routes-1')), sticky);
    await visits('routes', 60);
    assert.match(
      await advised('routes', 'routes-2'),
      /node routes-2 registered route routes-2 but writes \.worker2.*-DjvmRoute=\{route\}/,
    );
    assert.match(
      await advised('routes', 'routes-3'),
      /node routes-3 registered route routes-3 but writes \.routes-1, which is the route of node routes-1/,
    );
  });

  test('a program that carries its sessions in links, without routes', async (t) => {
    const links = createServer((request, response) => {
      if (request.url!.includes('_s=')) response.end('hello');
      else response.writeHead(302, { location: `/?_s=${crypto.randomUUID()}&_k=1` }).end();
    });
    await member('links', 'links-1', await serve(t, links), { mode: 'suffix' });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 12; i++)
      for (let again = 0; again < 2; again++) await ask('links', `/?_s=session-in-a-link-${i}&_k=${again}`, agent, '');
    agent.destroy();
    const sentence = await advised('links', 'carry no route');
    assert.match(sentence, /^12 of the last 12 .*\(in _s\).*makeAllClusteredWith: '\{route\}'/);
  });

  test('two nodes that register one route: the second is refused with the remedy', async (t) => {
    const url = await serve(t, createServer());
    await up.member('twin-1', 'twins', url, { route: 'twin' });
    await assert.rejects(
      up.api('PUT', '/v1/nodes/twin-2', { balancer: 'twins', url, route: 'twin', hosts: ['twins.test'] }),
      /belongs to node twin-1 at .*Give each node a --route of its own/,
    );
  });

  test('Tomcat without jvmRoute', { skip: noTomcat }, async (t) => {
    const url = await tomcat(t);
    await member('tomcat', 'tomcat-1', url, { mode: 'suffix' }, '/examples');
    await visits('tomcat', 12, '/examples/jsp/num/numguess.jsp');
    assert.match(
      await advised('tomcat', 'carry no route'),
      /\(in JSESSIONID\).*<Engine jvmRoute="\$\{jvmRoute\}" …> in the server\.xml .*-DjvmRoute=\{route\}/,
    );
  });

  test('PHP’s own sessions in suffix mode', { skip: noPhp }, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'rollcall-php-'));
    writeFileSync(join(dir, 'index.php'), '<?php session_start(); echo "hello";');
    const port = await freePort();
    const php = spawn('/usr/bin/php', ['-d', `session.save_path=${dir}`, '-S', `127.0.0.1:${port}`, '-t', dir], {
      stdio: 'ignore',
    });
    t.after(async () => {
      php.kill('SIGKILL');
      await once(php, 'exit');
      rmSync(dir, { recursive: true, force: true });
    });
    await member('php', 'php-1', `http://127.0.0.1:${port}`, { mode: 'suffix' });
    await visits('php', 12);
    assert.match(await advised('php', 'carry no route'), /\(in PHPSESSID\).*insert or rewrite/);
  });

  test('a program that signs its session cookie anew with each answer', { skip: noPython }, async (t) => {
    const python = spawn('python3', ['-c', SIGNED_COOKIE], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => python.kill('SIGKILL'));
    const [port] = (await once(python.stdout, 'data')) as [Buffer];
    await member('signed', 'signed-1', `http://127.0.0.1:${String(port).trim()}`, {
      mode: 'rewrite',
      cookies: ['session'],
    });
    for (let user = 0; user < 3; user++) await visitor('signed', true, 30);
    assert.match(await advised('signed', 'replaced the id of a session'), /set sticky mode insert \(--sticky insert\)/);
    // Ids that stay are no problem.
    assert.equal((await advice('express')).filter((text) => text.includes('replaced the id')).length, 0);
  });

  test('no value of a cookie is in log, status or events', async () => {
    const status =
      JSON.stringify(await up.api('GET', '/v1/status')) + JSON.stringify(await up.api('GET', '/v1/events'));
    for (const text of [status, ...up.log])
      assert.doesNotMatch(text, /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-|[0-9A-F]{32}/);
  });

  // ---- the operator's side

  /** Makes the program at `url` a node, whose route is its id. */
  async function member(balancer: string, id: string, url: string, sticky: object, context = '/'): Promise<void> {
    await up.member(id, balancer, url, { contexts: [context] });
    await up.api('PATCH', `/v1/balancers/${balancer}`, { sticky });
    await up.member(id, balancer, url, { contexts: [context] });
  }

  async function advice(balancer: string): Promise<readonly string[]> {
    const status = await up.api<StatusResource>('GET', '/v1/status');
    return status.advice.filter((sentence) => sentence.toLowerCase().includes(`balancer ${balancer} `));
  }

  /** Waits for the sentence, which must be in the log too. */
  async function advised(balancer: string, words: string): Promise<string> {
    let found: string | undefined;
    await until(async () => {
      found = (await advice(balancer)).find((sentence) => sentence.includes(words));
      return (
        found !== undefined && up.log.some((line) => line.includes(words) && line.includes(`alancer ${balancer} `))
      );
    }, `advice on ${balancer} with "${words}"`);
    return found!;
  }

  // ---- the clients' side

  /** Sends `count` requests of new visitors in sequence. */
  async function visits(balancer: string, count: number, path = '/'): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < count; i++) await ask(balancer, path, agent, '');
    agent.destroy();
  }

  /** One client on one connection. */
  async function visitor(balancer: string, keepsCookies: boolean, asks = 3): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let cookie = '';
    for (let i = 0; i < asks; i++) {
      const given = await ask(balancer, '/', agent, cookie);
      if (keepsCookies && given !== '') cookie = given;
    }
    agent.destroy();
  }

  function ask(balancer: string, path: string, agent: Agent, cookie: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { host: `${balancer}.test`, ...(cookie !== '' && { cookie }) };
      const sent = httpRequest(new URL(path, up.proxyUrl), { agent, headers }, (response) => {
        response.resume();
        response.on('end', () => {
          if (response.statusCode === 200) resolve(response.headers['set-cookie']?.[0]?.split(';')[0] ?? '');
          else reject(new Error(`${balancer} answered ${response.statusCode}`));
        });
      });
      sent.on('error', reject);
      sent.end();
    });
  }
});

// ---- programs

async function serve(t: TestContext, program: express.Express | ReturnType<typeof createServer>): Promise<string> {
  const server = program.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Tomcat with its example application as it is packaged; resolves when it answers. */
async function tomcat(t: TestContext): Promise<string> {
  const base = mkdtempSync(join(tmpdir(), 'rollcall-tomcat-'));
  for (const folder of ['conf', 'logs', 'temp', 'webapps', 'work']) mkdirSync(join(base, folder));
  const port = await freePort();
  writeFileSync(join(base, 'conf', 'web.xml'), WEB_XML);
  writeFileSync(join(base, 'conf', 'server.xml'), serverXml(port));
  const catalina = spawn(join(TOMCAT.home, 'bin', 'catalina.sh'), ['run'], {
    stdio: 'ignore',
    env: {
      ...process.env,
      CATALINA_BASE: base,
      CATALINA_HOME: TOMCAT.home,
      CATALINA_OPTS: '-Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
    },
  });
  t.after(async () => {
    catalina.kill('SIGKILL');
    await once(catalina, 'exit');
    rmSync(base, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/examples/jsp/num/numguess.jsp`)).ok, 'Tomcat to answer', 60_000);
  return url;
}

function serverXml(port: number): string {
  return `<?xml version="1.0"?>
<Server port="-1"><Service name="Catalina"><Connector port="${port}" address="127.0.0.1" protocol="HTTP/1.1"/>
<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps" deployOnStartup="false">
<Context path="/examples" docBase="${TOMCAT.examples}"/></Host></Engine></Service></Server>
`;
}

const WEB_XML = `<?xml version="1.0"?>
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
<servlet><servlet-name>jsp</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet>
<servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
</web-app>
`;
