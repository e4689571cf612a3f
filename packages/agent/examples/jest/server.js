const express = require('express');
const { rollcall } = require('@rollcall/agent');

const app = express();
app.get('/price', (_request, response) => response.json({ price: 12 }));

const node = rollcall({ balancer: 'shop' });

/** Serves on `port` and returns the server. */
function start(port) {
  const server = app.listen(port);
  node.attach(server);
  return server;
}

if (require.main === module) start(Number(process.env.PORT ?? 3000));

module.exports = { start };
