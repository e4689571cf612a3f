/**
 * A small shop window for the demo: a login, a visit counter kept in this process, and a strip of the last requests.
 * Registers through the agent like any application. `HOST` and `PORT` set its address (default: loopback, any free port).
 * `HOSTNAME` is its name if it has no other, as in a container.
 */

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { rollcall } from '@rollcall/agent';

interface Visitor {
  name: string;
  visits: number;
  /** Nodes that answered the last requests, oldest first. */
  readonly strip: string[];
}

const COOKIE = 'demo_visitor';
const MAX_VISITORS = 10_000;
const STRIP_LENGTH = 20;
const visitors = new Map<string, Visitor>();
const name = process.env['ROLLCALL_NODE_ID'] ?? process.env['HOSTNAME'] ?? 'demo';

const server = createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/login') logIn(request, response);
  else request.resume().once('end', () => page(request, response));
});

const node = rollcall({ balancer: 'demo' });
node.attach(server);
server.listen(Number(process.env['PORT'] ?? 0), process.env['HOST'] ?? '127.0.0.1');
process.on('disconnect', () => process.exit(0));
// The demo ended while this process was loading. `connected` is undefined without a channel.
if (process.connected === false) process.exit(0);

function page(request: IncomingMessage, response: ServerResponse): void {
  const visitor = visitorOf(request, response);
  visitor.visits++;
  visitor.strip.push(name);
  if (visitor.strip.length > STRIP_LENGTH) visitor.strip.shift();
  if (request.headers.accept?.includes('text/html')) {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(html(visitor));
  } else {
    response.setHeader('Content-Type', 'text/plain; charset=utf-8');
    response.end(`${name} has seen ${visitor.name || 'you'} ${timesOf(visitor)}\n`);
  }
}

function timesOf({ visits }: Visitor): string {
  return visits === 1 ? '1 time' : `${visits} times`;
}

function visitorOf(request: IncomingMessage, response: ServerResponse): Visitor {
  const id = new RegExp(`(?:^|; )${COOKIE}=([0-9a-f]{32})`).exec(request.headers.cookie ?? '')?.[1];
  const known = id === undefined ? undefined : visitors.get(id);
  if (known) return known;
  const visitor: Visitor = { name: '', visits: 0, strip: [] };
  const made = randomBytes(16).toString('hex');
  if (visitors.size >= MAX_VISITORS) visitors.delete(visitors.keys().next().value ?? '');
  visitors.set(made, visitor);
  response.setHeader('Set-Cookie', `${COOKIE}=${made}; HttpOnly; SameSite=Lax; Path=/`);
  return visitor;
}

function logIn(request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    body += chunk;
    if (body.length > 4_096) request.destroy();
  });
  request.on('end', () => {
    visitorOf(request, response).name = (new URLSearchParams(body).get('name') ?? '').slice(0, 40);
    response.writeHead(303, { Location: '/' }).end();
  });
}

function html(visitor: Visitor): string {
  const strip = visitor.strip.map((id) => `<i style="background:${colour(id)}" title="${id}"></i>`).join('');
  const greeting = visitor.name ? `Hello, ${escaped(visitor.name)}.` : '';
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Rollcall demo</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:4rem auto;padding:0 1rem}i{display:inline-block;width:1.4rem;height:1.4rem;margin-right:2px;border-radius:3px}b{color:${colour(name)}}</style>
<h1>Rollcall demo</h1><p>${greeting} This is node <b>${name}</b>, and it has seen you <strong>${visitor.visits}</strong> ${visitor.visits === 1 ? 'time' : 'times'}. The count lives in this node's memory: it grows because every request of yours comes back here.</p>
<p>${strip}</p><form method="post" action="/login"><label>Your name <input name="name" maxlength="40"></label> <button>Log in</button></form>
<p>Reload, drain the node, kill it, add another: open the balancer-manager beside this page.</p></html>`;
}

function colour(id: string): string {
  let hash = 7;
  for (const character of id) hash = (hash * 31 + character.charCodeAt(0)) % 360;
  return `hsl(${hash} 65% 45%)`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
