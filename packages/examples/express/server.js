/** Express with express-session. The sessions are in the memory of this process; their ids carry the route of the node. */
import { rollcall } from '@rollcall/agent';
import express from 'express';
import session from 'express-session';

const node = rollcall({ balancer: 'express', sticky: { mode: 'suffix', cookies: ['connect.sid'] } });

const app = express();
// The proxy is on this machine: its X-Forwarded-* fields are trusted.
app.set('trust proxy', 'loopback');
app.use(
  session({
    // The same for all nodes.
    secret: process.env.SESSION_SECRET ?? 'only for this example',
    genid: () => node.sessionId(),
    resave: false,
    saveUninitialized: true,
  }),
);
app.get('/', (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.type('text').send(`${node.id} has seen you ${request.session.visits} times\n`);
});

node.attach(app.listen(Number(process.env.PORT ?? 0), '127.0.0.1'));
