/** A program with the SDK that serves `/NAME`, the first argument, and answers with the name. */
import { createServer } from 'node:http';
import { rollcall } from '@rollcall/agent';

const name = process.argv[2]!;
const server = createServer((_request, response) => response.end(name)).listen(0, '127.0.0.1');
rollcall({ balancer: name, contexts: [`/${name}`] }).attach(server);
