/** The browser's side of HTTP: one visitor with a cookie jar (RFC 6265), on plain requests. */
import http from 'node:http';

interface Cookie {
  readonly name: string;
  value: string;
  readonly path: string;
  readonly host: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Names and values as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs?: number;
}

export class Visitor {
  readonly #port: number;
  readonly #host: string;
  readonly #takesCookies: boolean;
  readonly #agent: http.Agent;
  #cookies: Cookie[] = [];

  constructor(
    port: number,
    options: {
      readonly host?: string;
      readonly takesCookies?: boolean;
      readonly keepsAlive?: boolean;
      readonly maxConnections?: number;
    } = {},
  ) {
    this.#port = port;
    this.#host = options.host ?? 'site.test';
    this.#takesCookies = options.takesCookies ?? true;
    this.#agent = new http.Agent({ keepAlive: options.keepsAlive ?? false, maxSockets: options.maxConnections ?? 1 });
  }

  /** Cookies it holds, as `name=value`. */
  get cookies(): readonly string[] {
    return this.#cookies.map(({ name, value }) => `${name}=${value}`);
  }

  /** Sets a cookie as if a server had, for the whole host. */
  take(name: string, value: string): void {
    this.#keep({ name, value, path: '/', host: this.#host });
  }

  get(path: string, ask: Ask = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const cookie = this.#cookieField(path);
      const request = http.request(
        {
          host: '127.0.0.1',
          port: this.#port,
          path,
          method: ask.method ?? 'GET',
          agent: this.#agent,
          timeout: ask.timeoutMs ?? 30_000,
          headers: { host: this.#host, ...(cookie === '' ? {} : { cookie }), ...ask.headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            for (const field of response.headers['set-cookie'] ?? []) this.#receive(field, path);
            resolve({
              status: response.statusCode!,
              headers: response.headers,
              rawHeaders: response.rawHeaders,
              body: Buffer.concat(chunks).toString('latin1'),
            });
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', reject);
      request.end(ask.body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** RFC 6265 §5.4: longer paths first, then in the order in which they came. */
  #cookieField(target: string): string {
    const path = pathOf(target);
    return this.#cookies
      .filter((cookie) => cookie.host === this.#host && matches(path, cookie.path))
      .sort((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  #receive(field: string, target: string): void {
    if (!this.#takesCookies) return;
    const [pair = '', ...attributes] = field.split(';').map((part) => part.trim());
    const equals = pair.indexOf('=');
    const given = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5);
    const path = given?.startsWith('/') ? given : defaultPath(target);
    const cookie = { name: pair.slice(0, equals), value: pair.slice(equals + 1), path, host: this.#host };
    const isOver = attributes.some(
      (attribute) => /^max-age=(?:0|-)/i.test(attribute) || /^expires=.*19[789]\d/i.test(attribute),
    );
    if (isOver) this.#cookies = this.#cookies.filter((old) => old.name !== cookie.name || old.path !== path);
    else this.#keep(cookie);
  }

  #keep(cookie: Cookie): void {
    const old = this.#cookies.find(
      ({ name, path, host }) => name === cookie.name && path === cookie.path && host === cookie.host,
    );
    if (old) old.value = cookie.value;
    else this.#cookies.push(cookie);
  }
}

function pathOf(target: string): string {
  return target.split('?', 1)[0]!;
}

/** RFC 6265 §5.1.4. */
function matches(path: string, cookiePath: string): boolean {
  return (
    path === cookiePath ||
    (path.startsWith(cookiePath) && (cookiePath.endsWith('/') || path[cookiePath.length] === '/'))
  );
}

/** RFC 6265 §5.1.4. */
function defaultPath(target: string): string {
  const path = pathOf(target);
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}
