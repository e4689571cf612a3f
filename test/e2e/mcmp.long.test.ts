/** Nodes that speak MCMP, as Tomcat and WildFly do, behind `rollcall up --mcmp`: sessions, standby, stop of a context, restart. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { freePort } from '@rollcall/core/testing';
import type { NodeResource } from '@rollcall/protocol';
import { startUp, type Up, until } from './up.ts';

/** A program that keeps sessions as a servlet container does: `JSESSIONID=<id>.<jvmRoute>`. */
class Program {
  readonly route: string;
  readonly #server: Server;
  readonly #mcmpPort: number;
  /** Ends the answers of `/app/slow`. */
  release: () => void = () => {};
  #begun: (() => void) | undefined;

  private constructor(route: string, mcmpPort: number) {
    this.route = route;
    this.#mcmpPort = mcmpPort;
    this.#server = createServer((request, response) => {
      response.setHeader('set-cookie', `JSESSIONID=ABCDEF0123456789.${route}; Path=/app`);
      if (request.url !== '/app/slow') return void response.end(route);
      this.release = () => response.end(route);
      this.#begun?.();
    });
  }

  static async start(route: string, mcmpPort: number): Promise<Program> {
    const program = new Program(route, mcmpPort);
    program.#server.listen(0, '127.0.0.1');
    await once(program.#server, 'listening');
    return program;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves when `/app/slow` is being served. */
  begun(): Promise<void> {
    return new Promise((resolve) => {
      this.#begun = resolve;
    });
  }

  /** Sends one message on a connection of its own; resolves to the answer. */
  async send(method: string, fields = '', target = '/'): Promise<string> {
    const body = `JVMRoute=${encodeURIComponent(this.route)}${fields}`;
    const socket = connect(this.#mcmpPort, '127.0.0.1');
    socket.setEncoding('latin1');
    let all = '';
    socket.on('data', (part: string) => {
      all += part;
    });
    socket.write(
      `${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await once(socket, 'close');
    return all;
  }

  async register(load: number): Promise<void> {
    const config = await this.send('CONFIG', `&Host=127.0.0.1&Port=${this.port}&StickySessionForce=No&Type=http`);
    assert.match(config, /^HTTP\/1\.1 200/, config);
    assert.match(await this.send('ENABLE-APP', '&Alias=localhost&Context=%2Fapp'), /^HTTP\/1\.1 200/);
    assert.match(await this.send('STATUS', `&Load=${load}`), /State=OK/);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

interface Visit {
  readonly status: number;
  readonly body: string;
}

function visit({ proxyUrl }: Up, path: string, cookie = ''): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const request = get(
      `${proxyUrl}${path}`,
      { headers: cookie === '' ? {} : { cookie }, agent: false },
      (response) => {
        let body = '';
        response.on('data', (part: Buffer) => {
          body += part.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode!, body }));
      },
    );
    request.on('error', reject);
  });
}

/** Waits until a request without a session is answered by one of these nodes. */
function served(up: Up, ...bodies: string[]): Promise<void> {
  return until(async () => bodies.includes((await visit(up, '/app/')).body), `an answer of ${bodies.join(' or ')}`);
}

test('nodes of mod_cluster: sessions by jvmRoute, standby, stop of a context, restart at another port', async () => {
  const mcmpPort = await freePort();
  const up = await startUp('--mcmp', `127.0.0.1:${mcmpPort}`);
  const [one, two] = [await Program.start('node.1:a', mcmpPort), await Program.start('tomcat2', mcmpPort)];
  try {
    await one.register(80);
    await two.register(0);
    const nodes = async (): Promise<NodeResource[]> =>
      (await up.api<{ nodes: NodeResource[] }>('GET', '/v1/nodes')).nodes;
    await until(async () => (await nodes()).every(({ liveness }) => liveness === 'up'), 'both nodes');
    const [first] = await nodes();
    assert.deepEqual([first?.id, first?.route, first?.balancer], ['node--2e1--3aa', 'node.1:a', 'mycluster']);
    await served(up, 'node.1:a');

    // Load 0 is standby: it gets no new session, and keeps its own.
    for (let i = 0; i < 10; i++) assert.equal((await visit(up, '/app/')).body, 'node.1:a');
    assert.equal((await visit(up, '/app/', 'JSESSIONID=XYZ.tomcat2')).body, 'tomcat2');
    assert.equal((await visit(up, '/app/;jsessionid=XYZ.tomcat2')).body, 'tomcat2');

    // The route is the whole text after the first dot.
    await two.send('STATUS', '&Load=100');
    for (let i = 0; i < 10; i++) assert.equal((await visit(up, '/app/', 'JSESSIONID=XYZ.node.1:a')).body, 'node.1:a');

    // A disabled context keeps its sessions; a stopped one waits for its requests.
    const begun = one.begun();
    const slow = visit(up, '/app/slow', 'JSESSIONID=XYZ.node.1:a');
    await begun;
    await one.send('DISABLE-APP', '&Alias=localhost&Context=%2Fapp');
    await served(up, 'tomcat2');
    assert.equal((await visit(up, '/app/', 'JSESSIONID=XYZ.node.1:a')).body, 'node.1:a');
    assert.match(await one.send('STOP-APP', '&Alias=localhost&Context=%2Fapp'), /&Requests=1\n$/);
    one.release();
    assert.deepEqual(await slow, { status: 200, body: 'node.1:a' });
    assert.match(await one.send('STOP-APP', '&Alias=localhost&Context=%2Fapp'), /&Requests=0\n$/);
    assert.equal((await visit(up, '/app/', 'JSESSIONID=XYZ.node.1:a')).body, 'tomcat2');

    // What an operator has drained stays drained when the node registers again.
    await one.register(80);
    await up.api('POST', '/v1/nodes/tomcat2/drain', { reason: 'deploy' });
    await two.register(90);
    const resource = await up.api<NodeResource>('GET', '/v1/nodes/tomcat2');
    assert.equal(resource.contexts[0]?.status, 'draining');
    await up.api('POST', '/v1/nodes/tomcat2/enable', {});
    await served(up, 'tomcat2');

    // The same route at another port: the dead node is replaced.
    await two.close();
    const again = await Program.start('tomcat2', mcmpPort);
    try {
      await until(async () => {
        const answer = await again.send('CONFIG', `&Host=127.0.0.1&Port=${again.port}&Type=http&StickySessionForce=No`);
        return answer.startsWith('HTTP/1.1 200');
      }, 'the dead node to be replaced');
      await again.register(100);
      await served(up, 'tomcat2');
    } finally {
      await again.close();
    }
  } finally {
    await one.close();
    await two.close().catch(() => {});
    await up.close();
  }
});
