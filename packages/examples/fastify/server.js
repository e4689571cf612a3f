/** Fastify with @fastify/session. The sessions are in the memory of this process; their ids carry the route of the node. */
import cookie from '@fastify/cookie';
import session from '@fastify/session';
import { rollcall } from '@rollcall/agent';
import fastify from 'fastify';

const node = rollcall({ balancer: 'fastify', sticky: { mode: 'suffix', cookies: ['sessionId'] } });

// The proxy is on this machine: its X-Forwarded-* fields are trusted.
const app = fastify({ trustProxy: '127.0.0.1' });
await app.register(cookie);
await app.register(session, {
  // The same for all nodes; 32 characters or more.
  secret: process.env.SESSION_SECRET ?? 'only for this example, 32 octets',
  cookie: { secure: 'auto' },
  idGenerator: () => node.sessionId(),
});
app.get('/', (request) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  return `${node.id} has seen you ${request.session.visits} times\n`;
});

node.attach(app);
await app.listen({ port: Number(process.env.PORT ?? 0), host: '127.0.0.1' });
