/** Continuous requests while workers are replaced. For tests. */
import http from 'node:http';
import type { TestContext } from 'node:test';

const CLIENTS = 32;

/** Answers after a moment, so that requests are under way at any time. */
export function slowly(_: http.IncomingMessage, response: http.ServerResponse): void {
  setTimeout(() => response.end('whole'), 5);
}

export interface Load {
  readonly requests: number;
  readonly failures: string[];
  /** The longest that one request took, milliseconds. */
  readonly slowestMs: number;
}

/** Clients that ask one request after another on kept-alive connections until `end` is called. */
export function startLoad(t: TestContext, port: number): { readonly end: () => Promise<Load> } {
  const load = { requests: 0, failures: [] as string[], slowestMs: 0 };
  let isOver = false;
  const agents: http.Agent[] = [];
  const ask = (agent: http.Agent, method: string): Promise<void> =>
    new Promise((resolve) => {
      const sentMs = performance.now();
      const request = http.request({ host: '127.0.0.1', port, method, agent, path: '/work' }, (response) => {
        let text = '';
        response.on('data', (octets: Buffer) => {
          text += octets.toString();
        });
        response.on('close', () => {
          load.requests++;
          load.slowestMs = Math.max(load.slowestMs, performance.now() - sentMs);
          if (response.statusCode !== 200 || text !== 'whole') load.failures.push(`${response.statusCode} ${text}`);
          resolve();
        });
      });
      request.on('error', (error) => {
        load.failures.push(`${method}: ${error.message}`);
        resolve();
      });
      request.end(method === 'POST' ? 'body' : undefined);
    });
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    while (!isOver) await ask(agent, i % 2 === 0 ? 'GET' : 'POST');
  });
  t.after(() => {
    isOver = true;
  });
  return {
    async end() {
      isOver = true;
      await Promise.all(clients);
      for (const agent of agents) agent.destroy();
      return load;
    },
  };
}
