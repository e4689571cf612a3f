/**
 * All nodes of a run in one process: `node-process.js PORT`. It listens on every address of the loopback interface, so that each node
 * has its own address. It answers each request with the destination address.
 */
import { createServer, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';
/** Size of each response body, octets. */
const BODY = 'n'.repeat(100);

function serve(socket: Socket): void {
  const answer = `HTTP/1.1 200 OK\r\nX-Node: ${socket.localAddress ?? ''}\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
  let head = '';
  socket.setNoDelay(true);
  socket.on('data', (octets) => {
    head += octets.toString('latin1');
    for (let end = head.indexOf(HEAD_END); end >= 0; end = head.indexOf(HEAD_END)) {
      const isHead = head.startsWith('HEAD ');
      head = head.slice(end + HEAD_END.length);
      socket.write(isHead ? answer.slice(0, -BODY.length) : answer);
    }
  });
  socket.on('error', () => socket.destroy());
}

createServer(serve).listen(Number(process.argv[2]), '0.0.0.0', 4_096);
