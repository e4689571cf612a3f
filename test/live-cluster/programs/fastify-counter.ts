/** A Fastify application with @fastify/session that counts visits: signed ids, the route inside, through the SDK. */
import type { AddressInfo } from 'node:net';
import cookie from '@fastify/cookie';
import session from '@fastify/session';
import { rollcall } from '@rollcall/agent';
import fastify from 'fastify';
import { announce, NodeLedger } from './node-ledger.ts';
import { answerVisit } from './visit-answer.ts';

declare module 'fastify' {
  interface Session {
    visits?: number;
  }
}

const id = process.env['NODE_ID'] ?? 'fastify-1';
const ledger = new NodeLedger(id);
const node = rollcall({
  id,
  balancer: 'fastify',
  hosts: ['fastify.test'],
  sticky: { mode: 'suffix', cookies: ['sessionId'] },
});

const app = fastify();
await app.register(cookie);
await app.register(session, {
  secret: 'one secret for all nodes of this test',
  cookie: { secure: false },
  idGenerator: () => node.sessionId(),
});
// The body is read by `answerVisit`, as in the other programs.
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', (_request, _payload, done) => done(null));
app.all('/visit', async (request, reply) => {
  const count = (request.session.visits ?? 0) + 1;
  request.session.visits = count;
  await request.session.save();
  // @fastify/session sets its cookie when the reply is sent; a hijacked reply must set it itself.
  const { encryptedSessionId } = request.session;
  reply.hijack();
  reply.raw.setHeader('set-cookie', `sessionId=${encodeURIComponent(encryptedSessionId)}; Path=/; HttpOnly`);
  await answerVisit(request.raw, reply.raw, ledger, { node: id, count });
});
node.attach(app);
await app.listen({ port: 0, host: '127.0.0.1' });
announce(ledger.instance, (app.server.address() as AddressInfo).port);
