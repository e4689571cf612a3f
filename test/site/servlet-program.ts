/** A program that speaks MCMP and keeps sessions, as Tomcat and WildFly do. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sendMcmp } from './mcmp-message.ts';

/** A program that keeps sessions as a servlet container does: `JSESSIONID=<id>.<jvmRoute>`. */
export class ServletProgram {
  readonly route: string;
  readonly #server: Server;
  readonly #mcmpPorts: readonly number[];
  /** Ends the answers of `/app/slow`. */
  release: () => void = () => {};
  #begun: (() => void) | undefined;

  private constructor(route: string, ...mcmpPorts: number[]) {
    this.route = route;
    this.#mcmpPorts = mcmpPorts;
    this.#server = createServer((request, response) => {
      response.setHeader('set-cookie', `JSESSIONID=ABCDEF0123456789.${route}; Path=/app`);
      if (request.url !== '/app/slow') return void response.end(route);
      this.release = () => response.end(route);
      this.#begun?.();
    });
  }

  static async start(route: string, ...mcmpPorts: number[]): Promise<ServletProgram> {
    const program = new ServletProgram(route, ...mcmpPorts);
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

  /** Sends a message to the first coordinator. */
  send(method: string, fields = ''): Promise<string> {
    return sendMcmp(this.#mcmpPorts[0]!, { method, route: this.route, fields });
  }

  /** Registers at all coordinators at once, as the Java listener does at one tick. */
  async register(load: number, aliases = 'localhost'): Promise<void> {
    await this.#sendAll('CONFIG', `&Host=127.0.0.1&Port=${this.port}&StickySessionForce=No&Type=http`);
    await this.#sendAll('ENABLE-APP', `&Alias=${encodeURIComponent(aliases)}&Context=%2Fapp`);
    await this.#sendAll('STATUS', `&Load=${load}`);
  }

  async #sendAll(method: string, fields: string): Promise<void> {
    const send = (port: number): Promise<string> => sendMcmp(port, { method, route: this.route, fields });
    for (const answer of await Promise.all(this.#mcmpPorts.map(send))) assert.match(answer, /^HTTP\/1\.1 200/, answer);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export interface Visit {
  readonly status: number;
  readonly body: string;
}

export function visit(proxyUrl: string, path: string, cookie = '', host = ''): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const request = get(
      `${proxyUrl}${path}`,
      { headers: { ...(cookie && { cookie }), ...(host && { host }) }, agent: false },
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
