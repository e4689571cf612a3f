/** A Socket.IO server. Each connection begins with long polling, whose requests must all reach the same node. */
import { createServer } from 'node:http';
import { rollcall } from '@rollcall/agent';
import { Server } from 'socket.io';

const node = rollcall({ balancer: 'socket-io' });
const server = createServer((_request, response) => response.end('connect with client.js\n'));

new Server(server).on('connection', (socket) => {
  let visits = 0;
  socket.on('visit', (answer) => {
    visits += 1;
    answer(`${node.id} has seen you ${visits} times by ${socket.conn.transport.name}`);
  });
});

node.attach(server);
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1');
