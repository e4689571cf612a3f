import { createServer } from 'node:http';
import { rollcall } from '@rollcall/agent';

/** The server, before it listens. */
export const server = createServer((_request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ price: 12 }));
});

rollcall({ balancer: 'shop' }).attach(server);

if (process.argv[1] === import.meta.filename) server.listen(Number(process.env.PORT ?? 3000));
