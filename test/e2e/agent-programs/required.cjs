/** As named.ts, in CommonJS. */
const { createServer } = require('node:http');
const { rollcall } = require('@rollcall/agent');

const name = process.argv[2];
const server = createServer((_request, response) => response.end(name)).listen(0, '127.0.0.1');
rollcall({ balancer: name, contexts: [`/${name}`] }).attach(server);
