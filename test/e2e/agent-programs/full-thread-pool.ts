/**
 * A program with the SDK that keeps the thread pool full: fourteen password hashes at a time. Prints a line for each
 * registration and each warning.
 */
import { pbkdf2 } from 'node:crypto';
import { createServer } from 'node:http';
import { rollcall } from '@rollcall/agent';

const JOBS = 14;
/** About a third of a second for each job on a machine of 2026. */
const ITERATIONS = 300_000;

function hash(): void {
  pbkdf2('password', 'salt', ITERATIONS, 64, 'sha512', hash);
}

for (let job = 0; job < JOBS; job += 1) hash();
const node = rollcall({ balancer: 'hashes', log: () => {} });
node.on('registered', () => console.log('registered'));
node.on('warning', ({ message }) => console.log(message));
const server = createServer((_, response) => void response.end('hello'));
node.attach(server);
server.listen(0, '127.0.0.1');
