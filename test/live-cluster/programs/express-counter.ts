/** An Express application with express-session that counts visits: signed ids, the route inside, through the SDK. */
import type { AddressInfo } from 'node:net';
import { rollcall } from '@rollcall/agent';
import express from 'express';
import session from 'express-session';
import { announce, NodeLedger } from './node-ledger.ts';
import { answerVisit } from './visit-answer.ts';

declare module 'express-session' {
  interface SessionData {
    visits: number;
  }
}

const id = process.env['NODE_ID'] ?? 'express-1';
const ledger = new NodeLedger(id);
const node = rollcall({
  id,
  balancer: 'express',
  hosts: ['express.test'],
  sticky: { mode: 'suffix', cookies: ['connect.sid'] },
});

const app = express();
app.use(
  session({
    secret: 'one secret for all nodes of this test',
    genid: () => node.sessionId(),
    resave: false,
    saveUninitialized: true,
  }),
);
app.all('/visit', async (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  await answerVisit(request, response, ledger, { node: id, count: request.session.visits });
});
const server = app.listen(0, '127.0.0.1', () => announce(ledger.instance, (server.address() as AddressInfo).port));
node.attach(server);
