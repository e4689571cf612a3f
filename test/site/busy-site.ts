/** A site with visitors, and with programs whose errors and delays the test sets. */
import { type ClientRequest, get } from 'node:http';
import type { NodeResource } from '@rollcall/protocol';
import { Site, type SiteOptions, type SiteOwner, until } from './site.ts';

/** A program whose answers fail by a ratio and take a time, both set by /set on its own port. */
const PROGRAM = `
let [ratio, delayMs] = [0, 0];
require('node:http').createServer((request, response) => {
  const url = new URL(request.url, 'http://x');
  if (url.pathname === '/set') {
    ratio = Number(url.searchParams.get('ratio') ?? 0);
    delayMs = Number(url.searchParams.get('delay') ?? 0);
    return response.end();
  }
  if (url.pathname !== '/') return response.end();
  setTimeout(() => response.writeHead(Math.random() < ratio ? 500 : 200).end('x'), delayMs);
}).listen(process.argv[1], '127.0.0.1');
`;
const VISITORS = 30;
/** Ratio of requests that open a new session. */
const FRESH_RATIO = 0.2;
/** Pause between two requests of visitors, milliseconds. */
const PAUSE_MS = 15;

/** Nodes of the balancer `shop`. */
export const SHOP: readonly string[] = ['shop-1', 'shop-2', 'shop-3'];

export interface BusySite {
  readonly site: Site;
  /** Wrappers of the nodes by id. */
  readonly wrappers: ReadonlyMap<string, ReturnType<Site['start']>>;
  /** Resources of all nodes. */
  resources(): Promise<readonly NodeResource[]>;
  /** Sets ratio of errors and delay of a node. */
  set(id: string, query: string): Promise<void>;
}

/** Resolves when the three nodes of `shop` are up. Its visitors send requests until the test ends. */
export async function startBusySite(owner: SiteOwner, options: SiteOptions = {}): Promise<BusySite> {
  const site = await Site.start(owner, options);
  const wrappers = new Map<string, ReturnType<Site['start']>>();
  for (const id of SHOP)
    wrappers.set(
      id,
      site.start(['run', '--balancer', 'shop', '--id', id, '--', process.execPath, '-e', PROGRAM, '{port}']),
    );
  const resources = async (): Promise<readonly NodeResource[]> =>
    (await site.admin<{ nodes: NodeResource[] }>('GET', '/v1/nodes')).body.nodes;
  await until(
    async () => (await resources()).filter(({ liveness }) => liveness === 'up').length === SHOP.length,
    'the nodes are not up',
  );
  const cookies: (string | undefined)[] = Array.from({ length: VISITORS });
  const visit = (): ClientRequest => {
    const visitor = Math.floor(Math.random() * VISITORS);
    const cookie = Math.random() < FRESH_RATIO ? undefined : cookies[visitor];
    const headers = cookie === undefined ? {} : { cookie };
    return get({ port: site.proxyPort, host: '127.0.0.1', headers }, (response) => {
      response.resume();
      cookies[visitor] = response.headers['set-cookie']?.[0]?.split(';')[0] ?? cookie;
    }).on('error', () => {
      // Not counted: these tests are about what operators see.
    });
  };
  const visitors = setInterval(visit, PAUSE_MS);
  owner.after(async () => clearInterval(visitors));
  return {
    site,
    wrappers,
    resources,
    set: async (id, query) => {
      const node = (await resources()).find((one) => one.id === id)!;
      await (await fetch(`${node.url}/set?${query}`)).text();
    },
  };
}
